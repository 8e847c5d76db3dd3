"""Limits of one call in a child process, and the watch that holds the child to them."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from overread.errors import OverLimitError

TICK_SECONDS = 0.025
"""Time between two looks at what a child uses; it can pass a limit by what it takes meanwhile."""

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one call; None sets none."""

    wall_seconds: float
    cpu_seconds: float | None = None  # of all threads together
    memory_bytes: int | None = None  # anonymous memory beyond what the child held when the call began
    answer_bytes: int = 1 << 28  # of what it returns


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process has used by now."""

    cpu_seconds: float
    memory_bytes: int  # anonymous memory; mapped files are not counted


def usage_of(pid: int) -> Usage | None:
    """Return what a process uses, from /proc (proc(5)); None where it is gone or the system has no /proc."""
    folder = Path("/proc", str(pid))
    try:
        _, resident, shared, *_ = (folder / "statm").read_text().split()
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return Usage(
        cpu_seconds=(int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND,  # utime and stime
        memory_bytes=(int(resident) - int(shared)) * _PAGE_BYTES,
    )


class Watch:
    """Watches a child during one call, from its creation on."""

    def __init__(self, pid: int, limits: Limits, *, what: str) -> None:
        """Begin the call.

        Args:
            pid: of the child.
            limits: of the call.
            what: is being done, for messages, such as "the look at the images".
        """
        self._pid = pid
        self._limits = limits
        self._what = what
        self._before = usage_of(pid)
        self._ends_at = time.monotonic() + limits.wall_seconds

    def check(self) -> None:
        """Return while the call keeps its limits.

        Raises:
            OverLimitError: it does not.
        """
        limits = self._limits
        if time.monotonic() > self._ends_at:
            raise self._over("wall_seconds", f"longer than {limits.wall_seconds:g} s")
        if self._before is None or (limits.cpu_seconds is None and limits.memory_bytes is None):
            return
        now = usage_of(self._pid)
        if now is None:
            return
        if limits.cpu_seconds is not None and now.cpu_seconds - self._before.cpu_seconds > limits.cpu_seconds:
            raise self._over("cpu_seconds", f"more than {limits.cpu_seconds:g} s of processor time")
        taken_bytes = now.memory_bytes - self._before.memory_bytes
        if limits.memory_bytes is not None and taken_bytes > limits.memory_bytes:
            raise self._over("memory_bytes", f"more than {limits.memory_bytes / _MEBIBYTE:g} MiB of memory")

    def _over(self, limit: str, measure: str) -> OverLimitError:
        return OverLimitError(f"{self._what} took {measure} and was ended", limit=limit)
