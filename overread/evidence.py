"""How strong the evidence of a discrepancy is: odds and odds ratios, each with its reason in words.

A finding is missed where it is there and the report does not state it. Where the site has a fit of what its
reports state (`overread.expectation`), the expected share divided by the sensitivity of first readers is the
probability that the finding is there; elsewhere the detector's own calibration stands for it.

The odds that a second reader confirms are built factor by factor, in the manner of Bayes with the factors
taken as independent given the truth. That independence is an approximation; the odds order cases and claim no
probability.
"""

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from overread.discrepancy import DiscrepancyKind, Factor
from overread.observation import Laterality, Presence
from overread.priority import Policy
from overread.sighting import Expected, Sighting
from overread.statement import Statement

Floats = NDArray[np.float64]

_SPEAKS_FOR = {DiscrepancyKind.POSSIBLE_MISS: 1, DiscrepancyKind.POSSIBLE_OVERCALL: -1}
"""Whether evidence of the finding speaks for the discrepancy or against it."""

_LEAST_PRESENCE, _MOST_PRESENCE = 1e-4, 0.98
"""A regression on some thousand reports says nothing beyond these."""


def odds_of(factors: tuple[Factor, ...]) -> float:
    """Return the product of the factors."""
    return math.prod(factor.odds_ratio for factor in factors)


def weigh(
    kind: DiscrepancyKind, statement: Statement, sighting: Sighting, policy: Policy
) -> tuple[Factor, ...]:
    """Return the factors for and against a discrepancy of this kind, the prior first."""
    return _WEIGH[kind](statement, sighting, policy)


def presence_odds(share: Floats, sensitivity: Floats | float) -> Floats:
    """Return the odds that a finding is there, by the share of reports that would state it.

    Readers state `sensitivity` of what is there and, so it is assumed, nothing that is not.

    Args:
        share: expected share of reports, in (0, 1), any shape.
        sensitivity: of first readers, in (0, 1).
    """
    there = np.clip(share / sensitivity, _LEAST_PRESENCE, _MOST_PRESENCE)
    result: Floats = there / (1 - there)
    return result


def silence_ratio(sensitivity: float) -> float:
    """Return how often a report is silent on a finding that is there, over how often where it is not."""
    return 1 - sensitivity


def agreement(kind: DiscrepancyKind, others: Sequence[Sighting], policy: Policy) -> tuple[Factor, ...]:
    """Return what other detectors of the same family add, if there are any; nothing about sides.

    Detectors err alike: of two logarithms of odds ratios the share `dependence` is taken as the same
    evidence, as for the mean of equally correlated measurements.
    """
    sign = _SPEAKS_FOR.get(kind)
    if not others or sign is None:
        return ()
    count, dependence = len(others), policy.detectors.dependence
    mean = math.fsum(math.log(other.ratio) for other in others) / count
    weight = (1 - dependence) * count / (1 + (count - 1) * dependence)
    seen = sum(other.is_seen for other in others)
    return (
        Factor(
            name="other detectors",
            odds_ratio=math.exp(sign * weight * mean),
            reason=f"{seen} of {count} other detectors see it" if count > 1 else _other(others[0]),
        ),
    )


def _other(sighting: Sighting) -> str:
    return (
        f"another detector {'sees it too' if sighting.is_seen else 'does not see it'} ({_outputs(sighting)})"
    )


def _weigh_miss(statement: Statement, sighting: Sighting, policy: Policy) -> tuple[Factor, ...]:
    return (*_seen(sighting, policy), *_reported(statement, sighting, policy))


def _seen(sighting: Sighting, policy: Policy) -> tuple[Factor, ...]:
    if sighting.expected is not None:
        return _expected(sighting.expected, policy.reader.of(sighting.family))
    detector = Factor(
        name="detector", odds_ratio=sighting.ratio, reason=f"seen by the detector ({_outputs(sighting)})"
    )
    if sighting.prior_odds is None:
        return (detector,)
    rarity = 1 + 1 / sighting.prior_odds
    reason = f"1 study in {rarity:.2g} of the detector's calibration cohort had such a finding"
    return (Factor(name="prior", odds_ratio=sighting.prior_odds, reason=reason), detector)


def _expected(expected: Expected, sensitivity: float) -> tuple[Factor, ...]:
    shares = np.array([expected.base_rate, expected.share])
    prior, now = presence_odds(shares, sensitivity).tolist()
    return (
        Factor(
            name="prior",
            odds_ratio=prior,
            reason=f"{expected.base_rate:.1%} of this site's reports state such a finding",
        ),
        Factor(
            name="detector",
            odds_ratio=now / prior,
            reason=f"of studies that score like this one, {expected.share:.0%} of the reports state it",
        ),
    )


def _weigh_overcall(_statement: Statement, sighting: Sighting, policy: Policy) -> tuple[Factor, ...]:
    return (
        Factor(
            name="prior",
            odds_ratio=policy.overcall.prior_odds,
            reason="few stated findings are not confirmed",
        ),
        Factor(
            name="detector",
            odds_ratio=1 / sighting.ratio,
            reason=f"the detector sees little sign of it ({_outputs(sighting)})",
        ),
    )


def _weigh_laterality(statement: Statement, sighting: Sighting, policy: Policy) -> tuple[Factor, ...]:
    return (
        Factor(
            name="prior", odds_ratio=policy.laterality.prior_odds, reason="few reports name the wrong side"
        ),
        Factor(
            name="side",
            odds_ratio=policy.laterality.side_ratio,
            reason=f"the report says {_side(statement.laterality)}, the detector looks at the "
            f"{_side(sighting.named.laterality)} side",
        ),
        Factor(
            name="detector",
            odds_ratio=max(1.0, sighting.ratio),
            reason=f"the detector is sure of the finding ({_outputs(sighting)})",
        ),
    )


_WEIGH: dict[DiscrepancyKind, Callable[[Statement, Sighting, Policy], tuple[Factor, ...]]] = {
    DiscrepancyKind.POSSIBLE_MISS: _weigh_miss,
    DiscrepancyKind.POSSIBLE_OVERCALL: _weigh_overcall,
    DiscrepancyKind.LATERALITY_CONFLICT: _weigh_laterality,
}


def _reported(statement: Statement, sighting: Sighting, policy: Policy) -> tuple[Factor, ...]:
    silence = silence_ratio(policy.reader.of(sighting.family))
    ratio, reason = {
        Presence.ABSENT: (silence * policy.report.denied, "the report denies it"),
        Presence.NOT_MENTIONED: (silence, "the report does not mention it"),
        Presence.UNCERTAIN: (silence * policy.report.hedged, "the report mentions it with reserve"),
    }[statement.presence]
    said = Factor(name="report", odds_ratio=ratio, reason=reason)
    accompanied = policy.report.accompanied.get(sighting.family)
    if accompanied is None or not statement.beside:
        return (said,)
    reason = f"the report states {_joined(item.finding for item in statement.beside)} beside it"
    return (said, Factor(name="other finding", odds_ratio=accompanied, reason=reason))


def _outputs(sighting: Sighting) -> str:
    """Return the outputs in words, the strongest first, each with its calibrated probability."""
    ordered = sorted(sighting.outputs, key=lambda output: -output.probability)
    return ", ".join(f"{_words(output.finding)} {output.probability:.2g}" for output in ordered)


def _joined(findings: Iterable[str]) -> str:
    return " and ".join(_words(finding) for finding in dict.fromkeys(findings))


def _words(finding: str) -> str:
    return finding.replace("_", " ")


def _side(laterality: Laterality) -> str:
    return laterality.value.lower()
