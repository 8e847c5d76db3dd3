"""Statements of a triage result to other systems, whatever the form in which they leave."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

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
from overread.second_read import Flag, FlagVerdict, Judgement, RejectionCause, StatedFinding, Verdict
from service.store.records import TriageRecord


class Assessment(StrEnum):
    """Assessment of a result, or of one statement of it, by a person."""

    ACCEPTED = "ACCEPTED"
    PARTLY_ACCEPTED = "PARTLY_ACCEPTED"  # of a whole result alone
    SUPPLEMENTED = "SUPPLEMENTED"  # corrected, or not in the result at all
    REJECTED = "REJECTED"
    NOT_DECIDED = "NOT_DECIDED"  # the person is unsure, or did not look at it


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
    cause: RejectionCause | None  # why the second reader rejects it
    corrected: StatedFinding | None  # what it is in truth, by the second reader; None: as it was flagged
    words: str  # why, in one or more sentences

    @property
    def assessment(self) -> Assessment:
        """What the second reader says of it."""
        if self.verdict is Verdict.CONFIRMED:
            return Assessment.ACCEPTED if self.corrected is None else Assessment.SUPPLEMENTED
        is_rejected = self.verdict is Verdict.NOT_CONFIRMED
        return Assessment.REJECTED if is_rejected else Assessment.NOT_DECIDED


def statements_of(
    record: TriageRecord, vocabulary: Vocabulary, judgement: Judgement | None = None
) -> tuple[Statement, ...]:
    """Return the disagreements of a triage result, the strongest first; none where nothing is left.

    What a second reader has not confirmed is left out.
    """
    judged = judged_statements(record, vocabulary, judgement)
    return tuple(item for item in judged if item.verdict is not Verdict.NOT_CONFIRMED)


def judged_statements(
    record: TriageRecord, vocabulary: Vocabulary, judgement: Judgement | None
) -> tuple[Statement, ...]:
    """Return every disagreement of a triage result, the strongest first, with the verdict on it."""
    verdicts = {} if judgement is None else {item.flag: item for item in judgement.verdicts}
    return tuple(_statements(record, vocabulary, verdicts))


def assessment_of(statements: Sequence[Statement], *, adds: bool) -> Assessment:
    """Return what a person says of a result as a whole.

    Args:
        statements: every statement of the result, at least one.
        adds: whether the person states what the result does not.
    """
    said = {item.assessment for item in statements}
    if adds or Assessment.SUPPLEMENTED in said:
        return Assessment.SUPPLEMENTED
    if len(said) == 1:
        return said.pop()
    return Assessment.PARTLY_ACCEPTED if Assessment.ACCEPTED in said else Assessment.NOT_DECIDED


def _statements(
    record: TriageRecord,
    vocabulary: Vocabulary,
    verdicts: Mapping[Flag, FlagVerdict],
) -> Iterator[Statement]:
    current = current_observations(record.reading.observations)
    for item in record.result.discrepancies:
        seen = item.detector_observation
        detection = None if seen is None else _detection_with(record.detections, seen)
        said = verdicts.get((item.finding, item.kind))
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
            verdict=None if said is None else said.verdict,
            cause=None if said is None else said.cause,
            corrected=None if said is None else said.corrected,
            words=" ".join(item.reasons),
        )


def _detection_with(detections: tuple[Detection, ...], seen: DetectorObservation) -> Detection | None:
    return next((detection for detection in detections if seen in detection.observations), None)
