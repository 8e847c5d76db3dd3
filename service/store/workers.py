"""The workers of an installation, on all its machines: each says every few seconds that it lives."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, insert, or_, select, update

from service.store.clock import beyond_reason
from service.store.database import Store
from service.store.schema import workers

GONE_AFTER = timedelta(minutes=2)
"""A worker that has not been seen for so long is gone; it says every few seconds that it lives."""

_IS_ALIVE = workers.c.seen_at.between(bindparam("since"), bindparam("beyond"))
_ALIVE = select(workers).where(_IS_ALIVE).order_by(workers.c.started_at, workers.c.name)
_COUNT = select(func.count()).select_from(workers).where(_IS_ALIVE)
_ADD = insert(workers)
_CHANGE = update(workers).where(workers.c.name == bindparam("changed_worker"))
_REMOVE = delete(workers).where(workers.c.name == bindparam("worker"))
_IS_GONE = or_(workers.c.seen_at < bindparam("since"), workers.c.seen_at > bindparam("beyond"))
_SILENT = select(workers).where(_IS_GONE).order_by(workers.c.seen_at, workers.c.name)
_GONE = select(workers.c.name).where(_IS_GONE).limit(1)
_REMOVE_GONE = delete(workers).where(_IS_GONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRecord:
    """One worker, as it was last seen."""

    name: str  # as in the history of the cases
    host: str
    pid: int
    release: str  # version of overread
    detectors: tuple[str, ...]  # name and version of each that is asked, those in shadow last
    started_at: datetime
    seen_at: datetime
    case_id: int | None  # that it works on; None while it waits


def note_worker(store: Store, record: WorkerRecord) -> None:
    """Put down that a worker lives, and what it works on.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    values = {
        "host": record.host[:256],
        "pid": record.pid,
        "release": record.release,
        "detectors": json.dumps(record.detectors),
        "started_at": record.started_at,
        "seen_at": record.seen_at,
        "case_id": record.case_id,
    }
    with store.writing(durable=False) as connection:
        if connection.execute(_CHANGE, {"changed_worker": record.name, **values}).rowcount == 0:
            connection.execute(_ADD, {"name": record.name, **values})


def remove_worker(store: Store, name: str) -> None:
    """Take away the row of a worker that ends.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    with store.writing(durable=False) as connection:
        connection.execute(_REMOVE, {"worker": name})


def alive_workers(store: Store, *, now: datetime) -> tuple[WorkerRecord, ...]:
    """Return the workers that live, the one that started first first."""
    with store.reading() as connection:
        return tuple(_record_of(row) for row in connection.execute(_ALIVE, _limits(now)))


def silent_workers(store: Store, *, now: datetime) -> tuple[WorkerRecord, ...]:
    """Return the workers that are gone and did not say that they end, as far as nobody removed their rows."""
    with store.reading() as connection:
        return tuple(_record_of(row) for row in connection.execute(_SILENT, _limits(now)))


def workers_alive(store: Store, *, now: datetime) -> int:
    """Return how many workers live."""
    with store.reading() as connection:
        return connection.execute(_COUNT, _limits(now)).scalar_one()


def remove_gone_workers(store: Store, *, now: datetime) -> None:
    """Remove the rows of workers that are gone."""
    with store.reading() as connection:
        if connection.execute(_GONE, _limits(now)).first() is None:
            return
    with store.writing(durable=False) as connection:
        connection.execute(_REMOVE_GONE, _limits(now))


def _limits(now: datetime) -> dict[str, datetime]:
    """Return the times between which a worker was seen if it lives."""
    return {"since": now - GONE_AFTER, "beyond": beyond_reason(now)}


def _record_of(row: Row[Any]) -> WorkerRecord:
    return WorkerRecord(**(dict(row._mapping) | {"detectors": tuple(json.loads(row.detectors))}))
