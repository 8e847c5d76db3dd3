"""From the evidence for a discrepancy to its place in the order."""

from dataclasses import dataclass

from overread.discrepancy import Discrepancy, DiscrepancyKind, Factor
from overread.evidence import odds_of
from overread.finding import Vocabulary
from overread.observation import DetectorObservation, ReportObservation
from overread.priority import Policy, priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Why a second look may be due, before it is priced."""

    kind: DiscrepancyKind
    finding: str
    detector_observation: DetectorObservation | None = None
    report_observations: tuple[ReportObservation, ...] = ()
    factors: tuple[Factor, ...]
    reason: str  # a sentence for the second reader
    benefit: float  # share of the priority that a miss with the same odds has


def price(ground: Ground, policy: Policy, vocabulary: Vocabulary) -> Discrepancy:
    """Return the discrepancy with its odds and its priority."""
    odds = odds_of(ground.factors)
    return Discrepancy(
        kind=ground.kind,
        finding=ground.finding,
        detector_observation=ground.detector_observation,
        report_observations=ground.report_observations,
        factors=ground.factors,
        odds=odds,
        priority=ground.benefit * priority(odds, vocabulary[ground.finding], policy),
        reasons=(ground.reason,),
    )
