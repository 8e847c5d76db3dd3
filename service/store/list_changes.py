"""Changes of the list since a moment: whether something came or went, and which cases changed hands.

They are read from the history of the cases, which every change is written to in its transaction. On
PostgreSQL a number of the history may be seen before a smaller one, whose transaction ends later; so a
stretch before the last number is looked through again each time, and what was seen there is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, func, select

from overread.case import CaseEvent, CaseState
from service.store.database import Store
from service.store.reading_claims import claims_of
from service.store.schema import cases, events
from service.store.worklist_records import Claim

_STRETCH = 500  # numbers that are looked through again
_EVENTS_MAX = 2000  # that are read at once; more of them mean that everything changed
_HANDS_MAX = 200  # cases of which it is told who has them; more of them mean the same

_LAST = select(func.max(events.c.event_id))
_SINCE = (
    select(events.c.event_id, events.c.case_id, events.c.event, events.c.state_before, events.c.state_after)
    .where(events.c.event_id > bindparam("after"))
    .order_by(events.c.event_id.desc())
    .limit(_EVENTS_MAX)
)
_SITES = select(cases.c.case_id, cases.c.site).where(
    cases.c.case_id.in_(bindparam("case_ids", expanding=True))
)
_HANDS = frozenset(
    event.value
    for event in (
        CaseEvent.READ_CLAIMED,
        CaseEvent.READ_RELEASED,
        CaseEvent.READ_TAKEN_OVER,
        CaseEvent.READ_ASSIGNED,
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far the history has been read."""

    last: int  # number of its latest entry; 0 while there is none
    seen: frozenset[int]  # of the stretch before it


@dataclass(frozen=True, slots=True, kw_only=True)
class ListChange:
    """What changed between two moments."""

    mark: Mark  # of the later one
    is_changed: bool  # a case came on the list or left it
    hands: Mapping[int, Claim | None]  # who has the cases that changed hands; None: nobody
    sites: Mapping[int, str | None]  # of those cases


def mark_now(store: Store) -> Mark:
    """Return how far the history goes now."""
    with store.reading() as connection:
        last = connection.execute(_LAST).scalar_one() or 0
        rows = connection.execute(_SINCE, {"after": last - _STRETCH})
        return Mark(last=last, seen=frozenset(row.event_id for row in rows))


def changes_since(store: Store, mark: Mark, *, now: datetime) -> ListChange:
    """Return what changed since the mark.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    with store.reading() as connection:
        rows = connection.execute(_SINCE, {"after": mark.last - _STRETCH}).all()
        fresh = [row for row in rows if row.event_id not in mark.seen]
        last = max((row.event_id for row in rows), default=mark.last)
        changed = {row.case_id for row in fresh if row.event in _HANDS}
        is_changed = (
            len(fresh) == _EVENTS_MAX
            or len(changed) > _HANDS_MAX
            or any(row.event not in _HANDS and _touches_the_list(row) for row in fresh)
        )
        told = sorted(changed)[:_HANDS_MAX]
        claims = claims_of(connection, told, now=now)
        sites = {row.case_id: row.site for row in connection.execute(_SITES, {"case_ids": told})}
    seen = frozenset(row.event_id for row in rows if row.event_id > last - _STRETCH)
    hands = {case_id: claims.get(case_id) for case_id in told}
    return ListChange(mark=Mark(last=last, seen=seen), is_changed=is_changed, hands=hands, sites=sites)


def _touches_the_list(row: Row[*tuple[Any, ...]]) -> bool:
    return CaseState.LISTED.value in {row.state_before, row.state_after}
