"""Kills the processes of `overread serve` with SIGKILL at random moments while studies and reports go in.

    python -m benchmarks.kill --studies 200 --kills 50 --seed 1

Studies go in by STOW-RS and C-STORE, reports by HTTP, HL7 and FHIR, from several senders that send again what
was not acknowledged. Any process may be hit: page and API, DICOMweb intake, C-STORE and HL7 listener,
workers, and the supervisor, which is then started again as an init system would. Counts what was
acknowledged, stored, triaged exactly once, lost and duplicated.
"""

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue

import numpy as np

from benchmarks.account import Account, take_account
from benchmarks.radiographs import dicom_of, radiograph
from benchmarks.sending import IMAGE_WAYS, REPORT_WAYS, Parcel, Ports, Sender
from benchmarks.worker import file_of, name
from service.settings import load_settings
from service.store.database import open_store

SIDE = 512
SENDERS = 4
WORKERS = 2
SUPERVISOR_SHARE = 0.1  # of the kills
PATIENCE_SECONDS = 300.0
USAGE = 2  # exit status
# Short times, so that what a killed worker held comes back soon; attempts enough for many kills of one case.
ENVIRONMENT = {
    "OVERREAD_QUIET_SECONDS": "1",
    "OVERREAD_LEASE_SECONDS": "3",
    "OVERREAD_RETRY_SECONDS": "0.1",
    "OVERREAD_ATTEMPTS_MAX": "1000",
    "OVERREAD_FREE_BYTES_MIN": "0",
    "BENTOML_DO_NOT_TRACK": "True",
}


@dataclass(slots=True, kw_only=True)
class Installation:
    """One `overread serve` that is started again whenever it has ended."""

    folder: Path
    ports: Ports
    log: Path
    database_url: str = ""  # SQLite in the folder, if empty
    environment: dict[str, str] = field(default_factory=dict)  # besides the usual one
    api_processes: int = 1
    workers: int = WORKERS
    code: Path | None = None  # folder with the packages of another release; None: this one's
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    def keep_up(self) -> None:
        """Start it if it is not running."""
        if self.process is not None and self.process.poll() is None:
            return
        if self.process is not None and self.process.returncode == USAGE:
            raise SystemExit(f"overread serve was called wrongly; see {self.log}")
        self.starts += 1
        ports = {
            "": self.ports.api,
            "stow-": self.ports.stow,
            "dicom-": self.ports.dicom,
            "hl7-": self.ports.hl7,
        }
        command = ["-m", "overread", "serve", "--workers", str(self.workers)]
        command += ["--api-processes", str(self.api_processes)]
        command += [word for name, port in ports.items() for word in (f"--{name}port", str(port))]
        environment = {**os.environ, **ENVIRONMENT, "OVERREAD_FOLDER": str(self.folder), **self.environment}
        if self.database_url:
            environment["OVERREAD_DATABASE_URL"] = self.database_url
        if self.code is not None:
            environment["PYTHONPATH"] = str(self.code)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                env=environment,
                cwd=self.code,  # where Python looks first for what `-m` names
                stdout=log,
                stderr=log,
            )

    def kill_one(self, chance: random.Random) -> str | None:
        """Kill the supervisor or one of its children, and return which; None if nobody is there."""
        assert self.process is not None
        if chance.random() < SUPERVISOR_SHARE:
            self.process.kill()
            self.process.wait()
            return "supervisor"
        children = children_of(self.process.pid)
        if not children:
            return None
        pid = chance.choice(sorted(children))
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return None
        return children[pid]

    def stop(self) -> None:
        """Stop it cleanly."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=60)


def children_of(parent: int) -> dict[int, str]:
    """Return the pids of the children that do the work, and what each of them is."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            status = (entry / "stat").read_text().rpartition(")")[2].split()
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except OSError:  # it ended meanwhile
            continue
        if int(status[1]) == parent and status[0] != "Z":
            found[int(entry.name)] = role_of(words)
    return found


def role_of(words: list[str]) -> str:
    """Return what a process is, from its command line."""
    for module in ("service.runtime.http_process", "service.runtime.listener_process"):
        if module in words:
            return words[words.index(module) + 1]
    return "worker" if "worker" in words else "starting"


