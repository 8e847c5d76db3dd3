"""Watches a folder: takes each file when it is complete, and moves it away when it is durably stored.

    <folder>/...                 what somebody puts here, in subfolders too
    <folder>/done/<name>         taken
    <folder>/refused/<name>      not taken, or not all of it; <name>.reason.txt says why

A file is complete when it has not changed for some seconds. Names of files are never followed out of the
folder: everything is opened through descriptors of its folders, and no symbolic link is followed. A crash
between storing and moving is harmless: the file is taken again, which changes nothing. Logs give inodes:
names may be patients'.
"""

import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePath
from typing import Self

import structlog

from overread.errors import ConfigurationError, OutOfResourcesError
from service.error_boundary import ErrorBoundary
from service.hl7.settings import Hl7Settings
from service.store.database import Store
from service.watch.settings import WatchSettings
from service.watch.taking import SIDECAR_ENDING, SettledFile, take_file

_log = structlog.get_logger("overread.watch")
DONE, REFUSED = "done", "refused"
_REASON_ENDING = ".reason.txt"
_UNFINISHED = (".part", ".partial", ".tmp", ".filepart")
_NAME_BYTES_MAX = 200
_SIDECAR_BYTES_MAX = 1 << 16
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_State = tuple[int, int, int]  # inode, size, time of the last change


@dataclass(slots=True)
class _Seen:
    """A file as it was at the last look."""

    state: _State
    since: float  # by the clock of the watcher
    left: int | None = None  # it could not be taken in this state: when that was last changed, mode and all


@dataclass(slots=True)
class Look:
    """Result of one look at the folder."""

    taken: int = 0
    refused: int = 0
    waiting: int = 0  # files that are not complete yet, or cannot be taken now
    has_room: bool = True  # False: the store could take no more


@dataclass(slots=True)
class FolderWatcher:
    """Watches one folder; nobody else does as long as it is open. Use it in a `with` block."""

    store: Store
    folder: Path
    settings: WatchSettings
    hl7: Hl7Settings
    clock: Callable[[], datetime]
    ticks: Callable[[], float]  # seconds, never going back: a clock that jumps makes no file complete
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _descriptors: dict[str, int] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Open the folder, and make those for what is done and refused.

        Raises:
            ConfigurationError: it cannot be used, is watched already, or is the store's own.
        """
        _require_apart(self.folder, self.store.settings.data_folder)
        try:
            root = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            self._descriptors["."] = root
            fcntl.flock(root, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._open_own()
        except BlockingIOError:
            self.close()
            raise ConfigurationError(f"the folder {self.folder} is watched by another process") from None
        except OSError as error:
            self.close()
            raise ConfigurationError(
                f"the folder {self.folder} cannot be watched: {error.strerror}"
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the folder."""
        self.close()

    def close(self) -> None:
        """Close what is open."""
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()

    def look(self) -> Look:
        """Take what is complete by now, and return what that was."""
        self._open_own()
        result, present = Look(), set()
        for path, name, folder in _files(self._descriptors["."]):
            present.add(path)
            if path.lower().endswith(f".txt{SIDECAR_ENDING}"):
                continue  # it goes with its report
            if not result.has_room or not self._is_settled(path, name, folder):
                result.waiting += 1
                continue
            self._take(path, name, folder, result)
        for gone in self._seen.keys() - present:
            del self._seen[gone]
        return result

    def _open_own(self) -> None:
        """Open the folders for what is done and refused; they are made where they are not, or no more."""
        root = self._descriptors["."]
        for name in (DONE, REFUSED):
            known = self._descriptors.get(name)
            if known is not None and os.fstat(known).st_nlink:
                continue
            if not _is_there(name, root):
                os.mkdir(name, mode=0o700, dir_fd=root)
            opened = os.open(name, _FOLDER_FLAGS, dir_fd=root)
            self._descriptors[name] = opened
            if known is not None:
                os.close(known)

    def _is_settled(self, path: str, name: str, folder: int) -> bool:
        """Whether a file has not changed for so long, and was not left where it is as it is."""
        state, now = _state(name, folder), self.ticks()
        if state is None:
            return False
        seen = self._seen.get(path)
        if seen is None or seen.state != state:
            self._seen[path] = _Seen(state=state, since=now)
            return False
        if seen.left is not None and seen.left == _changed_at(name, folder):
            return False
        return now - seen.since >= self.settings.settled_seconds

    def _take(self, path: str, name: str, folder: int, result: Look) -> None:
        seen = self._seen[path]
        try:
            descriptor = os.open(name, _FILE_FLAGS, dir_fd=folder)
        except OSError as error:
            _leave(seen, error, result, _changed_at(name, folder))
            return
        with ErrorBoundary() as boundary:
            try:
                self._take_open(path, name, folder, descriptor, result)
            finally:
                os.close(descriptor)
        if isinstance(boundary.error, OutOfResourcesError):
            _log.warning("no_room", reason=str(boundary.error))
            result.has_room = False
            result.waiting += 1
        elif boundary.error is not None:
            _leave(seen, boundary.error, result, _changed_at(name, folder))

    def _take_open(self, path: str, name: str, folder: int, descriptor: int, result: Look) -> None:
        read = _state_of(os.fstat(descriptor))
        if read != self._seen[path].state:  # changed since the look
            result.waiting += 1
            return
        sidecar = _sidecar(name, folder) if name.lower().endswith(".txt") else None
        file = SettledFile(name=path, descriptor=descriptor, sidecar=sidecar)
        problems = take_file(self.store, file, self.settings, hl7=self.hl7, now=self.clock())
        self._put_away(path, name, folder, read, problems)
        result.refused += bool(problems)
        result.taken += not problems

    def _put_away(self, path: str, name: str, folder: int, read: _State, problems: tuple[str, ...]) -> None:
        """Move a file to what is done or refused; one that was changed meanwhile is put back."""
        target = self._descriptors[REFUSED if problems else DONE]
        kept = _free_name(path.replace("/", "__"), target)
        os.rename(name, kept, src_dir_fd=folder, dst_dir_fd=target)
        del self._seen[path]
        if _state(kept, target) != read:
            os.rename(kept, _free_name(name, folder), src_dir_fd=target, dst_dir_fd=folder)
            return
        if name.lower().endswith(".txt") and _is_there(f"{name}{SIDECAR_ENDING}", folder):
            os.rename(
                f"{name}{SIDECAR_ENDING}", f"{kept}{SIDECAR_ENDING}", src_dir_fd=folder, dst_dir_fd=target
            )
        if problems:
            _write(f"{kept}{_REASON_ENDING}", "\n".join(problems) + "\n", target)
        _log.info("refused" if problems else "taken", inode=read[0], problems=len(problems))


