"""Waiting for what another process does, as long as only a fault takes."""

import time
from collections.abc import Callable
from pathlib import Path

DEADLINE_SECONDS = 120.0  # far beyond what a busy machine needs: a limit that only a fault reaches
POLL_SECONDS = 0.01


def eventually(condition: Callable[[], bool]) -> None:
    """Return as soon as it holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen")
        time.sleep(POLL_SECONDS)  # what is waited for needs the processor


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
