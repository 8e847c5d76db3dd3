"""Looks at this process and its children from outside."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_LOOK_SECONDS = 0.02


def confined_children() -> list[int]:
    """Process ids of this process's children that decode and read for it."""
    return [pid for pid in _children() if b"service.confined.process" in _read(f"/proc/{pid}/cmdline")]


def _children() -> list[int]:
    return [
        int(pid)
        for task in Path("/proc/self/task").iterdir()
        for pid in _read(f"{task}/children").decode().split()
    ]


def _read(path: str) -> bytes:
    """What the file says; nothing where its process has ended."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


@contextlib.contextmanager
def stopped_children() -> Iterator[None]:
    """The children that there are do nothing until the block ends."""
    children = confined_children()
    assert children
    for pid in children:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in children:
            os.kill(pid, signal.SIGCONT)


class MemoryPeak:
    """The most anonymous memory that this process and its children held at once while the block ran."""

    def __init__(self) -> None:
        self.growth_bytes = 0
        self._before = _held_bytes()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(_LOOK_SECONDS):
            self.growth_bytes = max(self.growth_bytes, _held_bytes() - self._before)


def _held_bytes() -> int:
    held = 0
    for pid in (os.getpid(), *confined_children()):
        if counts := _read(f"/proc/{pid}/statm").split():
            held += (int(counts[1]) - int(counts[2])) * _PAGE_BYTES  # resident, and of that shared
    return held
