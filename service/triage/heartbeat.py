"""Renews the leases of the cases that a worker has in hand."""

import threading
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Self

import structlog

from overread.errors import LeaseLostError, OutOfResourcesError
from service.store.database import Store
from service.store.queue import renew_lease
from service.store.records import Lease

_log = structlog.get_logger("overread.worker")


class Heartbeat:
    """Renews the leases that it was given, in a thread of its own, while its `with` block runs."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._guard = threading.Lock()
        self._beats_left: dict[Lease, int] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def keep(self, lease: Lease) -> None:
        """Renew this lease from now on; a look that never ends is left to lose it in the end."""
        settings = self._store.settings
        with self._guard:
            self._beats_left[lease] = int(3 * settings.case_seconds_max / settings.lease_seconds)

    def let_go(self, lease: Lease) -> None:
        """Renew this lease no longer; nothing happens if it is not kept."""
        with self._guard:
            self._beats_left.pop(lease, None)

    @property
    def leases(self) -> set[Lease]:
        """Return the leases that are kept."""
        with self._guard:
            return set(self._beats_left)

    def _run(self) -> None:
        while not self._done.wait(self._store.settings.lease_seconds / 3):
            for lease in self._due():
                self._renew(lease)

    def _due(self) -> list[Lease]:
        """Return the leases to renew now, each counted down."""
        with self._guard:
            due = [lease for lease, left in self._beats_left.items() if left > 0]
            for lease in self._beats_left.keys() - set(due):
                _log.error("look_too_long", case=lease.case_id, worker=lease.owner)
            for lease in due:
                self._beats_left[lease] -= 1
            return due

    def _renew(self, lease: Lease) -> None:
        try:
            renew_lease(self._store, lease, now=self._clock())
        except LeaseLostError:
            pass  # storing the result will tell
        except OutOfResourcesError as error:
            _log.warning("store_unavailable", case=lease.case_id, why=str(error))
