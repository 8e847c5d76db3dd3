"""Time limits by a clock that nobody sets: the library's follow the time of day, which may jump."""

import time
from collections.abc import Callable

from pynetdicom.timer import Timer


class SteadyTimer(Timer):
    """As the library's timer, by another clock."""

    def __init__(self, timeout: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(timeout)
        self._clock = clock
        self._started_at: float | None = None
        self._stopped_at: float | None = None

    @property
    def expired(self) -> bool:
        """Whether it ran for longer than its timeout."""
        return self.timeout is not None and self._started_at is not None and self.remaining < 0

    @property
    def remaining(self) -> float:
        """Seconds until it expires, negative afterwards; 1 if it never does."""
        if self.timeout is None:
            return 1
        if self._started_at is None:
            return self.timeout
        until = self._clock() if self._stopped_at is None else self._stopped_at
        return self.timeout - (until - self._started_at)

    def start(self) -> None:
        """Start it anew."""
        self._started_at, self._stopped_at = self._clock(), None

    def stop(self) -> None:
        """Stop it."""
        self._stopped_at = self._clock()
