"""What an upgrade happens to: a database, an installation of each release, senders, readers and a probe."""

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from benchmarks.kill import (
    ENVIRONMENT,
    PATIENCE_SECONDS,
    SENDERS,
    Installation,
    Post,
    free_ports,
    parcels_of,
)
from benchmarks.sending import Parcel, Ports

START_SECONDS = 900.0
_ASK_SECONDS = 0.2
_ANSWER_SECONDS = 10.0
_CLAIMS = "There is a large mass in the right upper lobe. Large right pleural effusion."


def parcels_for(studies: int, seed: int) -> list[Parcel]:
    """Return an image and a report for each study; every second report claims what no image shows."""
    return [
        replace(parcel, report=f"Case {parcel.accession}. {_CLAIMS}")
        if parcel.report and int(parcel.accession[1:]) % 2
        else parcel
        for parcel in parcels_of(studies, seed)
    ]


def installation_of(folder: Path, name: str, code: Path | None, url: str) -> Installation:
    """Return an installation of a release on a database, not yet started."""
    ports = free_ports()
    return Installation(
        folder=folder / "data",
        ports=ports,
        log=folder / f"{name}.log",
        database_url=url,
        code=code,
        workers=1,
    )


def command(installation: Installation, *words: str) -> str:
    """Run a command of `overread` for an installation, in its release; return what it printed."""
    environment = {
        **os.environ,
        **ENVIRONMENT,
        "OVERREAD_FOLDER": str(installation.folder),
        "OVERREAD_DATABASE_URL": installation.database_url,
    }
    if installation.code is not None:
        environment["PYTHONPATH"] = str(installation.code)
    done = subprocess.run(
        [sys.executable, "-m", "overread", *words],
        env=environment,
        cwd=installation.code,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"overread {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout


def await_answer(installation: Installation) -> None:
    """Return when the page of an installation answers."""
    deadline = time.monotonic() + START_SECONDS
    while not answers(installation.ports):
        installation.keep_up()
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not start; see {installation.log}")
        time.sleep(0.2)


def answers(ports: Ports) -> bool:
    """Return whether the list of an installation is answered."""
    try:
        url = f"http://127.0.0.1:{ports.api}/api/v1/worklist?limit=1"
        return httpx.get(url, timeout=_ANSWER_SECONDS).is_success
    except httpx.TransportError:
        return False


@dataclass(kw_only=True)
class Probe:
    """Asks for the list over and over, of whichever of the installations answers, as a balancer would."""

    ports: list[Ports]
    over: threading.Event
    phase: str = "before"
    gaps: dict[str, float] = field(default_factory=dict)  # longest seconds between two answers, by phase
    asked: int = 0

    def run(self) -> None:
        """Ask until it is over."""
        answered_at, since = time.monotonic(), ""  # phase of the first question since the last answer
        while not self.over.wait(_ASK_SECONDS):
            self.asked += 1
            since = since or self.phase
            if any(answers(ports) for ports in list(self.ports)):
                now = time.monotonic()
                self.gaps[since] = max(self.gaps.get(since, 0.0), now - answered_at)
                answered_at, since = now, ""


@dataclass(kw_only=True)
class Judge:
    """Judges what is listed, through each of the installations in turn."""

    ports: list[Ports]
    over: threading.Event
    judged: dict[int, str] = field(default_factory=dict)  # submission by case, as acknowledged
    refused: Counter[str] = field(default_factory=Counter)

    def run(self) -> None:
        """Judge until it is over."""
        turn = 0
        while not self.over.wait(1.0):
            turn += 1
            url = f"http://127.0.0.1:{self.ports[turn % len(self.ports)].api}"
            try:
                with httpx.Client(base_url=url, timeout=_ANSWER_SECONDS) as client:
                    self._judge_listed(client)
            except httpx.TransportError:
                continue

    def _judge_listed(self, client: httpx.Client) -> None:
        for case in client.get("/api/v1/worklist?limit=20").json().get("cases", ()):
            number = case["case_id"]
            if number in self.judged:
                continue
            result = client.get(f"/api/v1/cases/{number}").json()["triage"]["result"]
            flagged = {(item["finding"], item["kind"]) for item in result["discrepancies"]}
            body = {
                "submission": f"upgrade {number}",
                "revision": case["revision"],
                "verdicts": [
                    {"finding": finding, "kind": kind, "verdict": "CONFIRMED"} for finding, kind in flagged
                ],
                "radpeer": "1",
            }
            reply = client.post(f"/api/v1/cases/{number}/judgement", json=body)
            if reply.is_success:
                self.judged[number] = body["submission"]
            else:
                self.refused[f"{reply.status_code}"] += 1


@dataclass(kw_only=True)
class Senders:
    """Threads that send to one installation what is waiting for all senders."""

    post: Post
    threads: list[threading.Thread] = field(default_factory=list)

    def send(self, parcels: Sequence[Parcel] = ()) -> None:
        """Begin to send what is waiting and these, until nothing is left."""
        for parcel in parcels:
            self.post.waiting.put(parcel)
        started = [threading.Thread(target=self.post.send_all, daemon=True) for _ in range(SENDERS)]
        self.threads += started
        for thread in started:
            thread.start()

    def to(self, ports: Ports) -> "Senders":
        """Return senders to another installation of what is waiting for these."""
        post = Post(
            ports=ports,
            pause_seconds=self.post.pause_seconds,
            waiting=self.post.waiting,
            acknowledged=self.post.acknowledged,
            repeated=self.post.repeated,
        )
        return Senders(post=post)

    def stop(self) -> None:
        """Let each finish what it has in hand."""
        self.post.over.set()
        for thread in self.threads:
            thread.join(timeout=60)


def await_acknowledged(post: Post, number: int, *installations: Installation) -> None:
    """Return when so many parcels have been acknowledged."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(post.acknowledged) < number:
        for installation in installations:
            installation.keep_up()
        if time.monotonic() > deadline:
            raise AssertionError(f"{len(post.acknowledged)} of {number} acknowledged; {post.repeated}")
        time.sleep(0.1)
