"""Where an installation keeps its things, and how each is taken away from it: disk, database, clock."""

import os
import shutil
import signal
import sqlite3
import struct
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.service.postgres import Cluster, cluster

KEPT_FREE_BYTES = 4 << 20
DISK_BYTES = 6 << 30  # of a file system in memory: what it may grow to
RESERVE_BYTES = 1 << 30  # a disk that others use too: so much is left to the installation at most
SOURCE = Path(__file__).with_name("clock.c")


class Disk(ABC):
    """The disk of the data folder."""

    free_bytes_min = KEPT_FREE_BYTES
    can_be_read_only = False

    @abstractmethod
    def fill(self) -> None:
        """There is less room than the installation must keep free."""

    @abstractmethod
    def empty(self) -> None:
        """There is room again."""

    def forbid_writing(self) -> bool:
        """Nothing can be written; False where somebody has a file open for writing."""
        return False

    def allow_writing(self) -> None:  # noqa: B027  # only some can forbid it
        """Everything can be written again."""


class MemoryDisk(Disk):
    """A file system of its own in memory; takes root."""

    can_be_read_only = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fill(self) -> None:
        """It has hardly more room than it uses."""
        used = shutil.disk_usage(self._folder).used
        self._mount(f"remount,size={used + KEPT_FREE_BYTES // 2}")

    def empty(self) -> None:
        """It has its full size."""
        self._mount(f"remount,size={DISK_BYTES}")

    def forbid_writing(self) -> bool:
        """It is mounted read-only, unless the kernel says that a file is being written."""
        return self._mount("remount,ro", check=False)

    def allow_writing(self) -> None:
        """It is mounted for writing."""
        self._mount("remount,rw")

    def _mount(self, options: str, *, check: bool = True) -> bool:
        command = ["mount", "-o", options, str(self._folder)]
        return subprocess.run(command, capture_output=True, check=check).returncode == 0


class ReservedDisk(Disk):
    """A disk that others use too: a large file takes what the installation must keep free."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._filler = folder, folder.with_suffix(".filler")
        self.free_bytes_min = max(shutil.disk_usage(folder).free - RESERVE_BYTES, KEPT_FREE_BYTES)

    def fill(self) -> None:
        """The file takes more than what is left."""
        free = shutil.disk_usage(self._folder).free
        with self._filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(free - self.free_bytes_min + (64 << 20), 1))

    def empty(self) -> None:
        """The file is gone."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def disk_of(folder: Path) -> Iterator[Disk]:
    """A file system of its own for the folder where we may mount one, else what it lies on."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "overread", str(folder)]
    if os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        try:
            yield MemoryDisk(folder)
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        return
    disk = ReservedDisk(folder)
    try:
        yield disk
    finally:
        disk.empty()


class Database(ABC):
    """The database of an installation."""

    url = ""  # empty: SQLite in the data folder

    @abstractmethod
    def take_away(self, *, abrupt: bool) -> str:
        """Nothing can be written to it; return how, in words."""

    @abstractmethod
    def give_back(self) -> None:
        """It is there again."""


class SqliteDatabase(Database):
    """A file that another process locks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def take_away(self, *, abrupt: bool) -> str:
        """This process has the write lock."""
        self._connection = sqlite3.connect(self._path, timeout=5.0, isolation_level=None)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:  # too busy, or on a disk that is full
            self.give_back()
            return "lock of SQLite not got"
        return "SQLite locked by another process"

    def give_back(self) -> None:
        """The lock is free."""
        if self._connection is not None:
            with suppress(sqlite3.OperationalError):
                self._connection.rollback()
            self._connection.close()
        self._connection = None


class PostgresDatabase(Database):
    """A server of our own that is stopped."""

    def __init__(self, running: Cluster) -> None:
        self._cluster = running
        self.url = running.url(running.new_database())

    def take_away(self, *, abrupt: bool) -> str:
        """The server has ended."""
        self._cluster.down(signal.SIGQUIT if abrupt else signal.SIGINT)
        return "PostgreSQL stopped abruptly" if abrupt else "PostgreSQL stopped"

    def give_back(self) -> None:
        """The server takes connections."""
        self._cluster.up()


@contextmanager
def database_of(kind: str, data: Path) -> Iterator[Database]:
    """The database of an installation whose data folder this is."""
    if kind == "sqlite":
        yield SqliteDatabase(data / "overread.sqlite3")
        return
    with cluster() as running:
        yield PostgresDatabase(running)


class Clock:
    """The wall clock of an installation, where a C compiler can make one; the monotonic one goes on."""

    def __init__(self, folder: Path) -> None:
        self._file, library = folder / "clock", folder / "clock.so"
        self._file.write_bytes(bytes(8))
        compiler = shutil.which("cc")
        if compiler is not None:
            subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, SOURCE, "-ldl"], check=True)
        self.environment = (
            {"LD_PRELOAD": str(library), "CHAOS_CLOCK": str(self._file)} if compiler is not None else {}
        )

    @property
    def can_be_stepped(self) -> bool:
        """Return whether there is such a clock."""
        return bool(self.environment)

    def set(self, ahead_seconds: int) -> None:
        """It is so many seconds ahead of the true one, at once and for every process."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("=q", ahead_seconds))
