"""The files of the store: what arrives, what is kept, what was refused.

    incoming/<random>        while it arrives; locked by its writer, so that a dead writer's is removed
    objects/ab/<sha256>      kept, bytes as received; never named by anything that a sender chose
    quarantine/ab/<sha256>   refused, bytes as received

A file is synced before it gets its final name, and the folder after, so a name that a committed row mentions
always has its bytes.
"""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from overread.errors import InputError, OutOfResourcesError
from service.settings import Settings

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
        with _disk_errors():
            while remaining:
                remaining = remaining[os.write(self._descriptor, remaining) :]

    @property
    def sha256(self) -> str:
        """Hash of the bytes written so far, in lower-case hexadecimal digits."""
        return self._hash.hexdigest()

    def sync(self) -> None:
        """Return when the bytes are on the disk."""
        with _disk_errors():
            os.fsync(self._descriptor)

    def place(self, target: Path) -> None:
        """Give the bytes their final name; a crash leaves either all of them there, or nothing."""
        self.sync()
        with _disk_errors():
            _make_folder(target.parent)
            self.path.replace(target)
            self._placed = True
            sync_folder(target.parent)

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
    """The folders of one installation."""

    settings: Settings
    incoming: Path
    objects: Path
    quarantine: Path

    @classmethod
    def in_folder(cls, settings: Settings) -> "ObjectFiles":
        """Return the files in the data folder, whose folders are made and swept of what dead writers left."""
        folder = settings.data_folder
        made = cls(
            settings=settings,
            incoming=folder / "incoming",
            objects=folder / "objects",
            quarantine=folder / "quarantine",
        )
        # The folder itself too: by default the database lies in it. One that a person made keeps its mode.
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for part in (made.incoming, made.objects, made.quarantine):
            part.mkdir(parents=True, exist_ok=True, mode=0o700)
        for number in range(256):  # now, so that no object has to wait until its folder is on the disk
            (made.objects / f"{number:02x}").mkdir(exist_ok=True, mode=0o700)
        sync_folder(made.objects)
        sync_folder(folder)
        made.sweep()
        return made

    def begin(self) -> IncomingFile:
        """Return an empty file for an object that starts to arrive.

        Raises:
            OutOfResourcesError: the disk is nearly full.
        """
        self.require_space()
        return IncomingFile(self)

    def make_incoming(self) -> tuple[int, Path]:
        """Return the descriptor and path of a new file that this process has locked."""
        with _disk_errors():
            while True:
                descriptor, name = tempfile.mkstemp(dir=self.incoming)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if os.fstat(descriptor).st_nlink:
                    return descriptor, Path(name)
                os.close(descriptor)  # swept by another process between the two calls

    def path_of(self, sha256: str) -> Path:
        """Return where the object with this hash is kept."""
        return self.objects / sha256[:2] / sha256

    def quarantine_path_of(self, sha256: str) -> Path:
        """Return where refused bytes with this hash are kept."""
        return self.quarantine / sha256[:2] / sha256

    def keep(self, incoming: IncomingFile) -> None:
        """Keep an object; a crash leaves either the whole of it there, or nothing."""
        incoming.place(self.path_of(incoming.sha256))

    def set_aside(self, incoming: IncomingFile) -> None:
        """Move refused bytes into quarantine."""
        incoming.place(self.quarantine_path_of(incoming.sha256))

    def set_aside_kept(self, sha256: str) -> None:
        """Move an object that turned out to be refused from where it was kept into quarantine."""
        target = self.quarantine_path_of(sha256)
        with _disk_errors():
            _make_folder(target.parent)
            if self.path_of(sha256).exists():
                self.path_of(sha256).replace(target)
            sync_folder(target.parent)

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

    def sweep(self) -> int:
        """Remove what writers that died left in `incoming`, and return how many files that were."""
        removed = 0
        for path in self.incoming.iterdir():
            try:
                descriptor = os.open(path, os.O_RDWR)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
                removed += 1
            except BlockingIOError:
                pass  # its writer lives
            finally:
                os.close(descriptor)
        return removed


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(exist_ok=True, mode=0o700)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Return when the names in the folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutOfResourcesError(
            f"the data folder cannot be written: {os.strerror(error.errno or 0)}; try again later"
        ) from error
