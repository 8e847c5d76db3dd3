"""Statements of a triage result to other systems, whatever the form in which they leave."""

from collections.abc import Iterator
from dataclasses import dataclass

from overread.discrepancy import Discrepancy
from overread.finding import Finding, Vocabulary
from overread.observation import (
    Detection,
    DetectorObservation,
    ImageRegion,
    Laterality,
    ObserverIdentity,
    Presence,
)
from overread.report_position import current_observations, position_on
from service.store.records import TriageRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One disagreement as it is told: what the image shows, what the report says, by whom it was seen."""

    finding: Finding
    discrepancy: Discrepancy
    presence: Presence  # in the image, by the detector; UNCERTAIN where only the report was looked at
    laterality: Laterality
    probability: float | None  # calibrated, of the detector, in [0, 1]; None without one
    regions: tuple[ImageRegion, ...]
    size_mm: tuple[float, ...]
    image: str | None  # SOP Instance UID of the image that supports it most
    detector: ObserverIdentity | None
    operating_point: str | None
    report_says: Presence
    words: str  # why, in one or more sentences


def statements_of(record: TriageRecord, vocabulary: Vocabulary) -> tuple[Statement, ...]:
    """Return the disagreements of a triage result, the strongest first; none where nothing is left."""
    return tuple(_statements(record, vocabulary))


def _statements(record: TriageRecord, vocabulary: Vocabulary) -> Iterator[Statement]:
    current = current_observations(record.reading.observations)
    for item in record.result.discrepancies:
        seen = item.detector_observation
        detection = None if seen is None else _detection_with(record.detections, seen)
        yield Statement(
            finding=vocabulary[item.finding],
            discrepancy=item,
            presence=Presence.UNCERTAIN if seen is None else seen.presence,
            laterality=item.laterality,
            probability=None if seen is None else seen.probability,
            regions=item.image_regions,
            size_mm=() if seen is None else seen.size_mm,
            image=None if seen is None else seen.sop_instance_uid,
            detector=None if detection is None else detection.detector,
            operating_point=None if detection is None else detection.operating_point,
            report_says=position_on(current, item.finding, vocabulary).presence,
            words=" ".join(item.reasons),
        )


def _detection_with(detections: tuple[Detection, ...], seen: DetectorObservation) -> Detection | None:
    return next((detection for detection in detections if seen in detection.observations), None)
