"""The sites that cases name, and those of studies that came before sites were recorded."""

from datetime import datetime

from sqlalchemy import bindparam, func, select, update

from service.store import locks
from service.store.database import Store
from service.store.schema import cases, instances, studies

_COUNTS = (
    select(cases.c.site, func.count()).group_by(cases.c.site).order_by(func.count().desc(), cases.c.site)
)
_WITHOUT = (
    select(studies.c.study_instance_uid)
    .where(studies.c.site.is_(None), studies.c.study_instance_uid > bindparam("after"))
    .order_by(studies.c.study_instance_uid)
    .limit(bindparam("limit"))
)
_KEPT = (
    select(instances.c.sha256)
    .where(
        instances.c.study_instance_uid == bindparam("study_instance_uid"),
        instances.c.removed_at.is_(None),
        instances.c.result_of.is_(None),
    )
    .order_by(instances.c.series_instance_uid, instances.c.sop_instance_uid)
)
_LEARN = (
    update(studies)
    .where(studies.c.study_instance_uid == bindparam("learned_study"), studies.c.site.is_(None))
    .values(site=bindparam("learned"))
)
_LEARN_CASE = (
    update(cases)
    .where(cases.c.study_instance_uid == bindparam("learned_study"))
    .values(site=bindparam("learned"), updated_at=bindparam("at"))
)


def count_sites(store: Store) -> tuple[tuple[str | None, int], ...]:
    """Return the sites that cases name, with how many cases; None: those of no known site."""
    with store.reading() as connection:
        return tuple((site, count) for site, count in connection.execute(_COUNTS))


def studies_without_site(store: Store, *, after: str, limit: int) -> tuple[str, ...]:
    """Return the UIDs of studies of no known site, a page of them after one UID, in their order."""
    with store.reading() as connection:
        return tuple(connection.execute(_WITHOUT, {"after": after, "limit": limit}).scalars())


def kept_objects(store: Store, study_instance_uid: str) -> tuple[str, ...]:
    """Return the hashes of the objects of a study that were received, and not made here, and are kept."""
    with store.reading() as connection:
        return tuple(connection.execute(_KEPT, {"study_instance_uid": study_instance_uid}).scalars())


def record_site(store: Store, study_instance_uid: str, site: str, *, now: datetime) -> None:
    """Let a study without a site, and its case, have one; the images decide."""
    values = {"learned_study": study_instance_uid, "learned": site}
    with store.writing(locks.study(study_instance_uid)) as connection:
        if connection.execute(_LEARN, values).rowcount:
            connection.execute(_LEARN_CASE, {**values, "at": now})
