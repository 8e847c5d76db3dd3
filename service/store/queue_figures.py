"""Figures of the queue for whoever operates it: cases by state, and since when the oldest ones wait."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from overread.case import CaseState
from service.store.case_counts import counts_by_state
from service.store.database import Store
from service.store.schema import cases

OLDEST_READY = select(func.min(cases.c.due_at)).where(cases.c.state == CaseState.READY.value)
"""Since when the READY case waits that may be claimed for longest; it may lie ahead."""

_OLDEST_LISTED = select(func.min(cases.c.waiting_since)).where(cases.c.state == CaseState.LISTED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """State of the queue at one moment."""

    cases: dict[CaseState, int]  # how many there are; every state has an entry
    ready_since: datetime | None  # the READY case that may be claimed for longest; None: no case is READY
    listed_since: datetime | None  # the case that is on the worklist for longest; None: it is empty


def read_queue_figures(store: Store) -> QueueFigures:
    """Return the state of the queue as the database has it now.

    Raises:
        OutOfResourcesError: the database cannot be reached.
    """
    counts = dict.fromkeys(CaseState, 0)
    with store.reading() as connection:
        found = counts_by_state(connection, everywhere=True)
        counts |= {CaseState(state): count for state, count in found.items()}
        return QueueFigures(
            cases=counts,
            ready_since=connection.execute(OLDEST_READY).scalar(),
            listed_since=connection.execute(_OLDEST_LISTED).scalar(),
        )
