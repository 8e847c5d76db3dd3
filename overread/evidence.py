"""How strong the evidence of a discrepancy is: odds and odds ratios, each with its reason in words.

The odds that a second reader confirms are built factor by factor, in the manner of Bayes with the factors
taken as independent given the truth. That independence is an approximation; the odds order cases and claim no
probability.
"""

import math
from collections.abc import Callable

from overread.discrepancy import DiscrepancyKind, Factor
from overread.observation import DetectorObservation, Laterality, Presence, ReportObservation
from overread.priority import Policy
from overread.statement import Statement

_LEAST_PROBABILITY = 1e-4
"""Calibration on some hundred patients says nothing beyond this; it bounds a single factor."""


def odds_of(factors: tuple[Factor, ...]) -> float:
    """Return the product of the factors."""
    return math.prod(factor.odds_ratio for factor in factors)


def detector_ratio(observation: DetectorObservation) -> float:
    """Return what the detector's calibrated probability multiplies the cohort's odds of the finding by."""
    odds = _odds(observation.probability)
    return odds if observation.prevalence is None else odds / _odds(observation.prevalence)


def weigh(
    kind: DiscrepancyKind, statement: Statement, observation: DetectorObservation, policy: Policy
) -> tuple[Factor, ...]:
    """Return the factors for and against a discrepancy of this kind, the prior first."""
    return _WEIGH[kind](statement, observation, policy)


def _weigh_miss(statement: Statement, observation: DetectorObservation, policy: Policy) -> tuple[Factor, ...]:
    return (*_seen(observation), *_reported(statement, policy))


def _weigh_overcall(
    _statement: Statement, observation: DetectorObservation, policy: Policy
) -> tuple[Factor, ...]:
    ratio = 1 / detector_ratio(observation)
    return (
        Factor(
            name="prior",
            odds_ratio=policy.overcall.prior_odds,
            reason="few stated findings are not confirmed",
        ),
        Factor(
            name="detector",
            odds_ratio=ratio,
            reason=f"the detector sees little sign of it (probability {observation.probability:.2g})",
        ),
    )


def _weigh_laterality(
    statement: Statement, observation: DetectorObservation, policy: Policy
) -> tuple[Factor, ...]:
    return (
        Factor(
            name="prior",
            odds_ratio=policy.laterality.prior_odds,
            reason="few reports name the wrong side",
        ),
        Factor(
            name="side",
            odds_ratio=policy.laterality.side_ratio,
            reason=f"the report says {_side(statement.laterality)}, the detector looks at the "
            f"{_side(observation.laterality)} side",
        ),
        Factor(
            name="detector",
            odds_ratio=max(1.0, detector_ratio(observation)),
            reason=f"the detector is sure of the finding (probability {observation.probability:.2g})",
        ),
    )


_WEIGH: dict[DiscrepancyKind, Callable[[Statement, DetectorObservation, Policy], tuple[Factor, ...]]] = {
    DiscrepancyKind.POSSIBLE_MISS: _weigh_miss,
    DiscrepancyKind.POSSIBLE_OVERCALL: _weigh_overcall,
    DiscrepancyKind.LATERALITY_CONFLICT: _weigh_laterality,
}


def _seen(observation: DetectorObservation) -> tuple[Factor, ...]:
    reason = f"seen by the detector (probability {observation.probability:.2g})"
    detector = Factor(name="detector", odds_ratio=detector_ratio(observation), reason=reason)
    if observation.prevalence is None:
        return (detector,)
    prior = Factor(
        name="prior",
        odds_ratio=_odds(observation.prevalence),
        reason=f"{observation.prevalence:.1%} of the detector's calibration cohort had the finding",
    )
    return (prior, detector)


def _reported(statement: Statement, policy: Policy) -> tuple[Factor, ...]:
    ratios = policy.report
    said = {
        Presence.ABSENT: Factor(name="report", odds_ratio=ratios.denied, reason="the report denies it"),
        Presence.NOT_MENTIONED: Factor(
            name="report", odds_ratio=ratios.not_mentioned, reason="the report does not mention it"
        ),
        Presence.UNCERTAIN: Factor(
            name="report", odds_ratio=ratios.hedged, reason="the report mentions it with reserve"
        ),
    }[statement.presence]
    factors = [said]
    if statement.broader:
        named = _names(statement.broader)
        factors.append(
            Factor(
                name="broader finding",
                odds_ratio=ratios.kind_of_it,
                reason=f"the report states the broader {named}",
            )
        )
    if statement.same_shadow:
        named = _names(statement.same_shadow)
        factors.append(
            Factor(
                name="same shadow",
                odds_ratio=ratios.same_shadow,
                reason=f"the report states {named}, which may be the same shadow",
            )
        )
    return tuple(factors)


def _names(observations: tuple[ReportObservation, ...]) -> str:
    return " and ".join(dict.fromkeys(item.finding.replace("_", " ") for item in observations))


def _side(laterality: Laterality) -> str:
    return laterality.value.lower()


def _odds(probability: float) -> float:
    bounded = min(max(probability, _LEAST_PROBABILITY), 1 - _LEAST_PROBABILITY)
    return bounded / (1 - bounded)
