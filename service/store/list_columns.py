"""Columns and indexes by which the list is filtered and walked.

What a line of the list is told apart by stands in the row of the case, as the latest triage left it, and in
each index that the list is walked along: a walk that leaves out most cases need not leave the index for that.
"""

from sqlalchemy import Column, Index, String, Table, text

_TOLD_APART_BY = (
    "overdue_at",
    "subspecialty",
    "open_to_all_at",
    "site",
    "finding",
    "kind",
    "actionable",
    "modality",
    "waiting_since",
    "priority",
)

SECOND_READ_EVENTS = "event IN ('FOUND_DISCREPANT', 'READ_CLAIMED', 'JUDGED')"
"""What the throughput of the list is counted by, as the index of these events says it."""


def filter_columns() -> tuple[Column[str], ...]:
    """Return columns of a case for the filters of the list; null where it is not on it."""
    return (
        Column("finding", String(128)),  # of the leading discrepancy
        Column("kind", String(32)),  # the same
        Column("actionable", String(16)),  # overread.finding.Actionable
        Column("modality", String(16)),  # of the study; of every case that was triaged
    )


def make_list_indexes(cases: Table) -> None:
    """Give the table of the cases an index for each order of the list."""
    columns = cases.c
    orders = {
        "ix_cases_worklist": (columns.priority.desc(), columns.opened_at, columns.case_id),
        "ix_cases_overdue": (columns.overdue_at, columns.case_id),
        "ix_cases_waiting": (columns.waiting_since, columns.case_id),
    }
    for name, order in orders.items():
        named = {getattr(column, "name", "priority") for column in order}
        rest = (columns[other] for other in _TOLD_APART_BY if other not in named)
        Index(name, columns.state, *order, *rest)
    order = orders["ix_cases_worklist"]
    others = (name for name in _TOLD_APART_BY if name not in {"finding", "priority"})
    has_one = columns.finding.is_not(None)
    Index(
        "ix_cases_finding",
        columns.finding,
        columns.state,
        *order,
        *(columns[name] for name in others),
        sqlite_where=has_one,
        postgresql_where=has_one,
    )
    Index("ix_cases_modality", columns.modality)  # for what there is to choose from
    Index("ix_cases_site", columns.site, columns.state)  # the same, and counts of what may be seen
    Index("ix_cases_patient_id", columns.patient_id)


def make_event_index(events: Table) -> None:
    """Give the history of the cases an index of what the throughput of the list is counted by."""
    counted = text(SECOND_READ_EVENTS)
    Index(
        "ix_events_second_read",
        events.c.event,
        events.c.happened_at,
        events.c.case_id,
        sqlite_where=counted,
        postgresql_where=counted,
    )
