"""Progress of long work, on a terminal only."""

import sys
import time

_SECONDS = 0.5


class TerminalProgress:
    """Shows now and then what is being done and how many of it are, while standard error is a terminal."""

    def __init__(self) -> None:
        self._shown = time.monotonic()
        self._on = sys.stderr.isatty()

    def __call__(self, what: str, count: int) -> None:
        """Take note of what is being done."""
        if self._on and time.monotonic() - self._shown >= _SECONDS:
            self._shown = time.monotonic()
            sys.stderr.write(f"\r\033[K{what}: {count}")

    def end(self) -> None:
        """Leave the line to what is printed next."""
        if self._on:
            sys.stderr.write("\r\033[K")
