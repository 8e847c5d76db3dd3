"""Figures of the list for who coordinates it: how much waits, since when, and how fast it is read.

How many cases wait is counted by the database itself. What changes by the clock alone, or is the first of its
kind, is looked for along an index, as far as `LOOKED_THROUGH`: what is not found so far is said to be so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Subquery,
    bindparam,
    case,
    func,
    select,
    text,
    true,
)

from overread.case import CaseEvent, CaseState
from overread.finding import Actionable
from service.store.case_counts import listed_kinds
from service.store.claim_tables import reading_claims
from service.store.database import Store
from service.store.line import Line, line_of
from service.store.list_columns import SECOND_READ_EVENTS
from service.store.order import in_state
from service.store.schema import cases, events
from service.store.sight import cases_in_sight, is_unlimited

LOOKED_THROUGH = 5000
"""Cases that are looked through for those that are late, the oldest ones, and the first below the line."""

_COUNTED = (CaseEvent.FOUND_DISCREPANT, CaseEvent.READ_CLAIMED, CaseEvent.JUDGED)
_HAPPENED = select(events.c.event, func.count(events.c.case_id.distinct())).where(
    text(SECOND_READ_EVENTS),  # as the index says it, so that it is used
    events.c.event.in_([event.value for event in _COUNTED]),
    events.c.happened_at > bindparam("since"),
    events.c.happened_at <= bindparam("until"),
)
_PRIORITY = (cases.c.priority.desc(), cases.c.opened_at, cases.c.case_id)
_WAIT = (cases.c.waiting_since, cases.c.case_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Cases that wait for a second reader, of one subspecialty and urgency, on one side of the line."""

    subspecialty: str | None  # None: anybody's
    urgency: Actionable
    is_above: bool  # the line
    count: int
    claimed: int
    late: int  # that waited longer than allowed; of what stands above the line
    oldest: datetime | None  # since when the first of them waits; None: see `QueueFigures.oldest`
    priority_max: float | None  # of what stands below the line; None: see `QueueFigures.priority`


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """The list at one moment."""

    line: Line
    waiting: tuple[Waiting, ...]
    is_late_least: bool  # whether there may be more that are late, beyond what was looked through
    oldest: datetime | None  # of what was looked through last; what was not found so far waits since later
    priority: float | None  # likewise; what was not found so far has no higher one
    of_day: Mapping[CaseEvent, int]  # cases to which it happened, in the last 24 hours
    of_week: Mapping[CaseEvent, int]


Group = tuple[str | None, str | None, bool]
"""Subspecialty and urgency of cases, and whether they stand above the line."""


def read_queue(store: Store, *, now: datetime, looked_through: int = LOOKED_THROUGH) -> QueueFigures:
    """Return the figures of the cases that whoever asks may see."""
    with store.reading() as connection:
        line = line_of(connection, None)
        look = _Look(connection=connection, line=line.priority, cases_max=looked_through)
        counts = {
            (*kind, is_above): count
            for kind, sides in listed_kinds(connection, line.priority).items()
            for is_above, count in ((True, sides.above), (False, sides.below))
            if count
        }
        late, claimed = look.late(now), look.claimed(now)
        oldest, beyond = look.oldest()
        highest, least = look.highest_below()
        return QueueFigures(
            line=line,
            waiting=tuple(
                Waiting(
                    subspecialty=group[0],
                    urgency=Actionable(group[1]) if group[1] else Actionable.NONE,
                    is_above=group[2],
                    count=count,
                    claimed=claimed.get(group, 0),
                    late=late.get(group, 0),
                    oldest=oldest.get(group),
                    priority_max=highest.get(group),
                )
                for group, count in counts.items()
            ),
            is_late_least=sum(count for group, count in counts.items() if group[2]) > looked_through,
            oldest=beyond,
            priority=least,
            of_day=_happened(connection, now - timedelta(days=1), now),
            of_week=_happened(connection, now - timedelta(days=7), now),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """Look at the first listed cases that may be seen, in one order or another."""

    connection: Connection
    line: float | None
    cases_max: int

    def late(self, now: datetime) -> dict[Group, int]:
        """Return how many of the first cases above the line waited longer than allowed."""
        first = self._first(_PRIORITY).where(self._is_above()).subquery()
        late = select(first).where(first.c.overdue_at <= now).subquery()
        rows = self.connection.execute(select(*_by(late), func.count()).group_by(*_by(late)))
        return {_group(row): row[3] for row in rows}

    def oldest(self) -> tuple[dict[Group, datetime], datetime | None]:
        """Return since when the oldest cases wait, and the last time that was looked at."""
        first = self._first(_WAIT).subquery()
        wait = first.c.waiting_since
        found = select(*_by(first), func.min(wait), func.max(wait)).group_by(*_by(first))
        rows = [row for row in self.connection.execute(found) if row[3] is not None]
        return {_group(row): row[3] for row in rows}, max((row[4] for row in rows), default=None)

    def highest_below(self) -> tuple[dict[Group, float], float | None]:
        """Return the highest priorities below the line, and the last one that was looked at."""
        if self.line is None:
            return {}, None
        first = self._first(_PRIORITY).where(cases.c.priority < self.line).subquery()
        priority = first.c.priority
        found = select(*_by(first), func.max(priority), func.min(priority)).group_by(*_by(first))
        rows = self.connection.execute(found).all()
        return {_group(row): row[3] for row in rows}, min((row[4] for row in rows), default=None)

    def claimed(self, now: datetime) -> dict[Group, int]:
        """Return how many cases are read by somebody."""
        held = select(reading_claims.c.case_id).where(reading_claims.c.held_until > now)
        told = select(cases.c.subspecialty, cases.c.actionable, self._above())
        is_listed = in_state(CaseState.LISTED, by_number=True)
        seen = cases_in_sight(self.connection)
        wanted = told.where(is_listed, cases.c.case_id.in_(held), seen).subquery()
        rows = self.connection.execute(select(*_by(wanted), func.count()).group_by(*_by(wanted)))
        return {_group(row): row[3] for row in rows}

    def _first(self, order: Sequence[ColumnElement[Any]]) -> Select[Any]:
        columns = cases.c
        told = (columns.subspecialty, columns.actionable, self._above())
        wanted = select(*told, columns.waiting_since, columns.overdue_at, columns.priority)
        listed = wanted.where(columns.state == CaseState.LISTED.value, cases_in_sight(self.connection))
        return listed.order_by(*order).limit(self.cases_max)

    def _is_above(self) -> ColumnElement[bool]:
        return true() if self.line is None else cases.c.priority >= self.line

    def _above(self) -> ColumnElement[int]:
        return case((self._is_above(), 1), else_=0).label("is_above")


def _by(found: Subquery) -> tuple[ColumnElement[Any], ...]:
    return found.c.subspecialty, found.c.actionable, found.c.is_above


def _group(row: Row[*tuple[Any, ...]]) -> Group:
    return row[0], row[1], bool(row[2])


def _happened(connection: Connection, since: datetime, until: datetime) -> dict[CaseEvent, int]:
    query = _HAPPENED.group_by(events.c.event)
    if not is_unlimited(connection):  # else the index of the events says all
        query = query.join_from(events, cases).where(cases_in_sight(connection))
    found = {row[0]: row[1] for row in connection.execute(query, {"since": since, "until": until})}
    return {event: found.get(event.value, 0) for event in _COUNTED}
