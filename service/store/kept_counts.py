"""Counts of the cases by state: exact while there are few, kept for some seconds when there are very many.

To count a million rows takes a tenth of a second on either database, for figures that nobody reads to the
last digit. From so many cases on, one thread counts now and then, and whoever asks meanwhile gets what it
counted last.
"""

import threading
import time
from collections.abc import Mapping

from sqlalchemy import Connection, Engine

from overread.errors import OutOfResourcesError
from service.store import queries

COUNTS = "kept_counts"
"""Execution option of a connection: the `KeptCounts` of its store."""


class KeptCounts:
    """What one process counted last. Threads may share it."""

    def __init__(
        self, *, kept_from: int = 100_000, fresh_seconds: float = 5.0, stale_seconds: float = 60.0
    ) -> None:
        """Keep nothing yet.

        Args:
            kept_from: cases; of fewer every answer is counted anew.
            fresh_seconds: for which counts are given out before they are counted again.
            stale_seconds: after which whoever asks waits for the new ones.
        """
        self._kept_from, self._fresh_seconds, self._stale_seconds = kept_from, fresh_seconds, stale_seconds
        self._lock = threading.Lock()
        self._counts: Mapping[str, int] | None = None
        self._counted_at = 0.0
        self._is_counting = False

    def read(self, connection: Connection) -> Mapping[str, int]:
        """Return how many cases are in each state; states without a case are left out."""
        with self._lock:
            counts, age = self._counts, time.monotonic() - self._counted_at
            is_kept = (
                counts is not None and sum(counts.values()) >= self._kept_from and age < self._stale_seconds
            )
            begins = is_kept and age >= self._fresh_seconds and not self._is_counting
            self._is_counting = self._is_counting or begins
        if counts is None or not is_kept:
            return self._keep(_count(connection))
        if begins:
            threading.Thread(target=self._count_anew, args=(connection.engine,), daemon=True).start()
        return counts

    def _keep(self, counts: Mapping[str, int]) -> Mapping[str, int]:
        with self._lock:
            self._counts, self._counted_at = counts, time.monotonic()
        return counts

    def _count_anew(self, engine: Engine) -> None:
        try:
            with engine.connect() as connection:
                self._keep(_count(connection))
        except OutOfResourcesError:
            pass  # whoever asks after a minute counts, and is told
        finally:
            with self._lock:
                self._is_counting = False


def counts_by_state(connection: Connection) -> Mapping[str, int]:
    """Return how many cases there are in each state, of every site; states without a case are left out."""
    kept: KeptCounts | None = connection.get_execution_options().get(COUNTS)
    return _count(connection) if kept is None else kept.read(connection)


def _count(connection: Connection) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(queries.COUNT_BY_STATE)}
