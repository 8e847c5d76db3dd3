"""Cases of the store as cases of a cohort, which `overread export` writes for the audit."""

import re

from overread.cohort import CohortCase, CohortDetection
from overread.observation import Detection, Observation, Presence, ReportReading
from overread.report_position import current_observations
from service.store.records import StudyRecord

_DAY = re.compile(r"\d{4}(0[1-9]|1[0-2])\d{2}")  # DA (PS3.5 6.2)


def cohort_case(
    study: StudyRecord,
    reading: ReportReading,
    detections: tuple[Detection, ...],
) -> CohortCase:
    """Return a study with its report and what the detectors saw, under its own identifiers.

    The order of a patient's studies is their date as a number, 0 where it is unknown.
    """
    date = study.study_date or ""
    return CohortCase(
        case=study.study_instance_uid,
        patient=f"{study.issuer_of_patient_id or ''}|{study.patient_id or study.study_instance_uid}",
        order=int(date) if date.isascii() and date.isdigit() else 0,
        age_years=study.patient_age_years,
        sex=study.patient_sex,
        modality=study.modality,
        body_part=study.body_part,
        month=f"{date[:4]}-{date[4:6]}" if _DAY.fullmatch(date) else None,
        observations=tuple(
            Observation(finding=item.finding, presence=item.presence, laterality=item.laterality)
            for item in current_observations(reading.observations)
        ),
        detections=tuple(_detection(item) for item in detections if item.not_applicable is None),
    )


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
