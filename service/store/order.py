"""The order of the worklist over time: groups that follow one another, each walked along an index.

A case that waited too long moves to the first group by the clock alone; nothing has to be written for it. The
queries are the same on SQLite and PostgreSQL.
"""

import base64
import binascii
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from sqlalchemy import ColumnElement, Row, Select, and_, func, literal, or_, select, union_all

from overread.case import CaseState
from overread.errors import InputError
from service.store.schema import cases

_NEVER = datetime(9999, 1, 1, tzinfo=UTC)
_OVERDUE = (cases.c.overdue_at, cases.c.case_id)
_BY_PRIORITY = (cases.c.priority.desc(), cases.c.opened_at, cases.c.case_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place in the list as it stood at one moment: the case that was seen last."""

    as_of: datetime
    group: int
    overdue_at: datetime | None  # None outside the group of the overdue
    priority: float
    opened_at: datetime
    case_id: int

    @classmethod
    def of(cls, row: Row[Any], as_of: datetime) -> Self:
        """Return the place of a row of `Group.first`."""
        return cls(
            as_of=as_of,
            group=row.group_number,
            overdue_at=row.overdue_at,
            priority=row.priority,
            opened_at=row.opened_at,
            case_id=row.case_id,
        )

    def text(self) -> str:
        """Return the place as an address can carry it."""
        parts = (
            self.as_of.isoformat(),
            str(self.group),
            self.overdue_at.isoformat() if self.overdue_at else "-",
            repr(self.priority),
            self.opened_at.isoformat(),
            str(self.case_id),
        )
        return base64.urlsafe_b64encode(" ".join(parts).encode()).decode().rstrip("=")

    @classmethod
    def parsed(cls, text: str) -> Self:
        """Return the place that `text` made.

        Raises:
            InputError: it is none.
        """
        try:
            plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
            as_of, group, overdue_at, priority, opened_at, case_id = plain.split(" ")
            return cls(
                as_of=_aware(as_of),
                group=int(group),
                overdue_at=None if overdue_at == "-" else _aware(overdue_at),
                priority=float(priority),
                opened_at=_aware(opened_at),
                case_id=int(case_id),
            )
        except (binascii.Error, UnicodeDecodeError, UnicodeEncodeError, ValueError):
            raise InputError(
                "the position in the worklist is not one that a page gave; start again without it"
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Cases that stand together in the list, in one order."""

    states: tuple[CaseState, ...]
    only: ColumnElement[bool]  # what makes a case of these states one of the group
    overdue: bool  # ordered by the time that ran out, instead of by priority

    def first(self, limit: int, after: Position | None, number: int) -> Select[Any]:
        """Return the query of the first cases of the group after a place in it."""
        # One limited walk along the index per state, then a merge: as fast on a long list as on a short one.
        walks = [self._walk(state, after, limit).subquery() for state in self.states]
        merged = union_all(*(select(walk) for walk in walks)).subquery()
        rank = (
            (merged.c.overdue_at, merged.c.case_id)
            if self.overdue
            else (merged.c.priority.desc(), merged.c.opened_at, merged.c.case_id)
        )
        return select(merged, literal(number).label("group_number")).order_by(*rank).limit(limit)

    def _walk(self, state: CaseState, after: Position | None, limit: int) -> Select[Any]:
        columns = (cases.c.case_id, cases.c.overdue_at, cases.c.priority, cases.c.opened_at)
        statement = select(*columns).where(cases.c.state == state.value, self.only)
        if after is not None:
            statement = statement.where(self._beyond(after))
        return statement.order_by(*(_OVERDUE if self.overdue else _BY_PRIORITY)).limit(limit)

    def _beyond(self, after: Position) -> ColumnElement[bool]:
        if self.overdue:
            return and_(
                cases.c.overdue_at >= after.overdue_at,  # where the walk along the index begins
                or_(cases.c.overdue_at > after.overdue_at, cases.c.case_id > after.case_id),
            )
        return and_(
            cases.c.priority <= after.priority,
            or_(
                cases.c.priority < after.priority,
                cases.c.opened_at > after.opened_at,
                and_(cases.c.opened_at == after.opened_at, cases.c.case_id > after.case_id),
            ),
        )


def groups_of(
    states: Collection[CaseState], *, as_of: datetime, subspecialty: str | None
) -> tuple[Group, ...]:
    """Return the groups of the list as it stands at one moment, for a subspecialty where one is named."""
    chosen = tuple(sorted(set(states)))
    if not chosen:
        return ()
    late = Group(
        states=tuple(state for state in chosen if state is CaseState.LISTED),
        only=cases.c.overdue_at <= as_of,
        overdue=True,
    )
    # Only what is LISTED has such a time. A function of the column, so that no index of it tempts SQLite away
    # from walking by priority.
    in_time = func.coalesce(cases.c.overdue_at, _NEVER) > as_of
    groups = (late,) if late.states else ()
    if subspecialty is None:
        return *groups, Group(states=chosen, only=in_time, overdue=False)
    own = cases.c.subspecialty == subspecialty
    anybody = or_(
        cases.c.subspecialty.is_(None),
        and_(cases.c.subspecialty != subspecialty, cases.c.open_to_all_at <= as_of),
    )
    return (
        *groups,
        Group(states=chosen, only=and_(in_time, own), overdue=False),
        Group(states=chosen, only=and_(in_time, anybody), overdue=False),
    )


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    return moment
