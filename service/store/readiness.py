"""Whether the database keeps what is written, and whether the cases that wait are being triaged."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, bindparam, delete, func, insert, select

from overread.case import CaseEvent, CaseState
from overread.errors import OutOfResourcesError
from service.store.database import Store
from service.store.queue_figures import OLDEST_READY
from service.store.schema import events, leases
from service.store.workers import WorkerRecord, alive_workers, silent_workers

GRACE = timedelta(minutes=2)
"""How long a case may be due before it counts as waiting: a worker may be starting."""

_LATEST_EVENTS = 10_000  # that are looked through for an end of triage; more within minutes are none

_WRITE = insert(leases)
_READ = select(leases.c.owner).where(leases.c.name == bindparam("lease"))
_REMOVE = delete(leases).where(leases.c.name == bindparam("lease"))
_NEWEST = (
    select(events.c.happened_at, events.c.state_before, events.c.state_after)
    .order_by(events.c.event_id.desc())
    .limit(_LATEST_EVENTS)
    .subquery()
)
_LATEST_END = select(func.max(_NEWEST.c.happened_at)).where(
    _NEWEST.c.state_before == CaseState.IN_TRIAGE.value, _NEWEST.c.state_after != CaseState.READY.value
)
_CLAIMED_AT = select(func.max(events.c.happened_at)).where(
    and_(
        events.c.case_id == bindparam("case"),
        events.c.event == CaseEvent.CLAIMED.value,
        events.c.actor_name == bindparam("worker"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TriageProgress:
    """Workers of the installation, and the queue that they work on, at one moment."""

    due_since: datetime | None  # since when the oldest case that may be claimed waits; None: no case waits
    ended_at: datetime | None  # latest end of a triage, whatever its outcome; None: none of late
    alive: tuple[WorkerRecord, ...]
    silent: tuple[WorkerRecord, ...]  # they ended without a word, or are stopped
    hanging: tuple[WorkerRecord, ...]  # of those alive, who work on one case for longer than they may

    def waits(self, *, now: datetime, longer_than: timedelta = GRACE) -> bool:
        """Return whether a case has been due for longer than this."""
        return self.due_since is not None and now - self.due_since > longer_than

    def has_stalled(self, *, now: datetime, after: timedelta) -> bool:
        """Return whether a case has been due for longer than this, and no triage ended meanwhile."""
        return self.waits(now=now, longer_than=after) and (
            self.ended_at is None or now - self.ended_at > after
        )


def verify_writes(store: Store, *, now: datetime) -> None:
    """Write a row, read it back in another transaction, and remove it.

    It does not wait for the disk, so that it may be asked often.

    Raises:
        OutOfResourcesError: the database cannot be reached, takes no writes, lost its file, is full or
            damaged, or is busy for too long.
    """
    mark = secrets.token_hex(16)
    name = {"lease": f"readiness {mark}"}
    with store.writing(durable=False) as connection:
        connection.execute(_WRITE, {"name": name["lease"], "owner": mark, "until": now})
    with store.writing(durable=False) as connection:
        read = connection.execute(_READ, name).scalar()
        connection.execute(_REMOVE, name)
    if read != mark:
        raise OutOfResourcesError("the database does not give back what was written to it; see its own log")


def read_progress(store: Store, *, now: datetime) -> TriageProgress:
    """Return how triage gets on.

    Raises:
        OutOfResourcesError: the database cannot be reached or is damaged.
    """
    settings = store.settings
    longest = timedelta(seconds=settings.case_seconds_max + settings.lease_seconds)
    alive = alive_workers(store, now=now)
    silent = silent_workers(store, now=now)
    with store.reading() as connection:
        hanging = []
        for worker in alive:
            claim = {"case": worker.case_id, "worker": worker.name}
            claimed_at = connection.execute(_CLAIMED_AT, claim).scalar() if worker.case_id else None
            if claimed_at is not None and now - claimed_at > longest:
                hanging.append(worker)
        return TriageProgress(
            due_since=connection.execute(OLDEST_READY).scalar(),
            ended_at=connection.execute(_LATEST_END).scalar(),
            alive=alive,
            silent=silent,
            hanging=tuple(hanging),
        )
