"""Cohort order: the evidence of `overread.evidence` and the policy for a whole cohort at once, on arrays.

The numbers are those that `overread.triage` gives case by case; tests hold the two together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.adjudication_model import AdjudicationModel, fit_correction
from overread.case_arrays import NOBODY_LOOKED, Booleans, CaseArrays, Floats, Ratios, Verdicts
from overread.detector_evidence import bounded_probability, calibrated_share
from overread.discrepancy import DiscrepancyKind
from overread.errors import InputError
from overread.evidence import omission_odds
from overread.finding import ANY_ABNORMALITY, Vocabulary
from overread.priority import MAXIMUM_PRIORITY, Policy, least_odds, priority_factor
from overread.reporting_model import PastReports, ReportingModel, stated_share

_BLOCK_CASES = 50_000
_MISS, _OVERCALL = DiscrepancyKind.POSSIBLE_MISS, DiscrepancyKind.POSSIBLE_OVERCALL


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CohortOrder:
    """Odds, probabilities and priorities of cases; NaN where a case can have no such discrepancy."""

    findings: tuple[str, ...]
    miss_odds: Ratios  # (cases, findings)
    overcall_odds: Ratios  # (cases, findings)
    miss_worth: Floats  # (findings,) priority of a certain miss, at most 100
    overcall_worth: Floats  # (findings,) and of a certain overcall
    probabilities: Floats  # (cases,) that any listed discrepancy is confirmed
    priorities: Floats  # (cases,) in [0, 100]; what is below the policy's odds counts nothing


def order_cases(
    arrays: CaseArrays, policy: Policy, vocabulary: Vocabulary, model: ReportingModel | None
) -> CohortOrder:
    """Return how the cases come in order, higher priority first.

    Args:
        arrays: the cases.
        policy: how evidence is weighed.
        vocabulary: with the findings.
        model: of what the site's reports state; None takes the detector's own calibration.

    Raises:
        InputError: nothing says what the detector's outputs are worth, so that the cases have no order.
    """
    _check_that_there_is_an_order(arrays, model)
    shape = (len(arrays), len(arrays.findings))
    miss, overcall = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.float32)
    probabilities, priorities = np.empty(len(arrays)), np.empty(len(arrays))
    factors = np.array([priority_factor(vocabulary[finding], policy) for finding in arrays.findings])
    miss_worth = MAXIMUM_PRIORITY * factors
    overcall_worth = policy.overcall.benefit * miss_worth
    least = [
        np.array([least_odds(finding, kind, policy) for finding in arrays.findings])
        for kind in (_MISS, _OVERCALL)
    ]
    for start in range(0, len(arrays), _BLOCK_CASES):
        rows = slice(start, start + _BLOCK_CASES)
        block = arrays.rows(rows)
        odds = [np.exp(item) for item in corrected_log_odds(block, policy, vocabulary, model)]
        listed = [np.where(item >= bound, item, 0.0) for item, bound in zip(odds, least, strict=True)]
        _leave_the_named(odds, listed, arrays.findings)
        miss[rows], overcall[rows] = odds
        chances = [item / (1 + item) for item in listed]
        chances[0] *= _called(block, policy, model)
        probabilities[rows] = 1 - np.prod([np.prod(1 - item, axis=1) for item in chances], axis=0)
        left = [
            np.prod(1 - item * worth / MAXIMUM_PRIORITY, axis=1)
            for item, worth in zip(chances, (miss_worth, overcall_worth), strict=True)
        ]
        priorities[rows] = MAXIMUM_PRIORITY * (1 - np.prod(left, axis=0))
    return CohortOrder(
        findings=arrays.findings,
        miss_odds=miss,
        overcall_odds=overcall,
        miss_worth=miss_worth,
        overcall_worth=overcall_worth,
        probabilities=probabilities,
        priorities=priorities,
    )


def past_reports(arrays: CaseArrays) -> PastReports:
    """Return the cases as what a reporting model is learned from."""
    return PastReports(scores=arrays.scores, stated=arrays.named, patients=arrays.patients)


def fit_adjudications(
    arrays: CaseArrays, policy: Policy, vocabulary: Vocabulary, model: ReportingModel
) -> AdjudicationModel | None:
    """Return what the adjudications of past cases teach; None where there are none.

    Args:
        arrays: past cases, some of them adjudicated.
        policy: how evidence is weighed before it is corrected.
        vocabulary: with the findings.
        model: of what the site's reports state, without adjudications.
    """
    log_odds = dict(
        zip((_MISS, _OVERCALL), explicit_log_odds(arrays, policy, vocabulary, model), strict=True)
    )
    verdicts = {_MISS: arrays.missed, _OVERCALL: arrays.overcalled}
    corrections = {
        kind: fit_correction(log_odds[kind], _related(arrays, kind), _confirmed(verdicts[kind]))
        for kind in (_MISS, _OVERCALL)
    }
    known = {kind: item for kind, item in corrections.items() if item is not None}
    return AdjudicationModel(findings=arrays.findings, corrections=known) if known else None


def corrected_log_odds(
    arrays: CaseArrays, policy: Policy, vocabulary: Vocabulary, model: ReportingModel | None
) -> tuple[Floats, Floats]:
    """Return the log odds of misses and of overcalls, (cases, findings), with what second reads teach."""
    explicit = explicit_log_odds(arrays, policy, vocabulary, model)
    adjudications = None if model is None else model.adjudications
    if adjudications is None:
        return explicit
    miss, overcall = (
        adjudications.correct(kind, log_odds, _related(arrays, kind))
        for kind, log_odds in zip((_MISS, _OVERCALL), explicit, strict=True)
    )
    return miss, overcall


def explicit_log_odds(
    arrays: CaseArrays, policy: Policy, vocabulary: Vocabulary, model: ReportingModel | None
) -> tuple[Floats, Floats]:
    """Return the log odds of misses and of overcalls, (cases, findings), by the policy alone."""
    shape = (len(arrays), len(arrays.findings))
    share, ratio = (np.broadcast_to(values, shape) for values in _evidence(arrays, policy, model))
    with np.errstate(divide="ignore"):
        miss = np.log(_miss_odds(arrays, policy, share / (1 - share)))
        overcall = np.log(_overcall_odds(arrays, policy, vocabulary, ratio))
    return miss, overcall


def _check_that_there_is_an_order(arrays: CaseArrays, model: ReportingModel | None) -> None:
    if model is not None:
        if model.findings != arrays.findings:
            raise InputError(f"the reporting model is for {model.detector}, whose outputs are others")
        return
    bare = np.isfinite(arrays.scores) & ~np.isfinite(arrays.probabilities)  # (cases, findings) or (cases, 1)
    if bare.any():
        case, finding = (int(number) for number in np.argwhere(bare)[0])
        raise InputError(
            f"case {arrays.cases[case]} has a score for {arrays.findings[finding]} but no calibrated "
            "probability, and there is no reporting model, so that scores of different findings cannot be "
            "compared; leave --calibrated out, or give --fit"
        )


def _evidence(arrays: CaseArrays, policy: Policy, model: ReportingModel | None) -> tuple[Floats, Floats]:
    """Return the share of reports that would state each finding, and what the output multiplies odds by."""
    if model is not None:
        share = stated_share(model, arrays.scores)
        return share, _odds(share) / _odds(model.base_rates)
    probabilities = arrays.probabilities.astype(np.float64)
    sensitivity = np.array([policy.reader.of(finding) for finding in arrays.findings])
    usual = _odds(arrays.prevalences.astype(np.float64))
    ratio = _odds(probabilities) / np.where(np.isnan(usual), 1.0, usual)
    return calibrated_share(probabilities, sensitivity), ratio


def _odds(probabilities: Floats) -> Floats:
    bounded = bounded_probability(probabilities)
    result: Floats = bounded / (1 - bounded)
    return result


def _miss_odds(arrays: CaseArrays, policy: Policy, odds: Floats) -> Floats:
    """Return the odds of a miss; NaN where the report states the finding or the detector gave no score."""
    left_out = np.array([omission_odds(policy.reader.of(finding)) for finding in arrays.findings])
    silent = odds * left_out * arrays.trigger_ratio
    silent = silent * np.where(arrays.denied, policy.report.denied, 1.0)
    silent = silent * np.where(arrays.hedged, policy.report.hedged, 1.0)
    return np.where(arrays.stated, np.nan, silent)


def _overcall_odds(arrays: CaseArrays, policy: Policy, vocabulary: Vocabulary, ratio: Floats) -> Floats:
    """Return the odds of an overcall; NaN where the report does not state it, or little stands against it.

    Without an operating point nobody knows what the detector sees, and nothing is called an overcall.
    """
    odds = np.full(ratio.shape, np.nan)
    for family in _families(arrays.findings, vocabulary):
        strongest = np.nanmax(np.where(np.isnan(ratio[:, family]), -np.inf, ratio[:, family]), axis=1)
        against = (
            arrays.has_point[:, 0]
            & ~arrays.seen[:, family].any(axis=1)
            & (strongest > 0)
            & (strongest <= policy.overcall.maximum_ratio)
        )
        free = np.ones(len(arrays), dtype=bool)
        for column in family:  # the narrowest first: one overcall a family
            stated = against & free & arrays.stated[:, column] & ~np.isnan(ratio[:, column])
            odds[stated, column] = policy.overcall.prior_odds / strongest[stated]
            free &= ~arrays.stated[:, column]
    return odds


def _families(findings: Sequence[str], vocabulary: Vocabulary) -> tuple[list[int], ...]:
    """Return the columns of each family, the narrowest finding first."""
    families: dict[str, list[int]] = {}
    for column, finding in enumerate(findings):
        families.setdefault(vocabulary.family_of(finding), []).append(column)
    return tuple(
        sorted(columns, key=lambda column: len(vocabulary.kinds_of(findings[column])))
        for columns in families.values()
    )


def _leave_the_named(odds: Sequence[Floats], listed: Sequence[Floats], findings: Sequence[str]) -> None:
    """Take the odds of any abnormality out, where another discrepancy names it."""
    if ANY_ABNORMALITY not in findings:
        return
    column = findings.index(ANY_ABNORMALITY)
    several = (np.count_nonzero(listed[0], axis=1) + np.count_nonzero(listed[1], axis=1)) > 1
    for item, counted in zip(odds, listed, strict=True):
        item[several, column] = np.nan
        counted[several, column] = 0.0


def _called(arrays: CaseArrays, policy: Policy, model: ReportingModel | None) -> Floats:
    """Return of the misses that are so the share that a second reader calls one, (cases, findings)."""
    adjudications = None if model is None else model.adjudications
    learned = adjudications is not None and _MISS in adjudications.corrections
    return np.where(arrays.related & (not learned), policy.report.related_share, 1.0)


def _related(arrays: CaseArrays, kind: DiscrepancyKind) -> Booleans:
    return arrays.related if kind is _MISS else np.zeros_like(arrays.related)


def _confirmed(verdicts: Verdicts) -> NDArray[np.float64]:
    return np.where(verdicts == NOBODY_LOOKED, np.nan, verdicts.astype(np.float64))
