"""What a line of the worklist says of a case: its leading discrepancy, without the evidence grids."""

from dataclasses import dataclass

from overread.discrepancy import DiscrepancyKind
from overread.observation import Laterality
from overread.triage import TriageResult

_PRIOR = "prior"  # the factor that says nothing of this case


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The discrepancy with the highest priority, and how many more there are."""

    kind: DiscrepancyKind
    finding: str
    laterality: Laterality  # where the detector sees it, else where the report puts it
    evidence: tuple[str, ...]  # for and against, in words
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
        evidence=tuple(factor.reason for factor in leading.factors if factor.name != _PRIOR),
        further=len(result.discrepancies) - 1,
    )