def _leave(seen: _Seen, error: Exception, result: Look, changed_at: int | None) -> None:
    """Leave a file where it is until it or its mode changes, or the watch starts again."""
    seen.left = changed_at
    result.waiting += 1
    words = error.strerror if isinstance(error, OSError) else type(error).__name__
    _log.error("left", inode=seen.state[0], reason=words)


def _require_apart(folder: Path, data_folder: Path) -> None:
    watched, data = folder.resolve(), data_folder.resolve()
    if watched == data or watched in data.parents or data in watched.parents:
        raise ConfigurationError(
            f"{folder} and the data folder {data_folder} lie within one another; watch another folder"
        )


def _files(root: int) -> Iterator[tuple[str, str, int]]:
    """Yield path, name and folder of every plain file, in the order of their paths."""
    for folder, folders, names, descriptor in os.fwalk(".", dir_fd=root, follow_symlinks=False):
        at_top = folder == "."
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and not (at_top and name in {DONE, REFUSED})
        )
        for name in sorted(names):
            if not name.startswith(".") and not name.lower().endswith(_UNFINISHED):
                yield str(PurePath(folder, name)), name, descriptor


def _state(name: str, folder: int) -> _State | None:
    """Return the state of a plain file; None where it is gone, a link, or something else."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None
    return _state_of(status) if stat.S_ISREG(status.st_mode) else None


def _changed_at(name: str, folder: int) -> int | None:
    """Return when anything of a file, its mode included, was last changed; None where it is gone."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_ctime_ns
    except OSError:
        return None


def _state_of(status: os.stat_result) -> _State:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _is_there(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _sidecar(name: str, folder: int) -> bytes | None:
    """Return what stands beside a report; None where nothing does."""
    try:
        descriptor = os.open(f"{name}{SIDECAR_ENDING}", _FILE_FLAGS, dir_fd=folder)
    except OSError:
        return None
    try:
        return os.read(descriptor, _SIDECAR_BYTES_MAX)
    finally:
        os.close(descriptor)


def _free_name(wanted: str, folder: int) -> str:
    """Return a name that is not taken, as near to the wanted one as can be."""
    stem, suffix = PurePath(wanted).stem, PurePath(wanted).suffix[:20]
    while len(os.fsencode(stem)) > _NAME_BYTES_MAX:
        stem = stem[:-1]
    name, number = f"{stem}{suffix}", 1
    while _is_there(name, folder):
        number += 1
        name = f"{stem}.{number}{suffix}"
    return name


def _write(name: str, text: str, folder: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(name, flags, mode=0o600, dir_fd=folder), "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)
