"""How strong the evidence of a discrepancy is: odds and odds ratios, each with its reason in words.

The odds that a second reader confirms are built factor by factor, in the manner of Bayes with the factors
taken as independent given the truth. That independence is an approximation; the odds order cases and claim no
probability.
"""

import math
from collections.abc import Callable, Iterable

from overread.discrepancy import DiscrepancyKind, Factor
from overread.observation import Laterality, Presence
from overread.priority import Policy
from overread.sighting import Sighting
from overread.statement import Statement


def odds_of(factors: tuple[Factor, ...]) -> float:
    """Return the product of the factors."""
    return math.prod(factor.odds_ratio for factor in factors)


def weigh(
    kind: DiscrepancyKind, statement: Statement, sighting: Sighting, policy: Policy
) -> tuple[Factor, ...]:
    """Return the factors for and against a discrepancy of this kind, the prior first."""
    return _WEIGH[kind](statement, sighting, policy)


def _weigh_miss(statement: Statement, sighting: Sighting, policy: Policy) -> tuple[Factor, ...]:
    detector = Factor(
        name="detector", odds_ratio=sighting.ratio, reason=f"seen by the detector ({_outputs(sighting)})"
    )
    factors = (detector, *_reported(statement, policy))
    if sighting.prior_odds is None:
        return factors
    rarity = 1 + 1 / sighting.prior_odds
    reason = f"1 study in {rarity:.2g} of the detector's calibration cohort had such a finding"
    return (Factor(name="prior", odds_ratio=sighting.prior_odds, reason=reason), *factors)


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


def _reported(statement: Statement, policy: Policy) -> tuple[Factor, ...]:
    ratio, reason = {
        Presence.ABSENT: (policy.report.denied, "the report denies it"),
        Presence.NOT_MENTIONED: (policy.report.not_mentioned, "the report does not mention it"),
        Presence.UNCERTAIN: (policy.report.hedged, "the report mentions it with reserve"),
    }[statement.presence]
    said = Factor(name="report", odds_ratio=ratio, reason=reason)
    if not statement.same_shadow:
        return (said,)
    named = _joined(item.finding for item in statement.same_shadow)
    reason = f"the report states {named}, which may be the same shadow"
    return (said, Factor(name="same shadow", odds_ratio=policy.report.same_shadow, reason=reason))


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
