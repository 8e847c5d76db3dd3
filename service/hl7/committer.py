"""Commits the reports of all connections together: the disk is waited for once, not once per message."""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime

import structlog

from overread.errors import InputError
from service.error_boundary import ErrorBoundary
from service.intake.reports import IncomingReport, ReportReceipt, receive_reports
from service.store.database import Store

BATCH_MAX = 64  # messages in one transaction; on SQLite it keeps every other writer waiting

_log = structlog.get_logger("overread.mllp")

Outcomes = tuple[ReportReceipt | InputError, ...]
_Waiting = tuple[tuple[IncomingReport, ...], "Future[Outcomes]"]


class GroupCommitter:
    """Takes the reports of messages from any thread, and keeps those that wait at the same time in one go."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._waiting: queue.SimpleQueue[_Waiting] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="committer", daemon=True).start()

    def submit(self, reports: Sequence[IncomingReport]) -> "Future[Outcomes]":
        """Return the future outcomes of the reports of one message; they are durable when it is done.

        It raises OutOfResourcesError where nothing can be stored now.
        """
        future: Future[Outcomes] = Future()
        self._waiting.put((tuple(reports), future))
        return future

    def _run(self) -> None:
        while True:
            batch = [self._waiting.get()]
            while len(batch) < BATCH_MAX and not self._waiting.empty():
                batch.append(self._waiting.get())
            self._commit(batch)

    def _commit(self, batch: Sequence[_Waiting]) -> None:
        together = [report for reports, _ in batch for report in reports]
        with ErrorBoundary() as boundary:
            outcomes = iter(receive_reports(self._store, together, now=self._clock()))
        if boundary.error is None:
            for reports, future in batch:
                future.set_result(tuple(next(outcomes) for _ in reports))
        elif len(batch) > 1:  # one message must not be the ruin of the others
            for waiting in batch:
                self._commit([waiting])
        else:
            _log.warning("not_committed", reason=type(boundary.error).__name__)
            batch[0][1].set_exception(boundary.error)
