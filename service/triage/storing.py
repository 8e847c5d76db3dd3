"""Stores what was concluded about one case while the worker looks at the next."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from types import TracebackType
from typing import Self

import structlog

from overread.errors import OutOfResourcesError
from service.error_boundary import ErrorBoundary
from service.metrics import TRIAGE_SECONDS, TriageEnd
from service.store.database import Store
from service.store.queue import complete_case
from service.store.records import ClaimedCase
from service.tracing import Step, traces
from service.triage.ending import count_end, end_case, names_of
from service.triage.heartbeat import Heartbeat
from service.triage.looks import Conclusion

_log = structlog.get_logger("overread.worker")


class Storing:
    """Stores conclusions in a thread of its own, one after the other, while its `with` block runs.

    A worker is ahead of it by one case at most. A conclusion that is lost with the process costs its case
    another look: the lease runs out, as for a case that was being looked at.
    """

    def __init__(self, store: Store, heartbeat: Heartbeat, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self.heartbeat = heartbeat
        self._clock = clock
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="storing")
        self._last: Future[bool] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Return when all is stored, and raise what `settle` raises unless the block raised already."""
        self._executor.shutdown()
        if error is None:
            try:
                self.settle()
            except OutOfResourcesError as unavailable:  # the case has been given back, or will be
                _log.warning("store_unavailable", why=str(unavailable))

    def begin(self, claimed: ClaimedCase, conclusion: Conclusion, *, started: float) -> None:
        """Begin to store a conclusion, and return when the one before is stored.

        Args:
            claimed: its case, whose lease the heartbeat keeps; it is let go when this is done.
            conclusion: about it.
            started: `time.perf_counter()` at the claim.

        Raises:
            Exception: what storing the one before raised; this one is stored nevertheless. See `settle`.
        """
        previous = self._last
        self._last = self._executor.submit(self._store_one, claimed, conclusion, started)
        if previous is not None:
            previous.result()

    def settle(self) -> bool:
        """Return when nothing is left to be stored; whether the last conclusion was, in time for its lease.

        Raises:
            ConfigurationError: the policy is wrong; the case is back in the queue.
            OutOfResourcesError: the store is not available; the case is given back, or loses its lease.
        """
        last, self._last = self._last, None
        return last is not None and last.result()

    def _store_one(self, claimed: ClaimedCase, conclusion: Conclusion, started: float) -> bool:
        with (
            ErrorBoundary() as boundary,
            traces().step(
                Step.CONCLUDE,
                claimed.lease.case_id,
                revision=claimed.lease.revision,
                outcome=conclusion.result.outcome.value,
            ),
        ):
            complete_case(
                self._store,
                claimed,
                conclusion.result,
                reading=conclusion.reading,
                detections=conclusion.detections,
                appearance=conclusion.appearance,
                now=self._clock(),
            )
        self.heartbeat.let_go(claimed.lease)
        if boundary.error is not None:
            end_case(self._store, claimed, boundary.error, clock=self._clock)
            return False
        TRIAGE_SECONDS.observe(time.perf_counter() - started)
        count_end(TriageEnd.CONCLUDED)
        _log.info("triaged", outcome=conclusion.result.outcome.value, **names_of(claimed))
        return True
