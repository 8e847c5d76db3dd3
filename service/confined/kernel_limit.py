"""The limit of memory that the kernel holds a child to, for what it takes between two looks of its parent."""

import resource
from pathlib import Path


def take_at_most(more_bytes: int) -> None:
    """Let this process take no more memory than so much beyond what it has, whether it fills it or not.

    Counted as RLIMIT_DATA is (getrlimit(2)); beyond it a library gets no memory and says so in its own way.
    On systems without /proc nothing is limited.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return
    held_bytes = int(status.read_text(encoding="ascii").partition("VmData:")[2].split()[0]) << 10
    limit = held_bytes + more_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
