"""A cohort in the order in which a second reader would see it, by the functions that the worker calls."""

import csv
import io
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from pathlib import Path

import numpy as np

from evaluation.cohortfile import open_cohort
from overread.assumption import TriggerRatios
from overread.casetable import CaseReader, CaseTable, join
from overread.cohort import CohortCase, parse_line
from overread.discrepancy import DiscrepancyKind
from overread.errors import InvalidFileError
from overread.expectation import Expectation
from overread.finding import Vocabulary, load_vocabulary
from overread.ordering import Order
from overread.priority import Policy
from overread.report.reader import load_reader
from overread.studies import Columns, Integers

Progress = Callable[[str, int], None]  # what is being done, and how many of it are
Block = tuple[int, list[bytes]] | list[CohortCase]  # number of the first line and the lines, or cases

_LINES_PER_BLOCK = 4_000
_CASES_PER_WRITE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A cohort file, and the detector whose outputs order it."""

    path: Path
    detector: str
    columns: Columns


def source_of(
    path: Path, vocabulary: Vocabulary, detector: str | None = None, fitted: Expectation | None = None
) -> Source:
    """Return the cohort with a detector: the one that is named or fitted, else that of its first scored case.

    Raises:
        InvalidFileError: no case has scores of the detector.
    """
    if fitted is not None:
        return Source(path=path, detector=fitted.detector, columns=fitted.columns)
    for case in open_cohort(path):
        for detection in case.detections:
            if detection.scores and detector in (None, detection.detector):
                known = [finding for finding in detection.scores if finding in vocabulary]
                return Source(path=path, detector=detection.detector, columns=Columns.of(known, vocabulary))
    raise InvalidFileError(f"{path.name} holds no scores of {detector or 'any detector'}")


def load_table(source: Source, policy: Policy, *, processes: int, progress: Progress) -> CaseTable:
    """Return all cases of a cohort as arrays.

    Args:
        source: the cohort.
        policy: with the weights of the report's triggers.
        processes: that read; 1 reads in this one.
        progress: told now and then how many cases are read.

    Raises:
        InvalidFileError: a case is malformed or comes twice.
    """
    tables: list[CaseTable] = []
    done = 0
    for table in _tables(source, policy.assumptions.triggers, processes):
        tables.append(table)
        done += len(table)
        progress("read", done)
    if not tables:
        raise InvalidFileError(f"{source.path.name} holds no case")
    whole = join(tables)
    if len(set(whole.cases)) < len(whole):
        raise InvalidFileError(f"{source.path.name} holds a case twice; `overread cohort check` says which")
    return whole


def list_order(table: CaseTable, order: Order) -> Integers:
    """Return the rows of the cases to look at, highest priority first, those of equal one as in the file."""
    rows = np.flatnonzero(table.ordered)
    return rows[np.argsort(-order.priorities[rows], kind="stable")]


def write_cases(path: Path, table: CaseTable, order: Order, progress: Progress) -> None:
    """Write `case,priority`, the order in which the reader sees the cases.

    Raises:
        InvalidFileError: the file cannot be written.
    """
    rows = list_order(table, order)
    lines = (f"{_quoted(table.cases[row])},{order.priorities[row]:.6g}\n" for row in rows)
    _write(path, "case,priority\n", lines, progress)


def write_rows(
    path: Path, table: CaseTable, order: Order, vocabulary: Vocabulary, progress: Progress
) -> None:
    """Write `case,finding,kind,probability,priority` for every pair of case and finding that is eligible.

    Outputs of one family are one piece of evidence: each finding of a family, its broadest among them, stands
    there with the probability and the priority of the family.

    Raises:
        InvalidFileError: the file cannot be written.
    """
    columns = table.studies.columns
    names = [
        tuple(dict.fromkeys((family, *(columns.findings[column] for column in members))))
        for family, members in zip(columns.families, columns.members(vocabulary), strict=True)
    ]
    lines = (
        f"{case},{finding},{kind},{chance:.6g},{chance * worth[column]:.6g}\n"
        for row in list_order(table, order)
        for case in [_quoted(table.cases[row])]
        for kind, odds, worth in (
            (DiscrepancyKind.POSSIBLE_MISS, order.miss_odds[row], order.miss_worth),
            (DiscrepancyKind.POSSIBLE_OVERCALL, order.overcall_odds[row], order.overcall_worth),
        )
        for column, odd in enumerate(odds.tolist())
        if not math.isnan(odd)
        for chance in [odd / (1 + odd)]
        for finding in names[column]
    )
    _write(path, "case,finding,kind,probability,priority\n", lines, progress)


def _write(path: Path, heading: str, lines: Iterable[str], progress: Progress) -> None:
    remaining, done = iter(lines), 0
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(heading)
            while block := list(islice(remaining, _CASES_PER_WRITE)):
                file.write("".join(block))
                done += len(block)
                progress(f"{path.name}: rows written", done)
    except OSError as error:
        raise InvalidFileError(f"cannot write {path}: {error.strerror}") from error


def _quoted(case: str) -> str:
    """Return the name of a case as a field of a CSV file (RFC 4180)."""
    if not any(character in case for character in ',"\r\n'):
        return case
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([case])
    return text.getvalue()


def _blocks(path: Path) -> Iterator[Block]:
    """Yield the cases, unread where they are lines, so that reading them can be shared out."""
    if path.suffix == ".parquet":
        cases = open_cohort(path)
        while block := list(islice(cases, _LINES_PER_BLOCK)):
            yield block
        return
    try:
        with path.open("rb") as file:
            number = 1
            while lines := list(islice(file, _LINES_PER_BLOCK)):
                yield number, lines
                number += len(lines)
    except OSError as error:
        raise InvalidFileError(f"cannot read the cohort {path}: {error.strerror}") from error


def _tables(source: Source, ratios: TriggerRatios, processes: int) -> Iterator[CaseTable]:
    """Yield the tables of the blocks in order, with a few blocks under way at a time."""
    read = partial(_read_block, source, ratios)
    if processes == 1:
        yield from map(read, _blocks(source.path))
        return
    with ProcessPoolExecutor(processes) as pool:
        under_way: deque[Future[CaseTable]] = deque()
        for block in _blocks(source.path):
            under_way.append(pool.submit(read, block))
            if len(under_way) > 2 * processes:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def _read_block(source: Source, ratios: TriggerRatios, block: Block) -> CaseTable:
    return _case_reader(source.detector, source.columns, ratios).table(_cases(source.path, block))


def _cases(path: Path, block: Block) -> Iterator[CohortCase]:
    if isinstance(block, list):
        yield from block
        return
    first, lines = block
    for number, line in enumerate(lines, start=first):
        if line.strip():
            yield parse_line(line, f"{path.name}, line {number}")


@cache  # one in each process
def _case_reader(detector: str, columns: Columns, ratios: TriggerRatios) -> CaseReader:
    return CaseReader(detector, columns, load_vocabulary(), ratios, load_reader().read)
