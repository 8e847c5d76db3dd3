"""Limits of one call in a child process, and the watch that holds the child to them."""

import os
import time
from dataclasses import dataclass

from overread.errors import OverLimitError

TICK_SECONDS = 0.04
"""Time between two looks at what a child uses; it can pass a limit by what it takes meanwhile."""

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one call; None sets none."""

    wall_seconds: float
    cpu_seconds: float | None = None  # of all threads together
    memory_bytes: int | None = None  # anonymous memory beyond what the child held when the function began
    answer_bytes: int = 1 << 28  # of what it returns


def memory_bytes_of(pid: int) -> int | None:
    """Return the anonymous memory of a process, in which mapped files are not; None where it cannot be told.

    From /proc (proc(5)), which other systems than Linux may not have.
    """
    content = _read(f"/proc/{pid}/statm")
    if content is None:
        return None
    _, resident, shared, *_ = content.split()
    return (int(resident) - int(shared)) * _PAGE_BYTES


def cpu_seconds_of(pid: int) -> float | None:
    """Return the processor time of all threads of a process; None where it cannot be told."""
    content = _read(f"/proc/{pid}/stat")
    if content is None:
        return None
    fields = content.rpartition(b")")[2].split()  # the name before it may hold anything
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND  # utime and stime


def _read(path: str) -> bytes | None:
    """Return a file of /proc in few system calls: this is done all the time beside a network that works."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(descriptor, 4096) or None
    except OSError:
        return None
    finally:
        os.close(descriptor)


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
        self._memory_before = memory_bytes_of(pid)
        self._memory_bytes: int | None = None  # when the function began
        self._cpu_seconds = cpu_seconds_of(pid) if limits.cpu_seconds is not None else None
        self._ends_at = time.monotonic() + limits.wall_seconds

    def begin(self) -> int:
        """Watch the memory from here on, where the function begins; return what the child took before that.

        Modules that it imports to understand the call, and the arguments, are none of the function's doing.
        """
        self._memory_bytes = memory_bytes_of(self._pid)
        if self._memory_bytes is None or self._memory_before is None:
            return 0
        return self._memory_bytes - self._memory_before

    def check(self) -> None:
        """Return while the call keeps its limits.

        Raises:
            OverLimitError: it does not.
        """
        limits = self._limits
        if time.monotonic() > self._ends_at:
            raise self._over("wall_seconds", f"longer than {limits.wall_seconds:g} s")
        if limits.cpu_seconds is not None and self._cpu_seconds is not None:
            now = cpu_seconds_of(self._pid)
            if now is not None and now - self._cpu_seconds > limits.cpu_seconds:
                raise self._over("cpu_seconds", f"more than {limits.cpu_seconds:g} s of processor time")
        if limits.memory_bytes is not None and self._memory_bytes is not None:
            held = memory_bytes_of(self._pid)
            if held is not None and held - self._memory_bytes > limits.memory_bytes:
                measure = f"more than {limits.memory_bytes / _MEBIBYTE:g} MiB of memory"
                raise self._over("memory_bytes", measure)

    def _over(self, limit: str, measure: str) -> OverLimitError:
        return OverLimitError(f"{self._what} took {measure} and was ended", limit=limit)
