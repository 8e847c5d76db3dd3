"""A cohort in the order in which a second reader would see it, by the functions that the worker calls."""

import csv
import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from pathlib import Path

import numpy as np

from evaluation.cohortfile import open_cohort
from overread.case_arrays import CaseArrays, CaseReader, Floats, Integers, Ratios, join
from overread.cohort import CohortCase, parse_line
from overread.cohort_order import CohortOrder
from overread.discrepancy import DiscrepancyKind
from overread.errors import InvalidFileError
from overread.finding import Vocabulary, load_vocabulary
from overread.policy_tables import TriggerRatios
from overread.priority import Policy
from overread.report.reader import load_reader
from overread.reporting_model import ReportingModel
from overread.spreadsheet import as_cell

Progress = Callable[[str, int], None]  # what is being done, and how many of it are
Block = tuple[int, list[bytes]] | list[CohortCase]  # number of the first line and the lines, or cases

_LINES_PER_BLOCK = 4_000
_CASES_PER_WRITE = 2_000
_CASE = "\0"  # stands for the name of a case, which holds no such character
_MISS, _OVERCALL = DiscrepancyKind.POSSIBLE_MISS, DiscrepancyKind.POSSIBLE_OVERCALL


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A cohort file, and the detector whose outputs order it."""

    path: Path
    detector: str
    version: str
    findings: tuple[str, ...]  # outputs of the detector


def source_of(
    path: Path,
    vocabulary: Vocabulary,
    detector: str | None = None,
    model: ReportingModel | None = None,
    cases: Iterable[CohortCase] | None = None,
) -> Source:
    """Return the cohort with a detector: of the model, the named one, else that of the first scored case.

    Args:
        path: of the cohort.
        vocabulary: outputs beside it are left out.
        detector: its name; None: that of the first scored case.
        model: whose outputs are taken; None: all.
        cases: those of the file that count; None: all of it.

    Raises:
        InvalidFileError: no case has scores of the detector.
    """
    wanted = detector if model is None else model.detector
    for case in open_cohort(path) if cases is None else cases:
        for detection in case.detections:
            outputs = detection.probabilities or detection.scores
            if outputs and wanted in (None, detection.detector):
                known = tuple(finding for finding in outputs if finding in vocabulary)
                return Source(
                    path=path,
                    detector=detection.detector,
                    version=detection.version,
                    findings=known if model is None else model.findings,
                )
    raise InvalidFileError(f"{path.name} holds no scores of {wanted or 'any detector'}")


def load_arrays(source: Source, policy: Policy, *, processes: int, progress: Progress) -> CaseArrays:
    """Return all cases of a cohort as arrays.

    Args:
        source: the cohort.
        policy: with the weights of the report's triggers.
        processes: that read; 1 reads in this one.
        progress: told now and then how many cases are read.

    Raises:
        InvalidFileError: a case is malformed or comes twice.
    """
    parts: list[CaseArrays] = []
    done = 0
    for part in _parts(source, policy.tables.triggers, processes):
        parts.append(part)
        done += len(part)
        progress("read", done)
    if not parts:
        raise InvalidFileError(f"{source.path.name} holds no case")
    whole = join(parts)
    if len(set(whole.cases)) < len(whole):
        raise InvalidFileError(f"{source.path.name} holds a case twice; `overread cohort check` says which")
    return whole


def list_rows(arrays: CaseArrays, order: CohortOrder) -> Integers:
    """Return the rows of the cases to look at, highest priority first, those of equal one as in the file."""
    rows = np.flatnonzero(arrays.ordered)
    return rows[np.argsort(-order.priorities[rows], kind="stable")]


def write_cases(path: Path, arrays: CaseArrays, order: CohortOrder, progress: Progress) -> None:
    """Write `case,probability,priority`, in the order in which the reader sees the cases.

    Raises:
        InvalidFileError: the file cannot be written.
    """
    lines = (
        f"{_quoted(arrays.cases[row])},{order.probabilities[row]:.6g},{order.priorities[row]:.6g}\n"
        for row in list_rows(arrays, order)
    )
    _write(path, "case,probability,priority\n", lines, progress)


def write_rows(
    path: Path, arrays: CaseArrays, order: CohortOrder, vocabulary: Vocabulary, progress: Progress
) -> None:
    """Write `case,finding,kind,probability,priority,joint_of` for every eligible pair of case and finding.

    A broader finding that the detector has no output for, such as a lesion of the lung, has a row too: that
    any of its kinds is missed, taken as independent events. It takes no further part in the order.

    Raises:
        InvalidFileError: the file cannot be written.
    """
    broader = _broader(arrays.findings, vocabulary)
    rows = list_rows(arrays, order)
    lines = (
        line
        for start in range(0, len(rows), _CASES_PER_WRITE)
        for line in _lines(arrays, order, rows[start : start + _CASES_PER_WRITE], broader)
    )
    _write(path, "case,finding,kind,probability,priority,joint_of\n", lines, progress)


def _lines(
    arrays: CaseArrays, order: CohortOrder, rows: Integers, broader: Mapping[str, list[int]]
) -> Iterator[str]:
    """Yield the lines of each of these cases as one text."""
    misses = _kind_lines(order.miss_odds[rows], order.miss_worth, _MISS, arrays.findings, broader)
    overcalls = _kind_lines(
        order.overcall_odds[rows], order.overcall_worth, _OVERCALL, arrays.findings, broader
    )
    for row, missed, overcalled in zip(rows, misses, overcalls, strict=True):
        yield (missed + overcalled).replace(_CASE, _quoted(arrays.cases[row]))


def _kind_lines(
    odds: Ratios,
    worths: Floats,
    kind: DiscrepancyKind,
    findings: tuple[str, ...],
    broader: Mapping[str, list[int]],
) -> Iterator[str]:
    """Yield for each case its lines of one kind, with a mark for its name: one formatting for all of them."""
    chances = odds.astype(np.float64) / (1 + odds)
    columns = [chances]
    names = [f"{_CASE},{finding},{kind},%.6g,%.6g,\n" for finding in findings]
    for family, members in broader.items():
        columns.append(1 - np.prod(1 - chances[:, members], axis=1, keepdims=True))
        joined = "|".join(findings[member] for member in members)
        names.append(f"{_CASE},{family},{kind},%.6g,%.6g,{joined}\n")
    probabilities = np.hstack(columns)
    most = [max(worths[members]) for members in broader.values()]
    pairs = np.stack([probabilities, probabilities * np.r_[worths, most]], axis=2)
    known = ~np.isnan(probabilities)
    templates: dict[bytes, str] = {}
    for row, there in enumerate(known):
        key = there.tobytes()
        if key not in templates:
            templates[key] = "".join(name for name, it_is in zip(names, there, strict=True) if it_is)
        yield templates[key] % tuple(pairs[row, there].ravel().tolist())


def _broader(findings: tuple[str, ...], vocabulary: Vocabulary) -> dict[str, list[int]]:
    """Return the columns of each family whose broadest finding is no output."""
    families: dict[str, list[int]] = {}
    for column, finding in enumerate(findings):
        families.setdefault(vocabulary.family_of(finding), []).append(column)
    return {family: columns for family, columns in families.items() if family not in findings}


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
    """Return the name of a case as a field of a CSV file (RFC 4180) that no spreadsheet runs."""
    case = as_cell(case)
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


def _parts(source: Source, ratios: TriggerRatios, processes: int) -> Iterator[CaseArrays]:
    """Yield the arrays of the blocks in order, with a few blocks under way at a time."""
    read = partial(_read_block, source, ratios)
    if processes == 1:
        yield from map(read, _blocks(source.path))
        return
    with ProcessPoolExecutor(processes) as pool:
        under_way: deque[Future[CaseArrays]] = deque()
        for block in _blocks(source.path):
            under_way.append(pool.submit(read, block))
            if len(under_way) > 2 * processes:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def _read_block(source: Source, ratios: TriggerRatios, block: Block) -> CaseArrays:
    return case_reader(source.detector, source.findings, ratios).arrays(_cases(source.path, block))


def _cases(path: Path, block: Block) -> Iterator[CohortCase]:
    if isinstance(block, list):
        yield from block
        return
    first, lines = block
    for number, line in enumerate(lines, start=first):
        if line.strip():
            yield parse_line(line, f"{path.name}, line {number}")


@cache  # one in each process
def case_reader(detector: str, findings: tuple[str, ...], ratios: TriggerRatios) -> CaseReader:
    """Return what turns cases into arrays for the outputs of a detector."""
    return CaseReader(detector, findings, load_vocabulary(), ratios, load_reader().read)
