"""The files of an archive of images: a folder (a DICOMDIR stands for its folder), a zip or a tar archive.

Files are named by where they lie, never written where a name in an archive says.
"""

import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from overread.errors import InvalidFileError
from service.store.imports import key_of

_ZIPS = frozenset({".zip"})
_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_ENCRYPTED = 0x1  # bit 0 of the flags of a zip entry


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedFile:
    """One file of an archive."""

    name: str  # for messages
    key: str  # of it as it is now
    share: float  # of the archive that has been reached with it, 0 to 1
    open: Callable[[], IO[bytes]] = field(repr=False)  # raises OSError or InvalidFileError


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageArchive:
    """Archive of images; `in_order`: its files must be read one after the other, as they come."""

    in_order: bool
    files: Callable[[], Iterator[ArchivedFile]] = field(repr=False)


def open_archive(path: Path) -> ImageArchive:
    """Return the archive at a path: a folder, a DICOMDIR, a zip or tar archive, or one file.

    Raises:
        InvalidFileError: there is nothing, or it cannot be read.
    """
    name = path.name.lower()
    if path.is_file() and name == "dicomdir":
        path = path.absolute().parent
    if path.is_dir():
        return ImageArchive(in_order=False, files=lambda: _folder(path))
    if not path.is_file():
        raise InvalidFileError(f"{path} is neither a folder nor a file")
    if path.suffix.lower() in _ZIPS:
        return ImageArchive(in_order=True, files=lambda: _zip(path))
    if name.endswith(_TARS):
        return ImageArchive(in_order=True, files=lambda: _tar(path))
    return ImageArchive(in_order=False, files=lambda: iter([_file(path, path.stat(), share=1.0)]))


def _folder(root: Path) -> Iterator[ArchivedFile]:
    """Yield every file below a folder, in the order of their names; links to folders are not followed."""
    total = sum(len(names) for _, _, names in os.walk(root))
    count = 0
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            count += 1
            path = Path(folder, name)
            try:
                status = path.stat()
            except OSError:
                status = None
            if status is None or stat.S_ISREG(status.st_mode):
                yield _file(path, status, share=count / max(total, count))


def _file(path: Path, status: os.stat_result | None, *, share: float) -> ArchivedFile:
    state = f"{status.st_size} {status.st_mtime_ns}" if status is not None else ""
    key = key_of("image", str(path.absolute()), state)
    return ArchivedFile(name=str(path), key=key, share=share, open=lambda: path.open("rb"))


def _zip(path: Path) -> Iterator[ArchivedFile]:
    state = _state(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            for count, member in enumerate(members, start=1):
                if member.is_dir():
                    continue
                yield ArchivedFile(
                    name=f"{path.name}/{member.filename}",
                    key=key_of("image", state, member.filename, str(member.header_offset)),
                    share=count / len(members),
                    open=_opener(archive, member),
                )
    except (zipfile.BadZipFile, OSError) as error:
        raise InvalidFileError(
            f"{path.name} is not a readable zip archive ({type(error).__name__})"
        ) from error


def _opener(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    def opened() -> IO[bytes]:
        if member.flag_bits & _ENCRYPTED:
            raise InvalidFileError("it is encrypted; unpack the archive first")
        try:
            return archive.open(member)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise InvalidFileError(f"it cannot be unpacked ({type(error).__name__})") from error

    return opened


def _tar(path: Path) -> Iterator[ArchivedFile]:
    state, size = _state(path), max(path.stat().st_size, 1)
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:*") as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # it would keep every one of them
                if member.isfile():
                    yield ArchivedFile(
                        name=f"{path.name}/{member.name}",
                        key=key_of("image", state, member.name, str(member.offset)),
                        share=min(file.tell() / size, 1.0),
                        open=_extractor(archive, member),
                    )
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InvalidFileError(
            f"{path.name} is not a readable tar archive ({type(error).__name__})"
        ) from error


def _extractor(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    def opened() -> IO[bytes]:
        file = archive.extractfile(member)
        if file is None:
            raise InvalidFileError("it is no file")
        return file

    return opened


def _state(path: Path) -> str:
    status = path.stat()
    return f"{path.absolute()} {status.st_size} {status.st_mtime_ns}"
