"""Candidate: a possible discrepancy with its evidence, before it has a place in the order.

Every kind takes the same path: what finds it makes a candidate, and `score` gives that its odds and its
priority.
"""

import math
from dataclasses import dataclass

from overread.discrepancy import Discrepancy, DiscrepancyKind, Factor
from overread.finding import Vocabulary
from overread.observation import DetectorObservation, ReportObservation
from overread.priority import Policy, least_odds, priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One finding on which report and detector may disagree, before it is scored."""

    kind: DiscrepancyKind
    finding: str
    detector_observation: DetectorObservation | None = None
    report_observations: tuple[ReportObservation, ...] = ()
    factors: tuple[Factor, ...]
    reason: str  # a sentence for the second reader
    benefit: float = 1.0  # share of the priority that a miss with the same odds has
    called: float = 1.0  # of what is so, the share that a second reader calls a discrepancy

    @property
    def odds(self) -> float:
        """That a second reader confirms it: the product of the factors."""
        return math.prod(factor.odds_ratio for factor in self.factors)


def score(candidate: Candidate, policy: Policy, vocabulary: Vocabulary) -> Discrepancy | None:
    """Return the discrepancy with its odds and its priority; None where the odds are below what is listed."""
    odds = candidate.odds
    if odds < least_odds(candidate.finding, candidate.kind, policy):
        return None
    return Discrepancy(
        kind=candidate.kind,
        finding=candidate.finding,
        detector_observation=candidate.detector_observation,
        report_observations=candidate.report_observations,
        factors=candidate.factors,
        odds=odds,
        priority=candidate.called * candidate.benefit * priority(odds, vocabulary[candidate.finding], policy),
        called=candidate.called,
        reasons=(candidate.reason,),
    )
