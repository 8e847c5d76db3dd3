"""Says every few seconds, from a thread of its own, that a worker lives and what it works on."""

import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Self

import structlog

from overread import __version__
from overread.errors import OutOfResourcesError
from overread.observation import ObserverIdentity
from service.store.database import Store
from service.store.workers import WorkerRecord, note_worker, remove_worker

_SECONDS = 5.0

_log = structlog.get_logger("overread.worker")


class Presence:
    """Keeps the row of one worker in the store while its `with` block runs."""

    def __init__(
        self, store: Store, name: str, observers: Sequence[ObserverIdentity], *, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._name = name
        self._detectors = tuple(f"{item.name} {item.version}" for item in observers)
        self._clock = clock
        self._started_at = clock()
        self._case_id: int | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        try:
            remove_worker(self._store, self._name)
        except OutOfResourcesError as unavailable:  # it will count as gone
            _log.warning("store_unavailable", worker=self._name, why=str(unavailable))

    @contextmanager
    def working_on(self, case_id: int) -> Iterator[None]:
        """Say that the worker works on this case while the block runs."""
        self._case_id = case_id
        try:
            yield
        finally:
            self._case_id = None

    def _run(self) -> None:
        while True:
            self._note()
            if self._done.wait(_SECONDS):
                return

    def _note(self) -> None:
        record = WorkerRecord(
            name=self._name,
            host=socket.gethostname(),
            pid=os.getpid(),
            release=__version__,
            detectors=self._detectors,
            started_at=self._started_at,
            seen_at=self._clock(),
            case_id=self._case_id,
        )
        try:
            note_worker(self._store, record)
        except OutOfResourcesError as error:
            _log.warning("store_unavailable", worker=self._name, why=str(error))
