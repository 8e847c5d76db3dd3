"""A PostgreSQL cluster of its own for the tests: made in a temporary folder, stopped with them."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg

MISSING = "PostgreSQL is not installed here; install the Debian package postgresql to run this test"
_UNPRIVILEGED = ("postgres", "nobody")  # the server refuses to run as root


@dataclass(frozen=True, kw_only=True)
class Cluster:
    port: int
    names: Iterator[int]

    def url(self, database: str) -> str:
        return f"postgresql://overread@127.0.0.1:{self.port}/{database}"

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
def cluster(folder: Path) -> Iterator[Cluster]:
    """A running cluster; durability is not what these tests are about, so it does not sync."""
    initdb, postgres = program("initdb"), program("postgres")
    assert initdb is not None
    assert postgres is not None
    user = _unprivileged_user()
    folder.mkdir()
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    data = folder / "data"
    as_user = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder, **as_user}
    options = ["--username=overread", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    subprocess.run([initdb, f"--pgdata={data}", *options], check=True, **quiet)
    port = _free_port()
    settings = [
        "-c",
        "fsync=off",
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        f"unix_socket_directories={folder}",
    ]
    server = subprocess.Popen([postgres, "-D", str(data), "-p", str(port), *settings], **quiet)
    try:
        running = Cluster(port=port, names=count())
        _wait_until_up(running, server)
        yield running
    finally:
        server.terminate()
        server.wait(timeout=30)


def _unprivileged_user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next(known[name] for name in _UNPRIVILEGED if name in known)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_until_up(running: Cluster, server: "subprocess.Popen[bytes]") -> None:
    ready = program("pg_isready")
    assert ready is not None
    for _ in range(600):
        assert server.poll() is None, "the PostgreSQL server ended at once"
        asked = [ready, "-h", "127.0.0.1", "-p", str(running.port), "-t", "1", "-q"]
        if subprocess.run(asked, check=False).returncode == 0:
            return
        try:
            server.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("the PostgreSQL server did not come up")
