"""Replay of a period: flags of a policy, threshold or detector beside those of another, on the same cases."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.audit.run import flagged_rows
from evaluation.cohortfile import open_cohort
from evaluation.rank_cohort import Progress, case_reader, source_of
from overread.case_arrays import CaseArrays
from overread.cohort import CohortCase
from overread.cohort_order import order_cases, past_reports
from overread.errors import InvalidFileError
from overread.finding import load_vocabulary
from overread.flag_yield import ReadCases
from overread.priority import Policy
from overread.reporting_model import ReportingModel, fit_reporting_model

Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way of flagging."""

    policy: Policy
    policy_text: str  # TOML that it was read from
    flagged_share: float  # of the list, in (0, 1]
    detector: str | None  # whose outputs; None: those of the first scored case


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WayInput:
    """All that a way of flagging is given of the cases, and who scored them."""

    arrays: CaseArrays
    detector: str
    version: str
    networks: tuple[str, ...]  # SHA-256 of each, ascending, as far as the cases say

    def reporting_model(self, policy: Policy) -> ReportingModel:
        """Return what the policy knows the scores to be worth, else what the reports of the cases teach."""
        return policy.reporting_model(self.detector, self.version) or fit_reporting_model(
            self.detector, self.version or None, self.arrays.findings, past_reports(self.arrays)
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReplayInput:
    """Cases of a period, as two ways of flagging are given them."""

    cases: tuple[str, ...]  # without those of context only
    months: tuple[str, ...]  # of the same; empty text where not known
    reads: ReadCases  # of the same
    ways: tuple[WayInput, WayInput]  # before, after


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replay:
    """Cases of a period with the flags of both ways."""

    cases: tuple[str, ...]
    months: tuple[str, ...]  # empty text where not known
    reads: ReadCases
    before: Booleans
    after: Booleans


def cases_of_period(cohort: Path, period: tuple[str, str] | None) -> list[CohortCase]:
    """Return the cases of a period, from its first to its last month; None: all of them.

    Raises:
        InvalidFileError: the file is malformed, or holds no case of the period.
    """
    chosen = [
        case for case in open_cohort(cohort) if period is None or period[0] <= (case.month or "") <= period[1]
    ]
    if not any(not case.context_only for case in chosen):
        raise InvalidFileError(f"{cohort.name} holds no case of the period; its cases must say their `month`")
    return chosen


def replay_input(cohort: Path, cases: Sequence[CohortCase], ways: tuple[Way, Way]) -> ReplayInput:
    """Return what both ways of flagging are given of some cases of a cohort.

    Raises:
        InvalidFileError: no case has scores of a way's detector.
    """
    before, after = (_way_input(cohort, cases, way) for way in ways)
    return ReplayInput(
        cases=tuple(case.case for case in cases if not case.context_only),
        months=tuple(case.month or "" for case in cases if not case.context_only),
        reads=_reads(cases, before.arrays),
        ways=(before, after),
    )


def replay(given: ReplayInput, ways: tuple[Way, Way], progress: Progress) -> Replay:
    """Return the flags of a way of flagging and of another one on the same cases."""
    vocabulary = load_vocabulary()
    flags = []
    for own, way in zip(given.ways, ways, strict=True):
        progress("put in order", len(own.arrays))
        order = order_cases(own.arrays, way.policy, vocabulary, own.reporting_model(way.policy))
        flags.append(flagged_rows(own.arrays, order, way.flagged_share)[own.arrays.ordered])
    return Replay(cases=given.cases, months=given.months, reads=given.reads, before=flags[0], after=flags[1])


def _way_input(cohort: Path, cases: Sequence[CohortCase], way: Way) -> WayInput:
    vocabulary = load_vocabulary()
    source = source_of(cohort, vocabulary, way.detector, cases=cases)
    known = way.policy.reporting_model(source.detector, source.version)
    if known is not None:
        source = source_of(cohort, vocabulary, way.detector, known, cases)
    networks = {
        detection.sha256
        for case in cases
        for detection in case.detections
        if detection.detector == source.detector and detection.sha256
    }
    return WayInput(
        arrays=case_reader(source.detector, source.findings, way.policy.tables.triggers).arrays(cases),
        detector=source.detector,
        version=source.version,
        networks=tuple(sorted(networks)),
    )


def _reads(cases: Sequence[CohortCase], arrays: CaseArrays) -> ReadCases:
    patients = np.unique(np.array(arrays.patients), return_inverse=True)[1]
    chance = np.array(
        [np.nan if case.selection_probability is None else case.selection_probability for case in cases]
    )
    rows = arrays.ordered
    return ReadCases(
        patients=patients[rows], read=arrays.read[rows], found=arrays.found[rows], chance=chance[rows]
    )
