"""Statements of a triage result to other systems, whatever the form in which they leave."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from overread.discrepancy import Discrepancy, DiscrepancyKind
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
from overread.second_read import Judgement, Verdict
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
    verdict: Verdict | None  # of the second reader; None where nobody has judged, or looked at it
    words: str  # why, in one or more sentences


def statements_of(
    record: TriageRecord, vocabulary: Vocabulary, judgement: Judgement | None = None
) -> tuple[Statement, ...]:
    """Return the disagreements of a triage result, the strongest first; none where nothing is left.

    What a second reader has not confirmed is left out.
    """
    verdicts = {} if judgement is None else {item.flag: item.verdict for item in judgement.verdicts}
    return tuple(
        item
        for item in _statements(record, vocabulary, verdicts)
        if item.verdict is not Verdict.NOT_CONFIRMED
    )


def _statements(
    record: TriageRecord,
    vocabulary: Vocabulary,
    verdicts: Mapping[tuple[str, DiscrepancyKind], Verdict],
) -> Iterator[Statement]:
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
            verdict=verdicts.get((item.finding, item.kind)),
            words=" ".join(item.reasons),
        )


def _detection_with(detections: tuple[Detection, ...], seen: DetectorObservation) -> Detection | None:
    return next((detection for detection in detections if seen in detection.observations), None)
