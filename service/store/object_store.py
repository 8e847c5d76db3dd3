"""The port of what is kept under its hash, and the shelf that is a folder; another is a bucket.

    <folder>/ab/<sha256>   bytes as received; never named by anything that a sender chose

A file is synced before it gets its name, and the folder after, so a name that can be seen has its bytes.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from overread.errors import NotFoundError, OutOfResourcesError

_HEX = "0123456789abcdef"
PREFIXES = tuple(f"{high}{low}" for high in _HEX for low in _HEX)
"""The first two digits of every hash: a shelf is listed one of these at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptObject:
    """One object on a shelf, as the shelf itself tells."""

    sha256: str  # its name: what the hash of its bytes should be
    size_bytes: int
    modified_at: datetime


class ObjectStore(Protocol):
    """Bytes under their hash, on storage that survives a power cut. Threads and processes may share one.

    Every method raises OutOfResourcesError while the storage cannot be reached or is full: nothing is lost,
    and trying again later may succeed.
    """

    def take(self, path: Path, sha256: str) -> None:
        """Keep the bytes of a file, durably, under their hash; the file is gone from where it was."""

    def size_of(self, sha256: str) -> int | None:
        """Return how many bytes are kept under a hash; None where there is no such object."""

    def local(self, sha256: str) -> Path | None:
        """Return a file with the bytes if this machine has one, and fetch nothing."""

    def fetch(self, sha256: str) -> Path:
        """Return a file on this machine with the bytes, which nobody may change.

        Raises:
            NotFoundError: there is no such object.
        """

    def reading(self, sha256: str) -> AbstractContextManager[BinaryIO]:
        """Give a stream of the bytes as the storage has them now, while a `with` block runs.

        Raises:
            NotFoundError: there is no such object.
        """

    def remove(self, sha256: str) -> None:
        """Remove an object; one that is not there is no matter."""

    def listed(self, prefix: str) -> Iterator[KeptObject]:
        """Yield what is kept under hashes that start with two digits, in their order."""

    def check(self) -> None:
        """Return if the storage can be reached and is set up.

        Raises:
            ConfigurationError: it does not exist, or refuses who asks.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderObjectStore:
    """A folder of the local file system, or of one that machines share."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> "FolderObjectStore":
        """Return the shelf with all of its folders, so that no object has to wait until its own is made."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for prefix in PREFIXES:
            (folder / prefix).mkdir(exist_ok=True, mode=0o700)
        sync_folder(folder)
        return cls(folder=folder)

    def take(self, path: Path, sha256: str) -> None:
        """Keep the bytes of a file; a crash leaves either the whole of it on the shelf, or nothing."""
        target = self._place(sha256)
        with disk_errors():
            sync_file(path)
            path.replace(target)
            sync_folder(target.parent)

    def size_of(self, sha256: str) -> int | None:
        """Return how many bytes are kept under a hash; None where there is no such object."""
        try:
            return self._place(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def local(self, sha256: str) -> Path | None:
        """Return the file."""
        path = self._place(sha256)
        return path if path.exists() else None

    def fetch(self, sha256: str) -> Path:
        """Return the file.

        Raises:
            NotFoundError: there is none.
        """
        path = self.local(sha256)
        if path is None:
            raise NotFoundError(f"the bytes of object {sha256} are not stored; see overread fsck")
        return path

    @contextmanager
    def reading(self, sha256: str) -> Iterator[BinaryIO]:
        """Give the open file.

        Raises:
            NotFoundError: there is none.
        """
        with self.fetch(sha256).open("rb") as file:
            yield file

    def remove(self, sha256: str) -> None:
        """Remove the file, if there is one."""
        with disk_errors():
            self._place(sha256).unlink(missing_ok=True)

    def listed(self, prefix: str) -> Iterator[KeptObject]:
        """Yield the files of one folder, in the order of their names."""
        for name in sorted(entry.name for entry in os.scandir(self.folder / prefix) if entry.is_file()):
            try:
                status = (self.folder / prefix / name).stat()
            except FileNotFoundError:
                continue  # moved meanwhile
            yield KeptObject(
                sha256=name,
                size_bytes=status.st_size,
                modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
            )

    def check(self) -> None:
        """Return: the folder was made when the store was opened."""

    def _place(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256


def sync_file(path: Path) -> None:
    """Return when the bytes of a file are on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Return when the names in the folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def disk_errors() -> Iterator[None]:
    """Let what the disk refuses be a matter of trying again later."""
    try:
        yield
    except OSError as error:
        raise OutOfResourcesError(
            f"the data folder cannot be written: {os.strerror(error.errno or 0)}; try again later"
        ) from error
