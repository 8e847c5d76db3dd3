"""The files of the store: what arrives, what is kept, what was refused.

    incoming/<random>        while it arrives; locked by its writer, so that a dead writer's is removed
    objects/ab/<sha256>      kept, bytes as received: a folder, or a part of a bucket
    quarantine/ab/<sha256>   refused, bytes as received: the same
    cache/ab/<sha256>        copies of what lies in a bucket

What is on a shelf is durable before a row mentions it, so that what a committed row names has its bytes.
"""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from overread.errors import ConfigurationError, InputError, OutOfResourcesError
from service.settings import Settings
from service.store.cache import ObjectCache
from service.store.modes import correct_folder
from service.store.object_store import FolderObjectStore, ObjectStore, disk_errors, sync_folder
from service.store.pressure import note_turned_away, prepare_mark

_FOLDERS = ("objects", "quarantine")
_CHECK_BYTES = 64 << 20  # free space is looked at once in so many bytes written


class IncomingFile:
    """An object while it arrives. Write chunks, then hand it to `service.intake.instances.receive_instance`.

    It is a context manager: what was not kept when the block ends is removed. One user at a time.
    """

    def __init__(self, files: "ObjectFiles") -> None:
        """Make an empty file; better call `ObjectFiles.begin`."""
        self._files = files
        self._descriptor, self.path = files.make_incoming()
        self._hash = hashlib.sha256()
        self._checked_bytes = 0
        self._placed = False
        self.size_bytes = 0

    def write(self, chunk: bytes | memoryview) -> None:
        """Append a chunk.

        Raises:
            InputError: the object is larger than the settings allow.
            OutOfResourcesError: the disk is nearly full.
        """
        self.size_bytes += len(chunk)
        if self.size_bytes > self._files.settings.object_bytes_max:
            raise InputError(
                f"the object is larger than {self._files.settings.object_bytes_max} bytes; "
                "raise OVERREAD_OBJECT_BYTES_MAX if it is meant to be"
            )
        if self.size_bytes - self._checked_bytes > _CHECK_BYTES:
            self._files.require_space()
            self._checked_bytes = self.size_bytes
        self._hash.update(chunk)
        remaining = memoryview(chunk)
        try:
            with disk_errors():
                while remaining:
                    remaining = remaining[os.write(self._descriptor, remaining) :]
        except OutOfResourcesError:
            note_turned_away(self._files.settings.data_folder)
            raise

    @property
    def sha256(self) -> str:
        """Hash of the bytes written so far, in lower-case hexadecimal digits."""
        return self._hash.hexdigest()

    def place(self, shelf: ObjectStore) -> None:
        """Put the bytes on a shelf; a crash leaves either all of them there, or nothing."""
        shelf.take(self.path, self.sha256)
        self._placed = True

    def close(self) -> None:
        """Remove the file if it was not placed, and let go of it."""
        if self._descriptor >= 0:
            if not self._placed:
                self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectFiles:
    """Object stores of one installation."""

    settings: Settings
    incoming: Path
    objects: ObjectStore
    quarantine: ObjectStore

    @classmethod
    def in_folder(cls, settings: Settings) -> "ObjectFiles":
        """Return the files of an installation, whose folders are made.

        Raises:
            ConfigurationError: the object storage that the settings name is not set up, or the data folder is
                open to others and cannot be closed to them.
            OutOfResourcesError: the object storage cannot be reached.
        """
        folder = settings.data_folder
        for part in (folder, folder / "incoming"):  # the folder itself: by default the database lies in it
            part.mkdir(parents=True, exist_ok=True, mode=0o700)
        correct_folder(folder)
        prepare_mark(folder)
        objects, quarantine = _shelves(settings)
        sync_folder(folder)
        return cls(settings=settings, incoming=folder / "incoming", objects=objects, quarantine=quarantine)

    def begin(self) -> IncomingFile:
        """Return an empty file for an object that starts to arrive.

        Raises:
            OutOfResourcesError: the disk is nearly full.
        """
        self.require_space()
        return IncomingFile(self)

    def make_incoming(self) -> tuple[int, Path]:
        """Return the descriptor and path of a new file that this process has locked."""
        with disk_errors():
            while True:
                descriptor, name = tempfile.mkstemp(dir=self.incoming)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if os.fstat(descriptor).st_nlink:
                    return descriptor, Path(name)
                os.close(descriptor)  # swept by another process between the two calls

    def path_of(self, sha256: str) -> Path:
        """Return a file with the bytes of a kept object; from a bucket it is fetched.

        Raises:
            NotFoundError: there is no such object.
            OutOfResourcesError: the object storage cannot be reached.
        """
        return self.objects.fetch(sha256)

    def quarantine_path_of(self, sha256: str) -> Path:
        """Return a file with refused bytes; from a bucket it is fetched.

        Raises:
            NotFoundError: there are no such bytes.
            OutOfResourcesError: the object storage cannot be reached.
        """
        return self.quarantine.fetch(sha256)

    def keep(self, incoming: IncomingFile) -> None:
        """Keep an object; a crash leaves either the whole of it there, or nothing."""
        incoming.place(self.objects)

    def set_aside(self, incoming: IncomingFile) -> None:
        """Move refused bytes into quarantine."""
        incoming.place(self.quarantine)

    def set_aside_kept(self, sha256: str) -> None:
        """Move an object that turned out to be refused from where it was kept into quarantine."""
        if self.objects.size_of(sha256) is not None:
            self.quarantine.take(self.objects.fetch(sha256), sha256)
            self.objects.remove(sha256)

    def require_space(self) -> None:
        """Return if the disk has room for more.

        Raises:
            OutOfResourcesError: it has less free space than the settings ask for.
        """
        status = os.statvfs(self.incoming)
        if status.f_bavail * status.f_frsize < self.settings.free_bytes_min:
            raise OutOfResourcesError(
                f"the disk of {self.settings.data_folder} has less than {self.settings.free_bytes_min} bytes "
                "free; make room or lower OVERREAD_FREE_BYTES_MIN"
            )

    def verify_writes(self) -> None:
        """Return if there is room, and a file that arrives can be written; what was written is gone again.

        Raises:
            OutOfResourcesError: neither, such as on a disk that is read-only.
        """
        self.require_space()
        descriptor, path = self.make_incoming()
        try:
            with disk_errors():
                os.write(descriptor, b"\0")
        finally:
            path.unlink(missing_ok=True)
            os.close(descriptor)

    def sweep(self) -> int:
        """Remove what writers that died left in `incoming`, and return how many files that were."""
        removed = 0
        for path in self.abandoned():
            path.unlink(missing_ok=True)
            removed += 1
        return removed

    def abandoned(self) -> Iterator[Path]:
        """Yield the files in `incoming` whose writers died, each locked until the next is asked for."""
        for path in self.incoming.iterdir():
            try:
                descriptor = os.open(path, os.O_RDWR)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield path
            except BlockingIOError:
                pass  # its writer lives
            finally:
                os.close(descriptor)


