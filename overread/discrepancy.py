"""Where report and detector disagree about one finding."""

from dataclasses import dataclass
from enum import StrEnum

from overread.observation import DetectorObservation, ReportObservation


class DiscrepancyKind(StrEnum):
    """How report and image disagree."""

    POSSIBLE_MISS = "POSSIBLE_MISS"  # the detector sees it, the report does not state it
    POSSIBLE_OVERCALL = "POSSIBLE_OVERCALL"  # the report states it, the detector does not see it
    LATERALITY_CONFLICT = "LATERALITY_CONFLICT"  # both see it, on opposite sides


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One piece of evidence: what it multiplies the odds of a confirmed discrepancy by, and why, in words."""

    name: str
    odds_ratio: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """One disagreement about one finding, with its evidence."""

    kind: DiscrepancyKind
    finding: str
    detector_observation: DetectorObservation
    report_observations: tuple[ReportObservation, ...]  # what the report says of it; empty if nothing
    factors: tuple[Factor, ...]
    odds: float  # product of the factors; ranks cases, is not a calibrated probability
    priority: float  # odds as a share, times clinical weight and urgency; orders the list
    reasons: tuple[str, ...]  # sentences for the second reader
