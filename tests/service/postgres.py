"""A PostgreSQL cluster of its own for the tests: made in a temporary folder, stopped with them."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg

MISSING = "PostgreSQL is not installed here; install the Debian package postgresql to run this test"
_UNPRIVILEGED = ("postgres", "nobody")  # the server refuses to run as root


@dataclass(kw_only=True)
class Cluster:
    folder: Path  # of its socket: no port that another process could take
    names: Iterator[int]
    start: Callable[[], "subprocess.Popen[bytes]"]
    server: "subprocess.Popen[bytes] | None" = None

    def url(self, database: str) -> str:
        return f"postgresql://overread@/{database}?host={self.folder}"

    def up(self) -> None:
        self.server = self.start()
        _wait_until_up(self, self.server)

    def down(self, number: int = signal.SIGINT) -> None:
        """By default it ends at once, whoever is connected; SIGQUIT does not even tidy up."""
        if self.server is not None:
            self.server.send_signal(number)
            self.server.wait(timeout=30)

    def restart(self, *, abrupt: bool) -> None:
        self.down(signal.SIGQUIT if abrupt else signal.SIGINT)
        self.up()

    def new_database(self, template: str = "template1") -> str:
        name = f"test_{next(self.names)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name


def program(name: str) -> Path | None:
    """The newest installed one: Debian keeps them outside PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    on_path = shutil.which(name)
    return found[-1] if found else Path(on_path) if on_path else None


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A running cluster; durability is not what these tests are about, so it does not sync."""
    initdb, postgres = program("initdb"), program("postgres")
    assert initdb is not None
    assert postgres is not None
    user = unprivileged_user()
    as_user = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}
    with tempfile.TemporaryDirectory(prefix="overread-pg-") as name:
        folder = Path(name)
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder, **as_user}
        options = ["--username=overread", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run([initdb, f"--pgdata={folder / 'data'}", *options], check=True, **quiet)
        settings = ["-c", "fsync=off", "-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}"]
        command = [str(postgres), "-D", str(folder / "data"), *settings]
        running = Cluster(folder=folder, names=count(), start=lambda: subprocess.Popen(command, **quiet))
        try:
            running.up()
            yield running
        finally:
            running.down()


def unprivileged_user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next(known[name] for name in _UNPRIVILEGED if name in known)


def _wait_until_up(running: Cluster, server: "subprocess.Popen[bytes]") -> None:
    ready = program("pg_isready")
    assert ready is not None
    for _ in range(600):
        assert server.poll() is None, "the PostgreSQL server ended at once"
        asked = [ready, "-h", str(running.folder), "-t", "1", "-q"]
        if subprocess.run(asked, check=False).returncode == 0:
            return
        try:
            server.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("the PostgreSQL server did not come up")
