"""Cases by what names them, and what there is to choose from in a filter of the list."""

from sqlalchemy import Connection, bindparam, func, select

from service.store.database import Store
from service.store.schema import cases, studies

_BY_ACCESSION = (
    select(cases.c.case_id)
    .where(cases.c.accession_number == bindparam("wanted"))
    .order_by(cases.c.case_id.desc())
    .limit(bindparam("limit"))
)
_BY_PATIENT_OF_REPORT = (
    select(cases.c.case_id)
    .where(cases.c.patient_id == bindparam("wanted"))
    .order_by(cases.c.case_id.desc())
    .limit(bindparam("limit"))
)
_BY_PATIENT_OF_IMAGES = (
    select(cases.c.case_id)
    .join(studies, studies.c.study_instance_uid == cases.c.study_instance_uid)
    .where(studies.c.patient_id == bindparam("wanted"))
    .order_by(cases.c.case_id.desc())
    .limit(bindparam("limit"))
)
_MODALITIES_MAX = 50


def cases_named(store: Store, wanted: str, *, by_patient: bool, limit: int) -> tuple[int, ...]:
    """Return the numbers of cases with this accession number, the latest first.

    Args:
        store: where they are.
        wanted: the whole of it, as the sender wrote it.
        by_patient: whether it may also be the identifier of a patient, as images or report have it.
        limit: most of them.
    """
    key = {"wanted": wanted, "limit": limit}
    queries = (_BY_ACCESSION, *((_BY_PATIENT_OF_IMAGES, _BY_PATIENT_OF_REPORT) if by_patient else ()))
    with store.reading() as connection:
        found = {number for query in queries for number in connection.execute(query, key).scalars()}
    return tuple(sorted(found, reverse=True)[:limit])


def modalities_of(store: Store) -> tuple[str, ...]:
    """Return the modalities of what has been triaged, as the images say, in their order."""
    with store.reading() as connection:
        return _distinct(connection)


def _distinct(connection: Connection) -> tuple[str, ...]:
    """Return them by one step along the index for each, instead of a walk over every case."""
    first = select(func.min(cases.c.modality).label("modality"))
    steps = first.cte("steps", recursive=True)
    following = (
        select(func.min(cases.c.modality))
        .where(cases.c.modality > steps.c.modality)
        .correlate(steps)
        .scalar_subquery()
    )
    steps = steps.union_all(select(following).select_from(steps).where(steps.c.modality.is_not(None)))
    chosen = select(steps.c.modality).where(steps.c.modality.is_not(None)).limit(_MODALITIES_MAX)
    return tuple(connection.execute(chosen).scalars())
