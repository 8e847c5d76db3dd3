"""The order of the worklist over time: groups that follow one another, each walked along an index.

A case above the line that waited too long moves to the first group by the clock alone; nothing has to be
written for it. What stands below the line is never late, and comes after everything above it. The queries are
the same on SQLite and PostgreSQL.
"""

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

from sqlalchemy import (
    Column,
    ColumnElement,
    Row,
    Select,
    and_,
    false,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)

from overread.case import CaseState
from overread.errors import InputError
from service.store.case_filter import EVERYTHING, CaseFilter, Sort
from service.store.schema import cases
from service.store.worklist_records import WorklistLine

_NEVER = datetime(9999, 1, 1, tzinfo=UTC)
_ORDERS: Mapping[Sort, tuple[Column[Any] | None, bool]] = {
    Sort.PRIORITY: (None, False),
    Sort.CAP: (cases.c.overdue_at, False),
    Sort.WAITING: (cases.c.waiting_since, False),
    Sort.NEWEST: (cases.c.waiting_since, True),
}
"""For each order but that of the list: the time that it goes by, and whether the latest comes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Selection of the cases of the list, and its order."""

    states: Collection[CaseState] = (CaseState.LISTED,)
    subspecialty: str | None = None  # its own cases before those of others; None: nobody's in particular
    share: float | None = None  # of the triaged cases that stands above the line; None: as the policy has it
    above_line: bool | None = None  # only what stands above the line, or only what does not; None: both
    only: CaseFilter = EVERYTHING
    sort: Sort = Sort.ORDER  # of what is LISTED; anything else stands in the order of the list

    @property
    def is_ordered(self) -> bool:
        """Whether the cases stand in the order of the list."""
        return self.sort is Sort.ORDER or set(self.states) != {CaseState.LISTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place in the list as it stood at one moment: the case that was seen last."""

    as_of: datetime
    line: WorklistLine | None  # None where LISTED was not asked for
    group: int
    at: datetime | None  # by which the group is ordered; None in one that is ordered by priority
    priority: float
    opened_at: datetime
    case_id: int

    @classmethod
    def of(cls, row: Row[Any], as_of: datetime, line: WorklistLine | None) -> Self:
        """Return the place of a row of `Group.first`."""
        return cls(
            as_of=as_of,
            line=line,
            group=row.group_number,
            at=row.at,
            priority=row.priority,
            opened_at=row.opened_at,
            case_id=row.case_id,
        )

    def text(self) -> str:
        """Return the place as an address can carry it."""
        parts = (
            self.as_of.isoformat(),
            _line_text(self.line) if self.line else "-",
            str(self.group),
            self.at.isoformat() if self.at else "-",
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
            as_of, line, group, at, priority, opened_at, case_id = plain.split(" ")
            return cls(
                as_of=_aware(as_of),
                line=None if line == "-" else _line(line),
                group=int(group),
                at=None if at == "-" else _aware(at),
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
    by: Column[Any] | None = None  # time by which they are ordered; None: by priority
    falling: bool = False  # the latest time first
    by_number: bool = False  # whether its conditions name its cases, which are few

    def first(self, limit: int, after: Position | None, number: int) -> Select[Any]:
        """Return the query of the first cases of the group after a place in it."""
        # One limited walk along the index per state, then a merge: as fast on a long list as on a short one.
        walks = [self._walk(state, after, limit).subquery() for state in self.states]
        merged = union_all(*(select(walk) for walk in walks)).subquery()
        rank = self._rank(merged.c.at, merged.c)
        return select(merged, literal(number).label("group_number")).order_by(*rank).limit(limit)

    def _walk(self, state: CaseState, after: Position | None, limit: int) -> Select[Any]:
        at = cases.c.overdue_at if self.by is None else self.by
        columns = (cases.c.case_id, at.label("at"), cases.c.priority, cases.c.opened_at)
        is_in_state = in_state(state, by_number=self.by_number)
        statement = select(*columns).where(is_in_state, self.only)
        if after is not None:
            statement = statement.where(self._beyond(after))
        return statement.order_by(*self._rank(at, cases.c)).limit(limit)

    def _rank(self, at: ColumnElement[Any], columns: Any) -> tuple[ColumnElement[Any], ...]:
        if self.by is None:
            return columns.priority.desc(), columns.opened_at, columns.case_id
        return (at.desc(), columns.case_id.desc()) if self.falling else (at, columns.case_id)

    def _beyond(self, after: Position) -> ColumnElement[bool]:
        if self.by is not None and self.falling:
            return and_(self.by <= after.at, or_(self.by < after.at, cases.c.case_id < after.case_id))
        if self.by is not None:
            return and_(
                self.by >= after.at,  # where the walk along the index begins
                or_(self.by > after.at, cases.c.case_id > after.case_id),
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
    selection: Selection,
    line: float | None,
    *,
    as_of: datetime,
    seen: ColumnElement[bool],
    hides_finding: bool,
) -> tuple[Group, ...]:
    """Return the groups of the list as it stands at one moment, in their order.

    Args:
        selection: which cases.
        line: the priority from which a LISTED case stands above the line; None: all of them do.
        as_of: the moment.
        seen: which cases whoever asks may see, as `service.store.sight` says it.
        hides_finding: see `CaseFilter.conditions`; on SQLite.
    """
    states = tuple(sorted(set(selection.states)))
    if selection.above_line is not None:  # nothing but what is LISTED stands on a side of it
        states = tuple(state for state in states if state is CaseState.LISTED)
    if not states:
        return ()
    if selection.is_ordered:
        above = _above(states, line, selection.subspecialty, as_of)
        below = _below(states, line, selection.subspecialty, as_of)
    else:
        above, below = _sorted(selection, line, as_of)
    chosen = {None: (*above, *below), True: above, False: below}[selection.above_line]
    wanted = (seen, *selection.only.conditions(as_of, hides_finding=hides_finding))
    by_number = selection.only.case_ids is not None
    return tuple(replace(group, only=and_(group.only, *wanted), by_number=by_number) for group in chosen)


def in_state(state: CaseState, *, by_number: bool) -> ColumnElement[bool]:
    """Return which cases are in a state.

    Where cases are named by their numbers it is a function of the column, so that SQLite looks those up and
    does not walk along an index of the state.
    """
    column = func.coalesce(cases.c.state, "") if by_number else cases.c.state
    return column == state.value


def sides_of(
    line: float | None, subspecialty: str | None, *, as_of: datetime
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return which LISTED cases are shown above the line, and which below it."""
    parts = or_(*_parts(subspecialty, as_of))
    above = parts if subspecialty is None else or_(parts, cases.c.overdue_at <= as_of)
    if line is None:
        return above, false()
    return and_(cases.c.priority >= line, above), and_(cases.c.priority < line, parts)


def _above(
    states: tuple[CaseState, ...], line: float | None, subspecialty: str | None, as_of: datetime
) -> tuple[Group, ...]:
    is_above = true() if line is None else cases.c.priority >= line
    late = Group(
        states=tuple(state for state in states if state is CaseState.LISTED),
        only=and_(is_above, cases.c.overdue_at <= as_of),
        by=cases.c.overdue_at,
    )
    # Only what is LISTED has such a time. A function of the column, so that no index of it tempts SQLite away
    # from walking by priority.
    in_time = and_(is_above, func.coalesce(cases.c.overdue_at, _NEVER) > as_of)
    rest = tuple(Group(states=states, only=and_(in_time, part)) for part in _parts(subspecialty, as_of))
    return (late, *rest) if late.states else rest


def _below(
    states: tuple[CaseState, ...], line: float | None, subspecialty: str | None, as_of: datetime
) -> tuple[Group, ...]:
    if line is None:
        return ()
    return tuple(
        Group(states=states, only=and_(cases.c.priority < line, part)) for part in _parts(subspecialty, as_of)
    )


def _sorted(
    selection: Selection, line: float | None, as_of: datetime
) -> tuple[tuple[Group, ...], tuple[Group, ...]]:
    """Return what stands above the line, and what does not, each in one order whatever waited too long.

    Where both are asked for, all of it stands above, so that it is one order.
    """
    by, falling = _ORDERS[selection.sort]
    shown = and_(or_(*_parts(selection.subspecialty, as_of)), true())
    whole = Group(states=(CaseState.LISTED,), only=shown, by=by, falling=falling)
    if selection.above_line is None or line is None:
        return (whole,), ()
    above = replace(whole, only=and_(cases.c.priority >= line, shown))
    below = replace(whole, only=and_(cases.c.priority < line, shown))
    return (above,), (below,)


def _parts(subspecialty: str | None, as_of: datetime) -> tuple[ColumnElement[bool], ...]:
    """Return what tells the cases of a subspecialty from those that anybody may take by now."""
    if subspecialty is None:
        return (true(),)
    anybody = or_(
        cases.c.subspecialty.is_(None),
        and_(cases.c.subspecialty != subspecialty, cases.c.open_to_all_at <= as_of),
    )
    return cases.c.subspecialty == subspecialty, anybody


def _line_text(line: WorklistLine) -> str:
    priority = "-" if line.priority is None else repr(line.priority)
    return "/".join(
        (repr(line.share), priority, *map(str, (line.triaged, line.above, line.below, int(line.is_capped))))
    )


def _line(text: str) -> WorklistLine:
    share, priority, triaged, above, below, is_capped = text.split("/")
    return WorklistLine(
        share=float(share),
        priority=None if priority == "-" else float(priority),
        triaged=int(triaged),
        above=int(above),
        below=int(below),
        is_capped=is_capped == "1",
    )


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    return moment
