"""Evidence of a discrepancy: odds and odds ratios, each with its reason in words.

A finding is missed where it is there and the report does not state it. Of findings that would be stated in
a share q of the reports of such studies, readers state a share s and leave out 1 - s: so for a report that
is silent the odds of a miss are q / (1 - q) x (1 - s) / s. What the report says besides, and other
detectors, multiply the odds.

The factors are taken as independent given the truth. That is an approximation; the odds order cases, and
only where adjudications correct them (`overread.adjudication_model`) do they claim to be a probability.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from overread.candidate import Candidate
from overread.detector_evidence import DetectorEvidence
from overread.discrepancy import DiscrepancyKind, Factor
from overread.finding import Vocabulary
from overread.observation import DetectorObservation, Laterality, Presence
from overread.priority import Policy
from overread.report_position import ReportPosition
from overread.trigger import Trigger


def omission_odds(sensitivity: float) -> float:
    """Return how many findings readers leave out for each that they state, by the share that they state."""
    return (1 - sensitivity) / sensitivity


def miss(
    position: ReportPosition,
    evidence: DetectorEvidence,
    others: Sequence[DetectorEvidence],
    triggers: Iterable[Trigger],
    policy: Policy,
    vocabulary: Vocabulary,
) -> Candidate:
    """Return the candidate for a finding that the report does not state.

    Args:
        position: of the report on the finding.
        evidence: of the detector that speaks most strongly for the finding.
        others: of other detectors for the same finding.
        triggers: circumstances of the case.
        policy: how evidence is weighed.
        vocabulary: the findings.
    """
    finding = position.finding
    factors = (
        *_expected(evidence, policy),
        *_said(position, policy),
        *(trigger.factor for trigger in triggers if trigger.concerns(finding)),
        *_agreement(others, policy),
    )
    related = bool(position.related)
    learned = _corrected(factors, DiscrepancyKind.POSSIBLE_MISS, evidence, related=related)
    return Candidate(
        kind=DiscrepancyKind.POSSIBLE_MISS,
        finding=finding,
        detector_observation=evidence.observation,
        report_observations=position.observations or position.related,
        factors=learned,
        reason=_miss_words(position, evidence, vocabulary),
        # Second reads say by themselves how often a finding beside a related one is called a miss.
        called=policy.report.related_share if related and learned == factors else 1.0,
    )


def overcall(
    position: ReportPosition, family: Sequence[DetectorEvidence], policy: Policy, vocabulary: Vocabulary
) -> Candidate | None:
    """Return the candidate for a stated finding that the detector does not see; None where it sees enough.

    Args:
        position: of the report on the finding.
        family: evidence of one detector for every finding of the family, which could all be the stated one.
        policy: how evidence is weighed.
        vocabulary: the findings.
    """
    strongest = max(family, key=lambda item: item.ratio)
    if any(item.is_seen for item in family) or strongest.ratio > policy.overcall.maximum_ratio:
        return None
    (own,) = (item for item in family if item.finding == position.finding)
    factors = (
        Factor(
            name="prior",
            odds_ratio=policy.overcall.prior_odds,
            reason="few stated findings are not confirmed",
        ),
        Factor(
            name="detector",
            odds_ratio=1 / strongest.ratio,
            reason=f"the detector sees little sign of it ({_outputs(family, vocabulary)})",
        ),
    )
    return Candidate(
        kind=DiscrepancyKind.POSSIBLE_OVERCALL,
        finding=position.finding,
        detector_observation=own.observation,
        report_observations=position.observations,
        factors=_corrected(factors, DiscrepancyKind.POSSIBLE_OVERCALL, own, related=False),
        reason=f"Possible overcall: the report states {vocabulary[position.finding].name}; "
        "the detector sees little sign of it.",
        benefit=policy.overcall.benefit,
    )


def _expected(evidence: DetectorEvidence, policy: Policy) -> tuple[Factor, ...]:
    """Return what the output is worth: how rare such findings are, and how far this study differs."""
    left_out = omission_odds(policy.reader.of(evidence.finding))
    now = evidence.share / (1 - evidence.share)
    if evidence.base_share is None:
        seen = f"the detector gives it a probability of {evidence.observation.probability:.2g}"
        return (Factor(name="detector", odds_ratio=now * left_out, reason=seen),)
    usual = evidence.base_share / (1 - evidence.base_share)
    if evidence.model is None:
        base = f"in 1 study of {1 / evidence.base_share:.2g} of its calibration cohort reports would state it"
        seen = f"the detector gives it a probability of {evidence.observation.probability:.2g}"
    else:
        base = f"{evidence.base_share:.1%} of the reports state it"
        seen = f"of studies that score like this one, {evidence.share:.0%} of the reports state it"
    base += f"; for each that is stated, {left_out:.2g} are left out"
    return (
        Factor(name="prior", odds_ratio=usual * left_out, reason=base),
        Factor(name="detector", odds_ratio=now / usual, reason=seen),
    )


def _said(position: ReportPosition, policy: Policy) -> tuple[Factor, ...]:
    ratio, reason = {
        Presence.ABSENT: (policy.report.denied, "the report denies it"),
        Presence.NOT_MENTIONED: (1.0, "the report does not state it"),
        Presence.UNCERTAIN: (policy.report.hedged, "the report mentions it with reserve"),
    }[position.presence]
    return (Factor(name="report", odds_ratio=ratio, reason=reason),)


def _agreement(others: Sequence[DetectorEvidence], policy: Policy) -> tuple[Factor, ...]:
    """Return what other detectors of the same finding add, if there are any.

    Detectors err alike: of two logarithms of odds ratios the share `dependence` is taken as the same
    evidence, as for the mean of equally correlated measurements.
    """
    if not others:
        return ()
    count, dependence = len(others), policy.detectors.dependence
    mean = math.fsum(math.log(other.share_ratio) for other in others) / count
    weight = (1 - dependence) * count / (1 + (count - 1) * dependence)
    seen = sum(other.is_seen for other in others)
    reason = f"{seen} of {count} other detectors see it"
    if count == 1:
        reason = (
            f"another detector {'sees it too' if seen else 'does not see it'} "
            f"(probability {others[0].observation.probability:.2g})"
        )
    ratio = math.exp(weight * mean)
    return (Factor(name="other detectors", odds_ratio=ratio, reason=reason),)


def _corrected(
    factors: tuple[Factor, ...], kind: DiscrepancyKind, evidence: DetectorEvidence, *, related: bool
) -> tuple[Factor, ...]:
    """Return the factors with what the site's second reads teach, where it has any of this kind."""
    adjudications = None if evidence.model is None else evidence.model.adjudications
    if adjudications is None or kind not in adjudications.corrections:
        return factors
    log_odds = math.log(math.prod(factor.odds_ratio for factor in factors))
    shape = (1, len(adjudications.findings))
    corrected = adjudications.correct(kind, np.full(shape, log_odds), np.full(shape, related))
    column = adjudications.findings.index(evidence.finding)
    ratio = math.exp(corrected[0, column] - log_odds)
    count = adjudications.corrections[kind].adjudicated
    reason = f"learned from {count} second looks at this site"
    return (*factors, Factor(name="second reads", odds_ratio=ratio, reason=reason))


