"""Figures of the list for who coordinates it: how much waits, since when, and how fast it is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, case, func, select, text

from overread.case import CaseEvent, CaseState
from overread.finding import Actionable
from service.store.claim_tables import reading_claims
from service.store.database import Store
from service.store.line import Line, line_of
from service.store.list_columns import SECOND_READ_EVENTS
from service.store.schema import cases, events
from service.store.sight import cases_in_sight

_COUNTED = (CaseEvent.FOUND_DISCREPANT, CaseEvent.READ_CLAIMED, CaseEvent.JUDGED)
_HAPPENED = select(events.c.event, func.count(events.c.case_id.distinct())).where(
    text(SECOND_READ_EVENTS),  # as the index says it, so that it is used
    events.c.event.in_([event.value for event in _COUNTED]),
    events.c.happened_at > bindparam("since"),
    events.c.happened_at <= bindparam("until"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Cases that wait for a second reader, of one subspecialty and urgency, on one side of the line."""

    subspecialty: str | None  # None: anybody's
    urgency: Actionable
    is_above: bool  # the line
    count: int
    claimed: int
    late: int  # that waited longer than allowed
    oldest: datetime | None  # since when the one waits that waits for longest
    priority_max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """The list at one moment."""

    line: Line
    waiting: tuple[Waiting, ...]
    of_day: Mapping[CaseEvent, int]  # cases to which it happened, in the last 24 hours
    of_week: Mapping[CaseEvent, int]


def read_queue(store: Store, *, now: datetime) -> QueueFigures:
    """Return the figures of the cases that whoever asks may see."""
    with store.reading() as connection:
        line = line_of(connection, None)
        return QueueFigures(
            line=line,
            waiting=_waiting(connection, line.priority, now),
            of_day=_happened(connection, now - timedelta(days=1), now),
            of_week=_happened(connection, now - timedelta(days=7), now),
        )


def _waiting(connection: Connection, line: float | None, now: datetime) -> tuple[Waiting, ...]:
    columns = cases.c
    listed = (columns.state == CaseState.LISTED.value, cases_in_sight(connection))
    is_above = case((columns.priority >= (line or 0.0), 1), else_=0).label("is_above")
    by = (columns.subspecialty, columns.actionable, is_above)
    counts = select(
        *by,
        func.count().label("cases"),
        func.sum(case((columns.overdue_at <= now, 1), else_=0)).label("late"),
        func.min(columns.waiting_since).label("oldest"),
        func.max(columns.priority).label("priority_max"),
    )
    held = select(*by, func.count()).select_from(cases.join(reading_claims))
    held = held.where(*listed, reading_claims.c.held_until > now).group_by(*by)
    claimed = {tuple(row[:3]): row[3] for row in connection.execute(held)}
    return tuple(
        Waiting(
            subspecialty=row.subspecialty,
            urgency=Actionable(row.actionable) if row.actionable else Actionable.NONE,
            is_above=bool(row.is_above),
            count=row.cases,
            claimed=claimed.get((row.subspecialty, row.actionable, row.is_above), 0),
            late=row.late,
            oldest=row.oldest,
            priority_max=row.priority_max,
        )
        for row in connection.execute(counts.where(*listed).group_by(*by))
    )


def _happened(connection: Connection, since: datetime, until: datetime) -> dict[CaseEvent, int]:
    query = _HAPPENED.join_from(events, cases).where(cases_in_sight(connection)).group_by(events.c.event)
    found = {row[0]: row[1] for row in connection.execute(query, {"since": since, "until": until})}
    return {event: found.get(event.value, 0) for event in _COUNTED}
