"""Cases by what names them, and what there is to choose from in a filter of the list."""

from typing import Any

from sqlalchemy import Column, Connection, bindparam, func, select

from service.store.database import Store
from service.store.schema import cases, studies
from service.store.sight import cases_in_sight

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
_CHOICES_MAX = 100


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
        seen = cases_in_sight(connection)
        found = {
            number for query in queries for number in connection.execute(query.where(seen), key).scalars()
        }
    return tuple(sorted(found, reverse=True)[:limit])


def modalities_of(store: Store) -> tuple[str, ...]:
    """Return the modalities of what has been triaged, as the images say, in their order."""
    with store.reading() as connection:
        return _distinct(connection, cases.c.modality)


def sites_of(store: Store) -> tuple[str, ...]:
    """Return the sites of the cases that may be seen, in their order."""
    if store.sites is not None:
        return store.sites
    with store.reading() as connection:
        return _distinct(connection, cases.c.site)


def _distinct(connection: Connection, column: Column[Any]) -> tuple[str, ...]:
    """Return what stands in a column by one step along its index for each, not by a walk over every case."""
    steps = select(func.min(column).label("value")).cte("steps", recursive=True)
    following = select(func.min(column)).where(column > steps.c.value).correlate(steps).scalar_subquery()
    steps = steps.union_all(select(following).select_from(steps).where(steps.c.value.is_not(None)))
    chosen = select(steps.c.value).where(steps.c.value.is_not(None)).limit(_CHOICES_MAX)
    return tuple(connection.execute(chosen).scalars())
