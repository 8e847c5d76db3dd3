"""What of the store somebody may see: the one place that says it, for every statement that lists or opens.

A person or token may be bound to sites. The store that their requests are handed says so
(`Store.seen_from`), and each of its connections; the conditions here are true of what may be seen. What is of
no known site is seen by nobody who is bound.
"""

from sqlalchemy import ColumnElement, Connection, exists, or_, true

from service.store.count_tables import kept
from service.store.schema import cases, instances, quarantine, studies

SITES = "sites"
"""Execution option of a connection: whose cases are seen; without it those of every site."""


def cases_in_sight(connection: Connection) -> ColumnElement[bool]:
    """Return which cases may be seen."""
    sites = _sites(connection)
    return true() if sites is None else cases.c.site.in_(sites)


def is_unlimited(connection: Connection) -> bool:
    """Whether the cases of every site may be seen."""
    return _sites(connection) is None


def counts_in_sight(connection: Connection) -> ColumnElement[bool]:
    """Return which of the counts that the database keeps are of cases that may be seen."""
    sites = _sites(connection)
    return true() if sites is None else kept.c.site.in_([site for site in sites if site])  # "" is no site


def studies_in_sight(connection: Connection) -> ColumnElement[bool]:
    """Return which studies may be seen: by what their images say, else as their case."""
    sites = _sites(connection)
    if sites is None:
        return true()
    is_its_case = cases.c.study_instance_uid == studies.c.study_instance_uid
    of_case = exists().where(is_its_case, cases.c.site.in_(sites)).correlate(studies)
    return or_(studies.c.site.in_(sites), studies.c.site.is_(None) & of_case)


def instances_in_sight(connection: Connection) -> ColumnElement[bool]:
    """Return which instances may be seen: those of a study that may be."""
    if _sites(connection) is None:
        return true()
    of_study = studies.c.study_instance_uid == instances.c.study_instance_uid
    return exists().where(of_study, studies_in_sight(connection)).correlate(instances)


def refusals_in_sight(connection: Connection) -> ColumnElement[bool]:
    """Return which entries of the quarantine may be seen."""
    sites = _sites(connection)
    return true() if sites is None else quarantine.c.site.in_(sites)


def _sites(connection: Connection) -> tuple[str, ...] | None:
    sites: tuple[str, ...] | None = connection.get_execution_options().get(SITES)
    return sites
