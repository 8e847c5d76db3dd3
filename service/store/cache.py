"""Copies of objects on this machine, so that what is looked at again is not fetched again.

    <folder>/ab/<sha256>            the bytes; the time of the file is that of its last use
    <folder>/<sha256>.<random>      while it is fetched

Processes of one machine share the folder. What was used a moment ago is never removed, since somebody may be
about to open it; so the limit is passed by what is in use, and by nothing else.
"""

import fcntl
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from overread.errors import NotFoundError
from service.store.object_store import disk_errors

_CHUNK_BYTES = 1 << 20
_LOOK_SHARE = 64  # a process looks at the whole folder once it has added this part of the limit
_KEPT_SHARE = 3 / 4  # what is left of the limit after evicting
_ABANDONED_SECONDS = 3600.0  # a fetch that takes longer has died


class _Count:
    """Counts bytes over threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes = 0

    def passes(self, size_bytes: int, limit: int) -> bool:
        """Add, and return whether the limit is passed; then counting begins again."""
        with self._lock:
            self._bytes += size_bytes
            if self._bytes <= limit:
                return False
            self._bytes = 0
            return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectCache:
    """A bounded folder of copies; what was not used for longest goes first."""

    folder: Path
    bytes_max: int
    in_use_seconds: float  # what was used within so long is not removed
    _added: _Count = field(init=False, default_factory=_Count)

    def find(self, sha256: str) -> Path | None:
        """Return the copy, which is in use from now; None where there is none."""
        path = self._place(sha256)
        with self._locked(fcntl.LOCK_SH):
            try:
                os.utime(path)
            except FileNotFoundError:
                return None
        return path

    def adopt(self, path: Path, sha256: str) -> None:
        """Take over a file whose bytes have this hash; nobody has used it yet."""
        target = self._place(sha256)
        size_bytes = path.stat().st_size
        unused = time.time() - self.in_use_seconds
        with disk_errors():
            if not target.exists():
                os.utime(path, (unused, unused))
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.replace(target)
        self._count(size_bytes)

    def fill(self, sha256: str, stream: BinaryIO) -> Path:
        """Return a copy of what the stream gives, in use from now.

        Raises:
            NotFoundError: the bytes do not have this hash: the object is damaged.
        """
        target = self._place(sha256)
        with disk_errors():
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, name = tempfile.mkstemp(dir=self.folder, prefix=f"{sha256}.")
        try:
            size_bytes = _copy(stream, descriptor, sha256)
            with disk_errors():
                Path(name).replace(target)
        finally:
            os.close(descriptor)
            Path(name).unlink(missing_ok=True)
        self._count(size_bytes)
        return target

    def drop(self, sha256: str) -> None:
        """Remove a copy, if there is one."""
        with disk_errors():
            self._place(sha256).unlink(missing_ok=True)

    def evict(self) -> int:
        """Bring the folder below its limit, and return how many bytes went."""
        found, removed = sorted(self._copies()), 0
        excess = sum(size for _, size, _ in found) - int(self.bytes_max * _KEPT_SHARE)
        if excess <= self.bytes_max * (1 - _KEPT_SHARE):
            return 0
        with self._locked(fcntl.LOCK_EX):
            idle_since = time.time() - self.in_use_seconds
            for _, size, path in found:
                if removed >= excess:
                    break
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime <= idle_since:  # it may have been used since it was listed
                        path.unlink()
                        removed += size
        return removed

    def _count(self, size_bytes: int) -> None:
        if self._added.passes(size_bytes, self.bytes_max // _LOOK_SHARE):
            self.evict()

    def _copies(self) -> Iterator[tuple[float, int, Path]]:
        """Yield when each copy was last used, its bytes and its place; what a dead fetch left is removed."""
        for entry in os.scandir(self.folder):
            with suppress(FileNotFoundError):
                if entry.is_dir():
                    yield from _files_of(Path(entry.path))
                elif "." in entry.name and time.time() - entry.stat().st_mtime > _ABANDONED_SECONDS:
                    Path(entry.path).unlink()

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)

    def _place(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256


def _files_of(folder: Path) -> Iterator[tuple[float, int, Path]]:
    for entry in os.scandir(folder):
        with suppress(FileNotFoundError):
            status = entry.stat()
            yield status.st_mtime, status.st_size, Path(entry.path)


def _copy(stream: BinaryIO, descriptor: int, sha256: str) -> int:
    """Copy the stream into a file, and return how many bytes that were."""
    seen, size_bytes = hashlib.sha256(), 0
    while chunk := stream.read(_CHUNK_BYTES):
        seen.update(chunk)
        size_bytes += len(chunk)
        remaining = memoryview(chunk)
        with disk_errors():
            while remaining:
                remaining = remaining[os.write(descriptor, remaining) :]
    if seen.hexdigest() != sha256:
        raise NotFoundError(f"object {sha256} is damaged: its bytes have another hash; see overread fsck")
    return size_bytes
