"""Kills receivers and workers with SIGKILL at random moments while studies and reports go in, and counts.

    python -m tests.service.faults.kill --studies 200 --kills 50 --seed 1

Receivers and workers are processes of their own that do what those of an installation do; only the way from
the sender to the receiver is a pipe. What is not acknowledged is sent again.
"""

import argparse
import contextlib
import logging
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NoReturn

import structlog

from benchmarks.account import Account, take_account
from overread.errors import OutOfResourcesError
from service.intake.instances import begin_instance, receive_instance
from service.intake.reports import IncomingReport, receive_report
from service.settings import Settings, load_settings
from service.store.database import Store, open_store
from service.triage.worker import work
from tests.service.material import dicom_bytes, readers

RECEIVERS = 2
WORKERS = 2
CHUNK_BYTES = 4096
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """One thing to send: an image, or a report."""

    accession: str
    image: bytes | None = None
    report: str = ""


@dataclass(kw_only=True)
class Child:
    """One process that may be killed."""

    role: str
    pid: int = 0
    connection: Connection | None = None  # to a receiver
    parcel: Parcel | None = None  # what it has been given and not acknowledged
    generation: int = 0


def receive(settings: Settings, connection: Connection) -> None:
    """Take parcels from the pipe and acknowledge each one when it is safe."""
    store = open_store(settings)
    while True:
        parcel: Parcel = connection.recv()
        try:
            take(store, parcel)
        except OutOfResourcesError:
            connection.send(False)
        else:
            connection.send(True)


def take(store: Store, parcel: Parcel) -> None:
    now = datetime.now(UTC)
    if parcel.image is None:
        report = IncomingReport(content=parcel.report, accession_number=parcel.accession, source="test")
        receive_report(store, report, now=now)
        return
    with begin_instance(store) as incoming:
        for start in range(0, len(parcel.image), CHUNK_BYTES):
            incoming.write(parcel.image[start : start + CHUNK_BYTES])
        receive_instance(store, incoming, source="test", now=now)


def triage(settings: Settings, name: str) -> None:
    """Triage cases until killed."""
    store, never = open_store(settings), threading.Event()
    work(store, readers(), name=name, clock=lambda: datetime.now(UTC), stop=never, drain=False)


def parcels_of(studies: int, chance: random.Random) -> list[Parcel]:
    """One image and one report per study, in any order."""
    made = []
    for number in range(studies):
        accession = f"A{number}"
        image = dicom_bytes(
            study=f"2.25.{number + 1}",
            AccessionNumber=accession,
            Rows=128,
            Columns=128,
            PixelData=chance.randbytes(128 * 128),
        )
        made.append(Parcel(accession=accession, image=image))
        made.append(Parcel(accession=accession, report=f"Case {number}: no mass."))
    chance.shuffle(made)
    return made


def born(run: Callable[..., None], *arguments: object) -> int:
    """Fork a child that runs this and return its pid; the parent has no threads and no open store."""
    pid = os.fork()
    if pid == 0:
        _live(run, *arguments)
    return pid


def _live(run: Callable[..., None], *arguments: object) -> NoReturn:
    status = 1
    try:
        run(*arguments)
        status = 0
    finally:
        os._exit(status)


