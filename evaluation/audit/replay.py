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
from overread.reporting_model import fit_reporting_model

Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way of flagging."""

    policy: Policy
    flagged_share: float  # of the list, in (0, 1]
    detector: str | None  # whose outputs; None: those of the first scored case


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replay:
    """Cases of a period with the flags of both ways."""

    cases: tuple[str, ...]
    months: tuple[str, ...]  # empty text where not known
    reads: ReadCases
    before: Booleans
    after: Booleans


def replay(cohort: Path, period: tuple[str, str] | None, ways: tuple[Way, Way], progress: Progress) -> Replay:
    """Return the flags of a way of flagging and of another one on the cases of a period.

    Args:
        cohort: file.
        period: first and last month; None: all cases.
        ways: before and after.
        progress: told what is being done.

    Raises:
        InvalidFileError: the file is malformed, or holds no case of the period.
    """
    chosen = [
        case for case in open_cohort(cohort) if period is None or period[0] <= (case.month or "") <= period[1]
    ]
    if not any(not case.context_only for case in chosen):
        raise InvalidFileError(f"{cohort.name} holds no case of the period; its cases must say their `month`")
    flags = []
    for way in ways:
        progress("put in order", len(chosen))
        arrays, flagged = _flagged(cohort, chosen, way)
        flags.append(flagged)
    rows = arrays.ordered
    return Replay(
        cases=tuple(case.case for case in chosen if not case.context_only),
        months=tuple(case.month or "" for case in chosen if not case.context_only),
        reads=_reads(chosen, arrays),
        before=flags[0][rows],
        after=flags[1][rows],
    )


def _flagged(cohort: Path, cases: Sequence[CohortCase], way: Way) -> tuple[CaseArrays, Booleans]:
    vocabulary = load_vocabulary()
    source = source_of(cohort, vocabulary, way.detector)
    known = way.policy.reporting_model(source.detector, source.version)
    if known is not None:
        source = source_of(cohort, vocabulary, way.detector, known)
    arrays = case_reader(source.detector, source.findings, way.policy.tables.triggers).arrays(cases)
    model = known or fit_reporting_model(
        source.detector, source.version or None, source.findings, past_reports(arrays)
    )
    order = order_cases(arrays, way.policy, vocabulary, model)
    return arrays, flagged_rows(arrays, order, way.flagged_share)


def _reads(cases: Sequence[CohortCase], arrays: CaseArrays) -> ReadCases:
    patients = np.unique(np.array(arrays.patients), return_inverse=True)[1]
    read = np.array([bool(case.adjudications) for case in cases])
    found = np.array([any(item.confirmed for item in case.adjudications) for case in cases])
    chance = np.array(
        [np.nan if case.selection_probability is None else case.selection_probability for case in cases]
    )
    rows = arrays.ordered
    return ReadCases(patients=patients[rows], read=read[rows], found=found[rows], chance=chance[rows])
