"""Cases of the store as cases of a cohort, which `overread export` writes for the audit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from overread.appearance import Appearance
from overread.cohort import Adjudication, CohortCase, CohortDetection, CohortRead
from overread.errors import UnreadableRecordError
from overread.observation import Detection, Observation, Presence, ReportReading
from overread.report_position import current_observations
from overread.second_read import adjudications_of, changes_after_reveal
from overread.triage import Outcome
from service.store.records import StudyRecord
from service.store.second_reads import AuditDraw, ReadAct, ReadRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRead:
    """The judgement of a case that counts, as a cohort holds it."""

    adjudications: tuple[Adjudication, ...]
    record: CohortRead


_DAY = re.compile(r"\d{4}(0[1-9]|1[0-2])\d{2}")  # DA (PS3.5 6.2)


def cohort_case(
    study: StudyRecord,
    reading: ReportReading,
    detections: tuple[Detection, ...],
    *,
    appearance: Appearance | None = None,
    second_read: JudgedRead | None = None,
    selection_probability: float | None = None,
) -> CohortCase:
    """Return a study with its report, what the detectors saw and its judgement, under its own identifiers.

    The order of a patient's studies is their date as a number, 0 where it is unknown.
    """
    date = study.study_date or ""
    return CohortCase(
        case=study.study_instance_uid,
        patient=f"{study.issuer_of_patient_id or ''}|{study.patient_id or study.study_instance_uid}",
        order=int(date) if date.isascii() and date.isdigit() else 0,
        age_years=study.patient_age_years,
        sex=study.patient_sex,
        view=None if appearance is None else appearance.view,
        scanner=None if appearance is None else appearance.scanner,
        modality=study.modality,
        body_part=study.body_part,
        month=f"{date[:4]}-{date[4:6]}" if _DAY.fullmatch(date) else None,
        observations=tuple(
            Observation(finding=item.finding, presence=item.presence, laterality=item.laterality)
            for item in current_observations(reading.observations)
        ),
        report_characters=sum(span.end - span.start for _, span in reading.sections) or None,
        report_read_share=reading.text_read_share,
        appearance=appearance,
        detections=tuple(_detection(item) for item in detections if item.not_applicable is None),
        adjudications=() if second_read is None else second_read.adjudications,
        selection_probability=selection_probability,
        second_read=None if second_read is None else second_read.record,
    )


def second_read_of(judged: ReadRecord, reads: Sequence[ReadRecord]) -> JudgedRead:
    """Return what the judgement that counts teaches, and what its own read before the reveal differed in.

    Args:
        judged: the judgement that counts.
        reads: everything that second readers did with the case.
    """
    judgement = judged.judgement
    if judgement is None:
        raise UnreadableRecordError(f"entry {judged.read_id} of the second reads holds no judgement")
    own = next(
        (
            item.own_read
            for item in reads
            if item.own_read and item.actor.identifier == judged.actor.identifier
        ),
        None,
    )
    changes = None if own is None else changes_after_reveal(own, judgement)
    return JudgedRead(
        adjudications=adjudications_of(judgement),
        record=CohortRead(
            radpeer=None if judgement.radpeer is None else judgement.radpeer.value,
            is_arbitrated=judged.act is ReadAct.ARBITRATED,
            causes={item.finding: item.cause.value for item in judgement.verdicts if item.cause},
            taken_up=None if changes is None else changes.taken_up,
            given_up=None if changes is None else changes.given_up,
        ),
    )


def selection_probability(outcome: str, draw: AuditDraw | None, *, is_read: bool) -> float | None:
    """Return how likely a case was to be read; None where nobody knows.

    A flagged case that was read was chosen by rule, not by chance: 1. Of a concordant one it is that of the
    draw, whether it was drawn or not.
    """
    if outcome == Outcome.DISCREPANT.value:
        return 1.0 if is_read else None
    return draw.probability if draw is not None and draw.probability > 0 else None


def _detection(detection: Detection) -> CohortDetection:
    observations = detection.observations
    return CohortDetection(
        detector=detection.detector.name,
        version=detection.detector.version,
        scores={item.finding: item.score for item in observations},
        probabilities={item.finding: item.probability for item in observations},
        prevalences={item.finding: item.prevalence for item in observations if item.prevalence is not None},
        present=frozenset(item.finding for item in observations if item.presence is Presence.PRESENT),
    )
