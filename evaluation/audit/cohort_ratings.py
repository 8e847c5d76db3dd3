"""Ratings in a cohort file: a detector against adjudications, the report reader against people's labels."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from evaluation.audit.ratings import Observer, Rating, Ratings, gather
from evaluation.cohortfile import open_cohort
from evaluation.rank_cohort import Progress, Source, case_reader, load_arrays, source_of
from overread.case_arrays import CaseArrays, Verdicts
from overread.cohort import CohortCase
from overread.cohort_order import order_cases, past_reports
from overread.errors import InvalidFileError
from overread.finding import Vocabulary, load_vocabulary
from overread.policy_tables import TriggerRatios
from overread.priority import Policy
from overread.report import load_reader
from overread.report_labels import report_label, stated_observations
from overread.reporting_model import fit_reporting_model

REPORT_READER, LIST = "report reader", "order of the list"
CONFIRMED = "confirmed_discrepancy"
_CIRCUMSTANCES = ("sex", "view", "modality", "body_part", "subspecialty", "site", "scanner", "shift")
_BLOCK = 2_000
_HEDGED = 0.5


def cohort_ratings(
    path: Path, ratios: TriggerRatios, detector: str | None, progress: Progress
) -> list[Ratings]:
    """Return what a cohort says of a detector, by finding, and of the report reader.

    A finding's truth for the detector is what a second reader judged: a confirmed miss, or an overcall that
    was not confirmed, is there; the opposite is not. The report reader is judged on cases with a text and
    the observations that people say it states; what it considers counts as 0.5.

    Args:
        path: of the cohort file.
        ratios: of the policy's triggers, which `CaseReader` asks for.
        detector: name, or None for that of the first scored case.
        progress: told how many cases are read.

    Raises:
        InvalidFileError: the file is malformed, or holds neither.
    """
    vocabulary = load_vocabulary()
    source = _source(path, vocabulary, detector)
    found = gather(_ratings(path, source, ratios, vocabulary, progress))
    if not found:
        raise InvalidFileError(
            f"{path.name} holds no output of a detector that a second reader judged, and no text beside "
            "observations"
        )
    return sorted(found, key=lambda item: (item.observer.test != REPORT_READER, item.observer.finding))


def golden_ratings(path: Path, policy: Policy, detector: str | None, progress: Progress) -> list[Ratings]:
    """Return what `cohort_ratings` says of a golden set, and how the list orders its cases.

    The list is judged on the cases that somebody read: whether any discrepancy of the case was confirmed.

    Raises:
        InvalidFileError: as `cohort_ratings`.
    """
    found = cohort_ratings(path, policy.tables.triggers, detector, progress)
    vocabulary = load_vocabulary()
    source = _source(path, vocabulary, detector)
    if source is None:
        return found
    known = policy.reporting_model(source.detector, source.version)
    if known is not None:
        source = source_of(path, vocabulary, detector, known)
    arrays = load_arrays(source, policy, processes=1, progress=progress)
    model = known or fit_reporting_model(
        source.detector, source.version or None, source.findings, past_reports(arrays)
    )
    order = order_cases(arrays, policy, vocabulary, model)
    rows = np.flatnonzero(arrays.read & arrays.ordered)
    ratings = (
        Rating(
            observer=Observer(finding=CONFIRMED, test=LIST, reader=""),
            case=arrays.cases[row],
            patient=arrays.patients[row],
            score=float(order.priorities[row]),
            truth=bool(arrays.found[row]),
            circumstances={},
            is_probability=False,
        )
        for row in rows.tolist()
    )
    return [*found, *gather(ratings)]


def _source(path: Path, vocabulary: Vocabulary, detector: str | None) -> Source | None:
    try:
        return source_of(path, vocabulary, detector)
    except InvalidFileError:
        if detector is not None:
            raise
        return None  # a golden set of reports alone


def _ratings(
    path: Path, source: Source | None, ratios: TriggerRatios, vocabulary: Vocabulary, progress: Progress
) -> Iterator[Rating]:
    labelled: list[CohortCase] = []
    cases = (case for case in open_cohort(path) if not case.context_only)
    done = 0
    while block := list(islice(cases, _BLOCK)):
        done += len(block)
        progress("read", done)
        labelled += [case for case in block if case.text is not None and case.observations]
        if source is not None:
            yield from _detector(block, source, ratios)
    yield from _report_reader(labelled, vocabulary)


def _report_reader(cases: Sequence[CohortCase], vocabulary: Vocabulary) -> Iterator[Rating]:
    reader = load_reader()
    findings = sorted({item.finding for case in cases for item in case.observations})
    for case in cases:
        read = stated_observations(case, reader)
        for finding in findings:
            truth = report_label(case.observations, finding, vocabulary)
            if not np.isnan(truth):
                label = report_label(read, finding, vocabulary)
                observer = Observer(finding=finding, test=REPORT_READER, reader="")
                score = _HEDGED if np.isnan(label) else label
                yield _rating(observer, case, score, truth=truth == 1, is_probability=False)


def _detector(block: list[CohortCase], source: Source, ratios: TriggerRatios) -> Iterator[Rating]:
    arrays = case_reader(source.detector, source.findings, ratios).arrays(block)
    truth = _truth(arrays)
    calibrated = np.isfinite(np.broadcast_to(arrays.probabilities, arrays.scores.shape))
    name = f"{source.detector} {source.version}".strip()
    for row, column in np.argwhere((truth >= 0) & np.isfinite(arrays.scores)).tolist():
        yield _rating(
            Observer(finding=arrays.findings[column], test=name, reader=""),
            block[row],
            float(arrays.scores[row, column]),
            truth=bool(truth[row, column]),
            is_probability=bool(calibrated[row, column]),
        )


def _truth(arrays: CaseArrays) -> Verdicts:
    """Return 1 where the finding is there, 0 where it is not, -1 where nobody judged it."""
    shape = (len(arrays), len(arrays.findings))
    missed = np.broadcast_to(arrays.missed, shape)
    overcalled = np.broadcast_to(arrays.overcalled, shape)
    truth = np.full(shape, -1, dtype=np.int8)
    truth[(missed == 0) & ~arrays.stated] = 0
    truth[overcalled == 1] = 0
    truth[(overcalled == 0) | (missed == 1)] = 1
    return truth


def _rating(
    observer: Observer, case: CohortCase, score: float, *, truth: bool, is_probability: bool
) -> Rating:
    around = {name: getattr(case, name) or "" for name in _CIRCUMSTANCES}
    return Rating(
        observer=observer,
        case=case.case,
        patient=case.patient,
        score=score,
        truth=truth,
        circumstances=around,
        is_probability=is_probability,
    )
