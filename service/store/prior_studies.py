"""Studies of the same patient from before, to look at beside a case."""

from dataclasses import dataclass

from service.store import queries
from service.store.database import Store
from service.store.records import StudyRecord
from service.store.sight import cases_in_sight

_MOST = 10  # the latest


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorStudy:
    """An earlier study of the patient, of which images were received."""

    case_id: int
    study_date: str  # YYYYMMDD
    modality: str | None
    description: str | None


def prior_studies(store: Store, study: StudyRecord | None) -> tuple[PriorStudy, ...]:
    """Return the patient's earlier studies, the latest first.

    The patient is issuer and id together, as the images state them; without an id nobody is the same. A study
    of the same day is not earlier: DICOM dates do not tell.
    Who is bound to sites is told of those of these sites alone.
    """
    if study is None or not study.study_date or not study.patient_id:
        return ()
    bound = {
        "patient_id": study.patient_id,
        "issuer": study.issuer_of_patient_id or "",
        "before": study.study_date,
        "limit": _MOST,
    }
    with store.reading() as connection:
        seen = queries.PRIOR_STUDIES.where(cases_in_sight(connection))
        rows = connection.execute(seen, bound).all()
    return tuple(
        PriorStudy(
            case_id=row.case_id,
            study_date=row.study_date,
            modality=row.modality,
            description=row.description,
        )
        for row in rows
    )