@dataclass(kw_only=True)
class Run:
    """One run: who is alive, what is still to be sent, what has been acknowledged."""

    settings: Settings
    chance: random.Random
    waiting: list[Parcel]
    acknowledged: list[Parcel] = field(default_factory=list)
    killed: Counter[str] = field(default_factory=Counter)
    children: list[Child] = field(
        default_factory=lambda: [
            *(Child(role="receiver") for _ in range(RECEIVERS)),
            *(Child(role="worker") for _ in range(WORKERS)),
        ]
    )

    def keep_alive(self) -> None:
        """Start again whoever is dead, and give every idle receiver something to do."""
        for number, child in enumerate(self.children):
            if child.pid == 0:
                child.generation += 1
                self._start(child, f"{child.role} {number}.{child.generation}")
            if child.connection is not None and child.parcel is None and self.waiting:
                child.parcel = self.waiting.pop()
                child.connection.send(child.parcel)

    def _start(self, child: Child, name: str) -> None:
        if child.role == "worker":
            child.pid = born(triage, self.settings, name)
            return
        child.connection, theirs = Pipe()
        child.pid = born(receive, self.settings, theirs)
        theirs.close()

    def listen(self, seconds: float) -> None:
        """Note what is acknowledged within so many seconds."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            heard = {child.connection: child for child in self.children if child.connection and child.pid}
            for ready in wait(list(heard), left):
                self._hear(heard[ready])  # type: ignore[index]
            self.keep_alive()

    def _hear(self, child: Child) -> None:
        assert child.connection is not None
        assert child.parcel is not None
        if child.connection.recv():
            self.acknowledged.append(child.parcel)
        else:
            self.waiting.append(child.parcel)
        child.parcel = None

    def kill_one(self) -> None:
        """Kill one of the living; what a receiver had not acknowledged will be sent again."""
        child = self.chance.choice([child for child in self.children if child.pid])
        os.kill(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
        self.killed[child.role] += 1
        child.pid = 0
        if child.connection is not None:
            with contextlib.suppress(EOFError, ConnectionError):
                while child.parcel is not None:
                    self._hear(child)  # it was acknowledged before the kill
            if child.parcel is not None:
                self.waiting.append(child.parcel)
            child.connection.close()
        child.connection, child.parcel = None, None

    def end(self) -> None:
        for child in self.children:
            if child.pid:
                os.kill(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)


def run(settings: Settings, *, studies: int, kills: int, seed: int) -> tuple[Account, Counter[str]]:
    """Send everything, kill as often as asked, wait until all is triaged, and count."""
    chance = random.Random(seed)
    going = Run(settings=settings, chance=chance, waiting=parcels_of(studies, chance))
    try:
        going.keep_alive()
        while going.killed.total() < kills:
            going.listen(chance.expovariate(1 / 0.04))
            going.kill_one()
            going.keep_alive()
        account = _settled(going, studies)
    finally:
        going.end()
    return account, going.killed


def _settled(going: Run, studies: int) -> Account:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        going.listen(0.2)
        account = born_account(going, studies)
        if account.is_settled or time.monotonic() > deadline:
            return account


def born_account(going: Run, studies: int) -> Account:
    """Take account with a store that is closed again: the parent must not fork with an open one."""
    store = open_store(going.settings)
    try:
        return take_account(
            store,
            studies=studies,
            images=[parcel.image for parcel in going.acknowledged if parcel.image is not None],
            reports=[parcel.report for parcel in going.acknowledged if parcel.image is None],
        )
    finally:
        store.close()


def short(settings: Settings) -> Settings:
    """Short times, so that what a killed worker held comes back soon; attempts for many kills of one case."""
    return settings.model_copy(
        update={
            "lease_seconds": 0.5,
            "quiet_seconds": 0.1,
            "retry_seconds": 0.02,
            "attempts_max": 100,
            "poll_seconds": 0.01,
            "free_bytes_min": 0,
        }
    )


def lines_of(account: Account, killed: Counter[str], seed: int) -> Iterable[str]:
    yield f"seed {seed}; killed with SIGKILL: " + ", ".join(
        f"{n} x {role}" for role, n in sorted(killed.items())
    )
    yield from account.lines()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database-url", default="", help="default: SQLite in a temporary folder")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as folder:
        environ = {"OVERREAD_DATABASE_URL": arguments.database_url}
        settings = short(load_settings(environ, data_folder=Path(folder)))
        open_store(settings).close()
        account, killed = run(settings, studies=arguments.studies, kills=arguments.kills, seed=arguments.seed)
    sys.stdout.writelines(f"{line}\n" for line in lines_of(account, killed, arguments.seed))
    return 0 if account.is_perfect else 1


if __name__ == "__main__":
    sys.exit(main())
