"""Headline of a case on the worklist: its leading discrepancy, without the evidence grids."""

from dataclasses import dataclass

from overread.discrepancy import Discrepancy, DiscrepancyKind
from overread.observation import Laterality
from overread.triage import TriageResult

# Factors that the reason of a discrepancy says in one sentence already, or that say nothing of the case.
_SAID = frozenset(
    {"prior", "detector", "report", "side", "place", "measure", "contradiction", "follow-up", "communication"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The discrepancy with the strongest evidence, and how many more there are."""

    kind: DiscrepancyKind
    finding: str
    laterality: Laterality  # where the detector sees it, else where the report puts it
    evidence: tuple[str, ...]  # what further speaks for it or against it, in words
    further: int


def headline_of(result: TriageResult) -> Headline | None:
    """Return the headline; None where nothing disagrees."""
    if not result.discrepancies:
        return None
    leading = result.discrepancies[0]
    return Headline(
        kind=leading.kind,
        finding=leading.finding,
        laterality=leading.laterality,
        evidence=evidence_of(leading),
        further=len(result.discrepancies) - 1,
    )


def evidence_of(discrepancy: Discrepancy) -> tuple[str, ...]:
    """Return what speaks for or against a discrepancy beside its reason, in words."""
    return tuple(factor.reason for factor in discrepancy.factors if factor.name not in _SAID)
