"""Named leases: of the processes of one installation, on however many machines, one does a piece of work.

What is done under such a lease must bear being done twice at once: a process that hangs for longer than its
lease does not know that it has lost it.
"""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from overread.errors import OutOfResourcesError
from service.store import locks
from service.store.clock import beyond_reason
from service.store.database import Store
from service.store.schema import leases

_log = structlog.get_logger("overread.leases")

_LEASE = select(leases).where(leases.c.name == bindparam("lease"))
"""One lease, if anybody ever held it."""

_ADD = insert(leases)
_CHANGE = update(leases).where(leases.c.name == bindparam("changed_lease"))
_RELEASE = delete(leases).where(leases.c.name == bindparam("lease"), leases.c.owner == bindparam("holder"))


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedLease:
    """Request of one process for a named lease."""

    name: str
    owner: str  # different for every process
    seconds: float  # after which another may have it, unless it is taken anew


def process_name(kind: str) -> str:
    """Return the name of this process in leases and in the history of cases, such as `worker host 4711`."""
    return f"{kind} {socket.gethostname()} {os.getpid()}"[:128]


def take_lease(store: Store, lease: NamedLease, *, now: datetime) -> bool:
    """Let the owner have a lease, from now for its duration, and return whether it has it.

    Nothing is written while it is another's, nor while more than half of its duration is left to the owner.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    with store.reading() as connection:
        held = _held(connection, lease, now)
    if held is not None:
        if held.owner != lease.owner:
            return False
        if held.until - now > timedelta(seconds=lease.seconds / 2):
            return True
    with store.writing(locks.lease(lease.name), durable=False) as connection:
        held = _held(connection, lease, now)
        if held is not None and held.owner != lease.owner:
            return False
        values = {"owner": lease.owner, "until": now + timedelta(seconds=lease.seconds)}
        if connection.execute(_CHANGE, {"changed_lease": lease.name, **values}).rowcount == 0:
            connection.execute(_ADD, {"name": lease.name, **values})
    return True


def release_lease(store: Store, lease: NamedLease) -> None:
    """Let others have a lease at once, if it is still the owner's.

    Raises:
        OutOfResourcesError: the store is not available; the lease will run out.
    """
    with store.writing(locks.lease(lease.name), durable=False) as connection:
        connection.execute(_RELEASE, {"lease": lease.name, "holder": lease.owner})


def holder_of(store: Store, name: str) -> str | None:
    """Return the owner of a lease, whether or not it has run out; None where nobody has it.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    with store.reading() as connection:
        row = connection.execute(_LEASE, {"lease": name}).one_or_none()
    return None if row is None else str(row.owner)


@contextmanager
def kept_lease(store: Store, lease: NamedLease, *, clock: Callable[[], datetime]) -> Iterator[None]:
    """Keep a lease that has been taken from running out while the block runs."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(lease.seconds / 3):
            try:
                take_lease(store, lease, now=clock())
            except OutOfResourcesError as error:
                _log.warning("store_unavailable", lease=lease.name, why=str(error))

    thread = threading.Thread(target=renew, name=f"lease {lease.name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _held(connection: Connection, lease: NamedLease, now: datetime) -> Row[Any] | None:
    """Return the row of a lease that has not run out; one that a clock ahead of ours put down has."""
    row = connection.execute(_LEASE, {"lease": lease.name}).one_or_none()
    if row is None or not now < row.until <= beyond_reason(now, longest_seconds=lease.seconds):
        return None
    return row