def keeps_objects(data_folder: Path) -> bool:
    """Return whether a data folder holds objects that were received, refused ones included."""
    return any(
        any(folder.iterdir()) for name in _FOLDERS for folder in (data_folder / name).glob("[0-9a-f][0-9a-f]")
    )


def _shelves(settings: Settings) -> tuple[ObjectStore, ...]:
    if settings.objects_url is None:
        return tuple(FolderObjectStore.made(settings.data_folder / name) for name in _FOLDERS)
    from service.store.bucket import ONE_REQUEST_BYTES_MAX, bucket_shelves  # an extra

    if settings.object_bytes_max > ONE_REQUEST_BYTES_MAX:
        raise ConfigurationError(
            f"object storage takes objects of at most {ONE_REQUEST_BYTES_MAX} bytes: lower "
            "OVERREAD_OBJECT_BYTES_MAX"
        )
    cache = ObjectCache(
        folder=settings.data_folder / "cache",
        bytes_max=settings.cache_bytes_max,
        in_use_seconds=settings.case_seconds_max,
    )
    cache.folder.mkdir(exist_ok=True, mode=0o700)
    shelves = bucket_shelves(settings.objects_url, settings.objects_endpoint, names=_FOLDERS, cache=cache)
    shelves[0].check()
    return shelves