@dataclass(slots=True, kw_only=True)
class Post:
    """The senders' side: what is waiting, and what has been acknowledged."""

    ports: Ports
    pause_seconds: float  # between two things that one sender sends
    waiting: "SimpleQueue[Parcel]" = field(default_factory=SimpleQueue)
    acknowledged: list[Parcel] = field(default_factory=list)
    repeated: Counter[str] = field(default_factory=Counter)  # why something was sent again
    over: threading.Event = field(default_factory=threading.Event)

    def send_all(self) -> None:
        """Send what is waiting, each thing until it is acknowledged."""
        sender = Sender(self.ports)
        while not self.over.is_set():
            try:
                parcel = self.waiting.get_nowait()
            except Empty:
                break
            if refusal := sender.send(parcel):
                self.repeated[refusal] += 1
                self.waiting.put(parcel)
                self.over.wait(0.1)
                continue
            self.acknowledged.append(parcel)
            self.over.wait(self.pause_seconds)
        sender.close()


def parcels_of(studies: int, seed: int) -> list[Parcel]:
    """Return one image and one report per study, in any order."""
    generator, made = np.random.default_rng(seed), []
    for number in range(1, studies + 1):
        image = file_of(name(dicom_of(radiograph(generator, SIDE), compressed=False), number))
        by = IMAGE_WAYS[number % len(IMAGE_WAYS)]
        made.append(Parcel(way=by, accession=f"A{number}", image=image))
        told, by = f"Case {number}. No mass. No pleural effusion.", REPORT_WAYS[number % len(REPORT_WAYS)]
        made.append(Parcel(way=by, accession=f"A{number}", report=told))
    random.Random(seed).shuffle(made)
    return made


def count(installation: Installation, post: Post, studies: int) -> Account:
    """Return what became of everything that has been acknowledged."""
    given = {"OVERREAD_DATABASE_URL": installation.database_url} if installation.database_url else {}
    settings = load_settings(given, data_folder=installation.folder).model_copy(update={"free_bytes_min": 0})
    store = open_store(settings)
    sent = list(post.acknowledged)
    try:
        return take_account(
            store,
            studies=studies,
            images=[parcel.image for parcel in sent if parcel.image],
            reports=[parcel.report for parcel in sent if not parcel.image],
        )
    finally:
        store.close()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def free_ports() -> Ports:
    """Return ports for an installation."""
    return Ports(api=free_port(), stow=free_port(), dicom=free_port(), hl7=free_port())


def run(arguments: argparse.Namespace, folder: Path) -> tuple[Account, Installation, Post, Counter[str]]:
    """Send, kill, wait until all is triaged, and count."""
    ports = free_ports()
    installation = Installation(
        folder=folder / "data",
        ports=ports,
        log=Path(arguments.log or folder / "log"),
        database_url=arguments.database_url,
    )
    pause = SENDERS * arguments.kills * arguments.pause / (2 * arguments.studies)
    post = Post(ports=ports, pause_seconds=pause)
    for parcel in parcels_of(arguments.studies, arguments.seed):
        post.waiting.put(parcel)
    senders = [threading.Thread(target=post.send_all, daemon=True) for _ in range(SENDERS)]
    killed: Counter[str] = Counter()
    chance = random.Random(arguments.seed)
    try:
        installation.keep_up()
        for sender in senders:
            sender.start()
        while killed.total() < arguments.kills:
            time.sleep(chance.expovariate(1 / arguments.pause))
            if role := installation.kill_one(chance):
                killed[role] += 1
            installation.keep_up()
        account = settle(installation, post, arguments.studies)
    finally:
        post.over.set()
        installation.stop()
    return account, installation, post, killed


def settle(installation: Installation, post: Post, studies: int) -> Account:
    """Wait until everything is acknowledged and triaged, or patience ends."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        installation.keep_up()
        account = count(installation, post, studies)
        if account.is_settled or time.monotonic() > deadline:
            return account
        time.sleep(1.0)


def main() -> int:
    """Run once and print what was counted."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause", type=float, default=3.0, help="mean seconds between two kills")
    parser.add_argument("--database-url", default="", help="an empty PostgreSQL database (default: SQLite)")
    parser.add_argument("--log", help="file for the messages of the installation")
    arguments = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        account, installation, post, killed = run(arguments, Path(folder))
    hit = ", ".join(f"{number} x {role}" for role, number in sorted(killed.items()))
    again = ", ".join(f"{number} x {why}" for why, number in sorted(post.repeated.items())) or "nothing"
    print(f"seed {arguments.seed}, {time.monotonic() - start:.0f} s; killed with SIGKILL: {hit}")
    print(f"sent again: {again}; overread serve was started {installation.starts} times")
    print("\n".join(account.lines()))
    return 0 if account.is_perfect else 1


if __name__ == "__main__":
    sys.exit(main())
