"""The processes of an installation, as the kernel lists them."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.kill import role_of


@dataclass(frozen=True, kw_only=True)
class LiveProcess:
    """A process that lives."""

    pid: int
    role: str  # such as "worker", and "worker/child" of what a worker started

    @property
    def peak_megabytes(self) -> float:
        """Return the most memory that it has had; 0 if it has ended."""
        with suppress(OSError, IndexError):
            status = Path(f"/proc/{self.pid}/status").read_text()
            return int(status.partition("VmHWM:")[2].split()[0]) / 1024
        return 0.0

    @property
    def descriptors(self) -> int:
        """Return how many files and sockets it has open; 0 if it has ended."""
        with suppress(OSError):
            return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())
        return 0


def family(pid: int) -> list[LiveProcess]:
    """Return the supervisor and all that descends from it, the supervisor first."""
    return [LiveProcess(pid=pid, role="supervisor"), *descendants(pid)]


def descendants(pid: int) -> list[LiveProcess]:
    """Return what descends from a process, by role and pid."""
    by_parent: dict[int, list[tuple[int, str]]] = {}
    for child, parent, role in _all():
        by_parent.setdefault(parent, []).append((child, role))
    found = list(_below(pid, "", by_parent))
    return sorted(found, key=lambda process: (process.role, process.pid))


def _below(pid: int, within: str, by_parent: dict[int, list[tuple[int, str]]]) -> Iterator[LiveProcess]:
    for child, role in by_parent.get(pid, []):
        named = f"{within}/child" if within else role
        yield LiveProcess(pid=child, role=named)
        yield from _below(child, within or role, by_parent)


def _all() -> Iterator[tuple[int, int, str]]:
    """Give pid, pid of the parent and role of every process that is no zombie."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if state != "Z":
                yield int(entry.name), int(parent), _role(words)


def _role(words: list[str]) -> str:
    if "service.watch.process" in words:
        return "folder"
    return "fetch" if "fetch" in words else role_of(words)
