"""Housekeeping: tasks that one worker of the installation does now and then."""

from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Self

import structlog

from overread.errors import OutOfResourcesError
from service.intake.closing import close_quiet_studies
from service.metrics import LEASES_LOST
from service.store.audit_trail import seal_trail
from service.store.case_counts import fold_counts
from service.store.database import Store
from service.store.leases import NamedLease, kept_lease, release_lease, take_lease
from service.store.queue import expire_leases
from service.store.workers import remove_gone_workers
from service.triage.reconsideration import reorder_list

_NAME = "housekeeping"
_SECONDS_MIN = 1.0
_POLLS = 4  # a worker that polls keeps the lease; one that is busy for longer leaves it to another
_PART_OF_LEASE = 0.25  # of how long the case of a dead worker waits in any case

_log = structlog.get_logger("overread.worker")


class Housekeeping:
    """Does what is due, if no other worker of the installation does it; left to others as the block ends."""

    def __init__(self, store: Store, *, worker: str, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        settings = store.settings
        seconds = max(_SECONDS_MIN, _POLLS * settings.poll_seconds, _PART_OF_LEASE * settings.lease_seconds)
        self._lease = NamedLease(name=_NAME, owner=worker, seconds=seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            release_lease(self._store, self._lease)
        except OutOfResourcesError as unavailable:  # the lease will run out
            _log.warning("store_unavailable", worker=self._lease.owner, why=str(unavailable))

    def do(self) -> None:
        """Do what is due, or return at once if it is another worker's to do.

        Raises:
            OutOfResourcesError: the store is not available.
        """
        if take_lease(self._store, self._lease, now=self._clock()):
            with kept_lease(self._store, self._lease, clock=self._clock):
                do_housekeeping(self._store, now=self._clock())


def do_housekeeping(store: Store, *, now: datetime) -> None:
    """Do each of the tasks once.

    Cases whose lease ran out are given back, quiet studies closed, a change of policy is followed, changes of
    the counts are added up, and the audit trail is sealed.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    LEASES_LOST.inc(expire_leases(store, now=now))
    close_quiet_studies(store, now=now)
    reorder_list(store, now=now)
    remove_gone_workers(store, now=now)
    fold_counts(store)
    seal_trail(store)
