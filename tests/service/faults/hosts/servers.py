"""What a group of hospitals has on machines of its own: PostgreSQL with a standby, and object storage."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import psycopg
from botocore.exceptions import BotoCoreError, ClientError

from tests.service.faults.hosts.network import Network
from tests.service.objectstorage import CREDENTIALS
from tests.service.postgres import program, unprivileged_user
from tests.service.waiting import eventually

DATABASE = "overread"
S3_PORT = 9000


@dataclass(kw_only=True)
class DatabasePair:
    """A PostgreSQL server that commits only what its standby has too, and that standby."""

    network: Network
    folder: Path
    primary: str
    standby: str
    servers: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Return the address that leads to whichever of the two takes writes."""
        hosts = "&".join(f"host={self.network.address(host)}:5432" for host in (self.primary, self.standby))
        return f"postgresql://overread@/{DATABASE}?{hosts}&target_session_attrs=read-write"

    def start(self) -> None:
        """Make both, let the one follow the other, and make a commit wait for it."""
        self._as_user(
            "initdb", f"--pgdata={self._data(self.primary)}", "--username=overread", "--auth=trust",
            "--encoding=UTF8", "--locale=C", "--no-sync",
        )  # fmt: skip
        with (self._data(self.primary) / "pg_hba.conf").open("a") as rules:
            for what in ("all", "replication"):
                rules.write(f"host {what} all {self.network.wire} trust\n")
        self._run(self.primary)
        with self._connection(self.primary, "postgres") as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        copied = [
            "-h",
            self.network.address(self.primary),
            "-U",
            "overread",
            "-R",
            "-X",
            "stream",
            "-c",
            "fast",
        ]
        self._as_user("pg_basebackup", "-D", str(self._data(self.standby)), *copied, on=self.standby)
        self._run(self.standby)
        with self._connection(self.primary, "postgres") as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
            eventually(lambda: self._is_followed(connection))

    def fail_over(self) -> None:
        """The standby takes over; the host of the primary is cut off already, and is switched off now."""
        self._as_user("pg_ctl", "promote", "-w", "-D", str(self._data(self.standby)), on=self.standby)
        self.servers[self.primary].send_signal(signal.SIGKILL)

    def stop(self) -> None:
        """End both."""
        for server in self.servers.values():
            with suppress(ProcessLookupError):
                server.send_signal(signal.SIGQUIT)
            server.wait(timeout=30)

    def _run(self, host: str) -> None:
        settings = ["-c", "fsync=off", "-c", "listen_addresses=*", "-c", "unix_socket_directories="]
        settings += ["-c", "max_connections=200", "-c", "wal_sender_timeout=5s"]
        command = [str(program("postgres")), "-D", str(self._data(host)), *settings]
        self.servers[host] = subprocess.Popen(
            self.network.command(host, [*_setpriv(), *command]),
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / f"{host}.log").open("ab"),
        )
        eventually(lambda: self._answers(host))

    def _answers(self, host: str) -> bool:
        try:
            self._connection(host, "postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _connection(self, host: str, database: str) -> "psycopg.Connection[tuple[object, ...]]":
        address = f"host={self.network.address(host)} user=overread dbname={database} connect_timeout=5"
        return psycopg.connect(address, autocommit=True)

    @staticmethod
    def _is_followed(connection: "psycopg.Connection[tuple[object, ...]]") -> bool:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        ).fetchone()
        return row == (1,)

    def _data(self, host: str) -> Path:
        return self.folder / host

    def _as_user(self, name: str, *words: str, on: str = "") -> None:
        command = [*_setpriv(), str(program(name)), *words]
        subprocess.run(
            self.network.command(on, command) if on else command,
            cwd=self.folder,
            check=True,
            capture_output=True,
        )


@contextmanager
def database_pair(network: Network, folder: Path, *, primary: str, standby: str) -> Iterator[DatabasePair]:
    """A pair that runs."""
    folder.mkdir()
    user = unprivileged_user()
    if user is not None:
        shutil.chown(folder, user.pw_uid, user.pw_gid)
    pair = DatabasePair(network=network, folder=folder, primary=primary, standby=standby)
    try:
        pair.start()
        yield pair
    finally:
        pair.stop()


@contextmanager
def object_storage(network: Network, host: str) -> Iterator[dict[str, str]]:
    """Moto's S3 server on a host; gives the settings of those who keep their objects there."""
    endpoint = f"http://{network.address(host)}:{S3_PORT}"
    words = [sys.executable, "-m", "moto.server", "-H", network.address(host), "-p", str(S3_PORT)]
    with ExitStack() as stack:
        server = subprocess.Popen(
            network.command(host, words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        stack.callback(server.wait)
        stack.callback(server.kill)
        eventually(lambda: _has_bucket(endpoint))
        yield {
            **CREDENTIALS,
            "OVERREAD_OBJECTS_URL": "s3://overread/objects",
            "OVERREAD_OBJECTS_ENDPOINT": endpoint,
        }


def _has_bucket(endpoint: str) -> bool:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )
    try:
        client.create_bucket(Bucket="overread")
    except (BotoCoreError, ClientError):
        return False
    return True


def _setpriv() -> list[str]:
    """Return how a command is run by somebody else than root: PostgreSQL refuses to run as root."""
    user = unprivileged_user()
    if user is None:
        return []
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]
