"""A site's past cases, as `overread rank` and the site's own records tell of them."""

import csv
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.budget.solver import Numbers, Progress, Rows, silent
from evaluation.cohortfile import open_cohort
from overread.cohort import CohortCase
from overread.discrepancy import DiscrepancyKind
from overread.errors import InvalidFileError, words_of
from overread.finding import Vocabulary
from overread.priority import MAXIMUM_PRIORITY, Policy
from overread.thresholds import Pair

_COLUMNS = ("case", "finding", "kind", "probability", "priority")
_ROWS_PER_WORD = 50_000  # between two words of progress
_JOINT = "joint_of"  # which outputs a row joins; empty, or no such column, for a row of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Ranked rows, with the names of what the numbers in them stand for."""

    cases: tuple[str, ...]
    pairs: tuple[Pair, ...]  # the strata
    rows: Rows  # the benefit of a row is its priority, in [0, 100]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The days on which the past cases arose."""

    days: int
    day_of: Numbers | None  # number of the day of each case, shape (cases,); None where only `days` is known

    def per_day(self, looked_at: NDArray[np.bool_]) -> Numbers | None:
        """Return how many of the cases looked at arose on each day, shape (days,)."""
        if self.day_of is None:
            return None
        return np.bincount(self.day_of[looked_at], minlength=self.days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjudicated:
    """The past cases that a second reader has looked at; every array has shape (adjudicated cases,)."""

    case: Numbers  # number of the case
    patient: NDArray[np.str_]
    confirmed: tuple[tuple[Pair, ...], ...]  # discrepancies that were confirmed in each case
    judged: tuple[tuple[Pair, ...], ...]  # confirmed or not


def load_past(path: Path, vocabulary: Vocabulary, policy: Policy, *, progress: Progress = silent) -> Past:
    """Return the rows that `overread rank --out` wrote.

    Rows of a broader finding that only join those of its kinds are left out, and those that the policy never
    lists; their cases count.

    Raises:
        InvalidFileError: unreadable, a column is missing, a value is out of range, or a row comes twice.
    """
    least = policy.minimum_odds / (1 + policy.minimum_odds)
    cases: dict[str, int] = {}
    pairs: dict[tuple[str, str], int] = {}
    numbers, strata = array("q"), array("q")
    probabilities, priorities = array("d"), array("d")
    with _reading(path, _COLUMNS, optional=_JOINT) as table:
        for line, (case, finding, kind, probability, priority, joint_of) in enumerate(table, start=2):
            if finding not in vocabulary:
                raise InvalidFileError(f"{path}, line {line}: {finding!r} is no finding of the vocabulary")
            if line % _ROWS_PER_WORD == 0:
                progress("rows read", line)
            number, chance = cases.setdefault(case, len(cases)), _share(probability, 1.0, path, line)
            worth = _share(priority, MAXIMUM_PRIORITY, path, line)
            if joint_of or chance < least:
                continue
            numbers.append(number)
            strata.append(pairs.setdefault((finding, kind), len(pairs)))
            probabilities.append(chance)
            priorities.append(worth)
    if not numbers:
        raise InvalidFileError(f"{path} holds no row that the policy would list")
    rows = Rows(
        case=np.array(numbers, dtype=np.intp),
        stratum=np.array(strata, dtype=np.intp),
        probability=np.array(probabilities),
        benefit=np.array(priorities),
        cases=len(cases),
        strata=len(pairs),
    )
    if len(np.unique(rows.case * rows.strata + rows.stratum)) < len(rows.case):
        raise InvalidFileError(f"{path} has two rows of the same case, finding and kind")
    return Past(
        cases=tuple(cases),
        pairs=tuple((finding, _kind(kind, path)) for finding, kind in pairs),
        rows=rows,
    )


def load_calendar(path: Path, cases: Sequence[str]) -> Calendar:
    """Return the days of a CSV file with the columns `case` and `date` (2026-11-23).

    The days that count are those that the file names.

    Raises:
        InvalidFileError: unreadable, a date is not one, or a ranked case has none.
    """
    with _reading(path, ("case", "date")) as table:
        dates = {case: _date(text, path, line) for line, (case, text) in enumerate(table, start=2)}
    missing = next((case for case in cases if case not in dates), None)
    if missing is not None:
        raise InvalidFileError(f"{path} has no date for the ranked case {missing}")
    number = {day: place for place, day in enumerate(sorted(set(dates.values())))}
    return Calendar(days=len(number), day_of=np.array([number[dates[case]] for case in cases]))


def load_adjudicated(path: Path, cases: Sequence[str], vocabulary: Vocabulary) -> Adjudicated:
    """Return those of the ranked cases that a cohort file gives adjudications for.

    Raises:
        InvalidFileError: the cohort cannot be read, or adjudicates none of the ranked cases.
    """
    number = {case: place for place, case in enumerate(cases)}
    known = [case for case in open_cohort(path) if case.adjudications and case.case in number]
    if not known:
        raise InvalidFileError(f"{path} has no adjudication of a ranked case")
    return Adjudicated(
        case=np.array([number[case.case] for case in known]),
        patient=np.array([case.patient for case in known]),
        confirmed=tuple(_pairs(case, vocabulary, confirmed=True) for case in known),
        judged=tuple(_pairs(case, vocabulary, confirmed=False) for case in known),
    )


def _pairs(case: CohortCase, vocabulary: Vocabulary, *, confirmed: bool) -> tuple[Pair, ...]:
    """Return the pairs of a case that were adjudicated or, if asked for, confirmed; each once."""
    pairs = {
        (one.finding, one.kind): None
        for one in case.adjudications
        if one.finding in vocabulary and (one.confirmed or not confirmed)
    }
    return tuple(pairs)


@contextmanager
def _reading(
    path: Path, columns: Sequence[str], *, optional: str | None = None
) -> Iterator[Iterator[tuple[str, ...]]]:
    """Give the rows of a CSV file, each reduced to the columns, in that order; optional is the last."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.reader(file)
            header = next(table, [])
            missing = [name for name in columns if name not in header]
            if missing:
                raise InvalidFileError(f"{path} lacks the column {', '.join(missing)}")
            places = [header.index(name) for name in columns]
            if optional in header:
                places.append(header.index(optional))
            missing_value = ("",) if optional is not None and optional not in header else ()
            yield ((*(row[place] for place in places), *missing_value) for row in table if row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidFileError(f"cannot read {path}: {words_of(error)}") from error
    except IndexError:
        raise InvalidFileError(f"{path} has a row with too few values") from None


def _share(text: str, most: float, path: Path, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise InvalidFileError(f"{path}, line {line}: {text!r} is not a number from 0 to {most:g}")
    return value


def _date(text: str, path: Path, line: int) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidFileError(f"{path}, line {line}: {text!r} is not a date as 2026-11-23") from None


def _kind(text: str, path: Path) -> DiscrepancyKind:
    try:
        return DiscrepancyKind(text)
    except ValueError:
        raise InvalidFileError(f"{path}: {text!r} is no kind of discrepancy") from None
