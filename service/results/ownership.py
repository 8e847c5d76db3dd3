"""Ownership of the outbox: one process at a time sends to a destination; a dead one is succeeded at once."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.results.clock import Clock
from service.store.database import Store
from service.store.leases import NamedLease, holder_of, kept_lease, release_lease, take_lease

LEASE_SECONDS = 60.0


def this_process() -> str:
    """Return this process as the owner of a lease: machine, process namespace, number and start."""
    pid = os.getpid()
    return f"results {socket.gethostname()} {_namespace()} {pid} {_started(pid)}"[:128]


def lease_of(what: str, owner: str) -> NamedLease:
    """Return the lease of one destination, or of the making of results."""
    return NamedLease(name=f"results {what}"[:64], owner=owner, seconds=LEASE_SECONDS)


@contextmanager
def owning(store: Store, what: str, owner: str, *, clock: Clock) -> Iterator[bool]:
    """Give whether this process has the lease; it is kept while the block runs, and released at its end.

    A lease whose owner ran on this machine and is dead is taken over, not waited for.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    lease = lease_of(what, owner)
    if not take_lease(store, lease, now=clock()):
        holder = holder_of(store, lease.name)
        if holder is None or not is_dead(holder):
            yield False
            return
        release_lease(store, NamedLease(name=lease.name, owner=holder, seconds=LEASE_SECONDS))
        if not take_lease(store, lease, now=clock()):
            yield False
            return
    try:
        with kept_lease(store, lease, clock=clock):
            yield True
    finally:
        release_lease(store, lease)


def is_dead(owner: str) -> bool:
    """Whether an owner ran on this machine, in sight of this process, and does not run any more."""
    words = owner.split(" ")
    if len(words) != 5 or words[1:3] != [socket.gethostname(), _namespace()]:
        return False
    return not words[3].isdecimal() or _started(int(words[3])) != words[4]


def _namespace() -> str:
    """Return the namespace of process numbers: a container has one of its own."""
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return "none"


def _started(pid: int) -> str:
    """Return when a process started, in ticks since the machine did; "gone" where there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "gone"
    return "gone" if fields[0] == "Z" else fields[19]
