"""Discrepancies: findings on which report and image, or a report and itself, disagree."""

from dataclasses import dataclass
from enum import StrEnum

from overread.observation import DetectorObservation, ImageRegion, Laterality, ReportObservation, Span


class DiscrepancyKind(StrEnum):
    """Kind of discrepancy."""

    POSSIBLE_MISS = "POSSIBLE_MISS"  # the detector sees it, the report does not state it
    POSSIBLE_OVERCALL = "POSSIBLE_OVERCALL"  # the report states it, the detector does not see it
    LATERALITY_CONFLICT = "LATERALITY_CONFLICT"  # both see it, on opposite sides
    LOCATION_CONFLICT = "LOCATION_CONFLICT"  # both see it, the detector far from the stated zone
    SIZE_OR_SEVERITY_CONFLICT = "SIZE_OR_SEVERITY_CONFLICT"  # both measure it, and differ
    # The following rest on the report alone and need no detector.
    FINDINGS_IMPRESSION_CONFLICT = "FINDINGS_IMPRESSION_CONFLICT"  # the report contradicts itself
    MISSING_FOLLOW_UP = "MISSING_FOLLOW_UP"  # stated, guidelines want it followed, nothing is recommended
    MISSING_COMMUNICATION = "MISSING_COMMUNICATION"  # stated, urgent, and nobody is said to have been told


OF_THE_REPORT_ALONE = frozenset(
    {
        DiscrepancyKind.FINDINGS_IMPRESSION_CONFLICT,
        DiscrepancyKind.MISSING_FOLLOW_UP,
        DiscrepancyKind.MISSING_COMMUNICATION,
    }
)
"""Kinds that no rate of discrepancies between image and report counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One piece of evidence: what it multiplies the odds of a confirmed discrepancy by, and why, in words."""

    name: str
    odds_ratio: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """One disagreement about one finding, with its evidence: what the image shows and what the report says.

    Every kind has the same form. Either half may be empty: a silent report has no observation, a kind that
    rests on the report alone has no detector.
    """

    kind: DiscrepancyKind
    finding: str
    detector_observation: DetectorObservation | None
    report_observations: tuple[ReportObservation, ...]  # what the report says of it, in order of the text
    factors: tuple[Factor, ...]
    odds: float  # product of the factors; ranks cases, is not a calibrated probability
    priority: float  # odds as a share, times clinical weight and urgency; orders the list
    reasons: tuple[str, ...]  # sentences for the second reader
    called: float = 1.0  # of what is so, the share that a second reader calls a discrepancy, in (0, 1]

    @property
    def probability(self) -> float:
        """That it is so, by its odds."""
        return self.odds / (1 + self.odds)

    @property
    def laterality(self) -> Laterality:
        """Side on which the detector sees it, else the one side that the report names."""
        if self.detector_observation is not None:
            return self.detector_observation.laterality
        sides = {observation.laterality for observation in self.report_observations}
        return sides.pop() if len(sides) == 1 else Laterality.UNSPECIFIED

    @property
    def report_spans(self) -> tuple[Span, ...]:
        """The words of the report that it rests on; empty where the report is silent."""
        return tuple(observation.span for observation in self.report_observations)

    @property
    def image_regions(self) -> tuple[ImageRegion, ...]:
        """Image regions in which the detector sees it; empty for what rests on the report alone."""
        return () if self.detector_observation is None else self.detector_observation.regions
