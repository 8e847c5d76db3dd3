"""Recorder of views: takes entries without waiting, and writes them together a moment later."""

import queue
import threading
from collections import OrderedDict
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

import structlog

from overread.errors import OutOfResourcesError
from service.store.audit_entries import AuditEntry
from service.store.audit_trail import record_acts
from service.store.database import Store

_log = structlog.get_logger("overread.audit_trail")

WAITING_MAX = 10_000  # entries that are not written yet; then nothing more is shown
REPEATED_WITHIN = timedelta(seconds=60)  # the same view by the same person from the same place counts once
_REMEMBERED = 10_000  # views
_BATCH = 500  # entries a transaction
_GATHER_SECONDS = 0.05  # for which the first entry waits for others
_RETRY_SECONDS = 1.0


class AuditRecorder:
    """Writes entries from a thread of its own while its `with` block runs, and the rest as it ends.

    What it has been given and not written, of the last moment, is lost when the process is killed; where the
    database is away it waits, and tells that it is full before entries would be lost.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: queue.Queue[AuditEntry | None] = queue.Queue()
        self._seen: OrderedDict[tuple[object, ...], datetime] = OrderedDict()
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit trail", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._waiting.put(None)
        self._thread.join()

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be written that nothing more may be shown."""
        return self._waiting.qsize() >= WAITING_MAX

    def note(self, entry: AuditEntry) -> None:
        """Take an entry, to be written soon; one that repeats another of the last minute is left out."""
        if not self._repeats(entry):
            self._waiting.put(entry)

    def _repeats(self, entry: AuditEntry) -> bool:
        key = (
            entry.actor.identifier,
            entry.sent_from,
            entry.action,
            entry.outcome,
            entry.what,
            entry.subject,
            entry.detail,
        )
        with self._lock:
            last = self._seen.get(key)
            if last is not None and timedelta(0) <= entry.at - last < REPEATED_WITHIN:
                return True
            self._seen[key] = entry.at
            self._seen.move_to_end(key)
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        return False

    def _run(self) -> None:
        ended = False
        while not ended:
            batch, ended = self._gather()
            is_last_try = False
            while batch and not self._write(batch):
                if is_last_try:
                    _log.error("audit_entries_lost", entries=len(batch))
                    break
                is_last_try = self._ending.wait(_RETRY_SECONDS)

    def _gather(self) -> tuple[list[AuditEntry], bool]:
        """Return the entries that came together, and whether there will be no more."""
        first = self._waiting.get()
        if first is None:
            return [], True
        batch = [first]
        self._ending.wait(_GATHER_SECONDS)
        while len(batch) < _BATCH:
            try:
                entry = self._waiting.get_nowait()
            except queue.Empty:
                break
            if entry is None:
                return batch, True
            batch.append(entry)
        return batch, False

    def _write(self, batch: list[AuditEntry]) -> bool:
        try:
            record_acts(self._store, batch, durable=False)
        except OutOfResourcesError as error:
            _log.warning("store_unavailable", why=str(error))
            return False
        return True
