"""Ratings: scores of observers, such as detectors, readers or a report reader, beside a reference standard.

A table of ratings is a CSV file, one rating a row: `case`, `patient`, `finding`, `truth` (yes or no) and
`probability`, or `score` where higher only means more likely; where known `test` and `reader`. Every other
column is a circumstance by which figures are compared.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overread.errors import InvalidFileError, words_of
from overread.spreadsheet import as_cell, from_cell

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

_FIXED = ("case", "patient", "finding", "test", "reader", "score", "probability", "truth")
_TRUTH = {"yes": True, "1": True, "true": True, "no": False, "0": False, "false": False}
_CALLS_MAX = 5  # different scores; more are a curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """Who rated what: a finding, in a test such as a release or a way of reading, by a reader."""

    finding: str
    test: str
    reader: str  # empty where the test has one observer, such as a detector

    @property
    def name(self) -> str:
        """Return test and reader in words."""
        return f"{self.test}, {self.reader}" if self.reader else self.test


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """One row of a table of ratings."""

    observer: Observer
    case: str
    patient: str
    score: float
    truth: bool
    circumstances: Mapping[str, str]
    is_probability: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ratings:
    """What one observer says of its cases."""

    observer: Observer
    cases: tuple[str, ...]
    patients: NDArray[np.str_]  # (cases,)
    scores: Floats  # (cases,)
    positive: Booleans  # (cases,) by the reference standard
    circumstances: Mapping[str, NDArray[np.str_]]  # (cases,) of each; empty text where not known
    is_probability: bool

    def __len__(self) -> int:
        return len(self.cases)

    def calls(self) -> list[float]:
        """Return the scores from which on a case may be called positive; none where they are a curve."""
        values = np.unique(self.scores)
        return values[1:].tolist() if len(values) <= _CALLS_MAX else []

    def rows(self, chosen: NDArray[np.intp] | Booleans) -> "Ratings":
        """Return some of the cases."""
        places = np.arange(len(self))[chosen]
        return Ratings(
            observer=self.observer,
            cases=tuple(self.cases[place] for place in places.tolist()),
            patients=self.patients[places],
            scores=self.scores[places],
            positive=self.positive[places],
            circumstances={name: values[places] for name, values in self.circumstances.items()},
            is_probability=self.is_probability,
        )


def gather(ratings: Iterable[Rating]) -> list[Ratings]:
    """Return the ratings of each observer, in the order in which observers first come.

    Raises:
        InvalidFileError: an observer rates a case twice.
    """
    found: dict[Observer, dict[str, Rating]] = {}
    for rating in ratings:
        own = found.setdefault(rating.observer, {})
        if rating.case in own:
            observer = rating.observer
            raise InvalidFileError(
                f"{observer.name} rates {observer.finding} of the case {rating.case} twice"
            )
        own[rating.case] = rating
    return [_gathered(observer, list(own.values())) for observer, own in found.items()]


def on_common_cases(sets: Sequence[Ratings]) -> list[Ratings]:
    """Return the sets on the cases that all of them rate, in one order."""
    common = set(sets[0].cases).intersection(*(item.cases for item in sets[1:]))
    wanted = [case for case in sets[0].cases if case in common]
    found = []
    for item in sets:
        places = {case: place for place, case in enumerate(item.cases)}
        found.append(item.rows(np.array([places[case] for case in wanted], dtype=np.intp)))
    return found


def read_ratings(path: Path) -> list[Ratings]:
    """Return the ratings of a table.

    Raises:
        InvalidFileError: it cannot be read or a row is malformed; the message names its line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            found = gather(_rows(path, csv.DictReader(file)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidFileError(f"cannot read {path}: {words_of(error)}") from error
    if not found:
        raise InvalidFileError(f"{path.name} holds no rating")
    return found


def write_ratings(path: Path, sets: Sequence[Ratings]) -> None:
    """Write a table of ratings that `read_ratings` reads.

    Raises:
        InvalidFileError: the file cannot be written.
    """
    names = sorted({name for item in sets for name in item.circumstances})
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow((*_FIXED, *names))
            for item in sets:
                writer.writerows(_cells(item, names))
    except OSError as error:
        raise InvalidFileError(f"cannot write {path}: {words_of(error)}") from error


def _cells(item: Ratings, names: Sequence[str]) -> Iterator[list[str]]:
    observer = item.observer
    who = [as_cell(text) for text in (observer.finding, observer.test, observer.reader)]
    for place, case in enumerate(item.cases):
        score = repr(float(item.scores[place]))
        scores = ["", score] if item.is_probability else [score, ""]
        truth = "yes" if item.positive[place] else "no"
        around = [
            str(item.circumstances[name][place]) if name in item.circumstances else "" for name in names
        ]
        yield [
            as_cell(case),
            as_cell(str(item.patients[place])),
            *who,
            *scores,
            truth,
            *(as_cell(text) for text in around),
        ]


def _rows(path: Path, rows: "csv.DictReader[str]") -> Iterator[Rating]:
    missing = {"case", "patient", "finding", "truth"} - set(rows.fieldnames or ())
    if missing:
        raise InvalidFileError(f"{path.name} lacks the column {min(missing)!r}")
    others = [name for name in rows.fieldnames or () if name not in _FIXED]
    for number, row in enumerate(rows, start=2):
        try:
            yield _rating(row, others)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidFileError(
                f"{path.name}, line {number}: needs case, patient, finding, a number as score or "
                "probability, and truth as yes or no"
            ) from error


def _rating(row: Mapping[str, str], others: Sequence[str]) -> Rating:
    calibrated = bool(row.get("probability"))
    score = float(row["probability" if calibrated else "score"])
    if not np.isfinite(score) or (calibrated and not 0 <= score <= 1):
        raise ValueError("no such score")
    case, patient, finding = (from_cell(row[name]) for name in ("case", "patient", "finding"))
    if not case or not patient or not finding:
        raise ValueError("empty")
    return Rating(
        observer=Observer(
            finding=finding,
            test=from_cell(row.get("test") or "scores"),
            reader=from_cell(row.get("reader") or ""),
        ),
        case=case,
        patient=patient,
        score=score,
        truth=_TRUTH[row["truth"].strip().lower()],
        circumstances={name: from_cell(row[name] or "") for name in others},
        is_probability=calibrated,
    )


def _gathered(observer: Observer, own: Sequence[Rating]) -> Ratings:
    names = dict.fromkeys(name for rating in own for name in rating.circumstances)
    return Ratings(
        observer=observer,
        cases=tuple(rating.case for rating in own),
        patients=np.array([rating.patient for rating in own]),
        scores=np.array([rating.score for rating in own], dtype=np.float64),
        positive=np.array([rating.truth for rating in own], dtype=bool),
        circumstances={
            name: np.array([rating.circumstances.get(name, "") for rating in own]) for name in names
        },
        is_probability=all(rating.is_probability for rating in own),
    )