def _miss_words(position: ReportPosition, evidence: DetectorEvidence, vocabulary: Vocabulary) -> str:
    observation = evidence.observation
    where = _where(observation)
    sees = "sees" if evidence.is_seen else "gives reason to expect"
    if position.presence is Presence.ABSENT:
        said = "the report denies it"
    elif position.presence is Presence.UNCERTAIN:
        said = "the report only considers it"
    elif position.related:
        said = f"the report speaks of {_joined((item.finding for item in position.related), vocabulary)}"
    else:
        said = "the report does not state it"
    name = vocabulary[position.finding].name
    return f"Possible miss: the detector {sees} {name}{where}; {said}."


def _where(observation: DetectorObservation) -> str:
    unknown = observation.laterality is Laterality.UNSPECIFIED
    return "" if unknown else f", {_side(observation.laterality)}"


def _outputs(family: Sequence[DetectorEvidence], vocabulary: Vocabulary) -> str:
    """Return the outputs in words, the strongest first, each with its calibrated probability."""
    ordered = sorted(family, key=lambda item: -item.observation.probability)
    return ", ".join(
        f"{vocabulary[item.finding].name} {item.observation.probability:.2g}" for item in ordered
    )


def _joined(findings: Iterable[str], vocabulary: Vocabulary) -> str:
    return " and ".join(vocabulary[finding].name for finding in dict.fromkeys(findings))


def _side(laterality: Laterality) -> str:
    return laterality.value.lower()
