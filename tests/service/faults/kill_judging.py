"""Kills API and workers with SIGKILL at random moments while cases are judged, and counts.

    python -m tests.service.faults.kill_judging --kills 500 --seed 1

API and workers are processes of their own; judges ask the API over HTTP for the list, judge what is on it,
take every third judgement back and judge again, and send again under the same submission what was not
acknowledged. New studies and reports come in all the time.
"""

import argparse
import logging
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import httpx
import structlog
import uvicorn
from sqlalchemy import text

from overread.case import CaseState
from service.application import make_app
from service.settings import Settings, load_settings
from service.store.audit_trail import TrailFilter, find_entries
from service.store.database import Store, open_store
from service.store.worklist import count_cases
from service.web.access_log import AccessMiddleware
from service.web.context import ServerContext
from service.web.guard import GuardMiddleware, access_for
from tests.service.faults.kill import born, short, triage
from tests.service.material import dicom_bytes, send_image, send_report
from tests.service.web.listening import MODEL

JUDGES = 3
WORKERS = 1
STUDIES_WAITING = 20  # on the list and before it; more come when it is shorter
TAKEN_BACK = 1 / 3
PATIENCE_SECONDS = 120.0
_ROLES = ("api", *("worker",) * WORKERS)


def serve(settings: Settings, listener: socket.socket) -> None:
    """Serve API and pages on a socket until killed."""
    access = access_for("127.0.0.1", None)
    store = open_store(settings)

    @contextmanager
    def open_context() -> Iterator[ServerContext]:
        yield ServerContext(store=store, model=lambda: MODEL, clock=lambda: datetime.now(UTC), access=access)

    app = make_app(open_context, list)
    app.add_middleware(GuardMiddleware, access=access)
    app.add_middleware(AccessMiddleware)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    server.run(sockets=[listener])


def feed(settings: Settings, seed: int, over: Path) -> None:
    """Send studies with reports as long as few are left to judge."""
    store, chance, number = open_store(settings), random.Random(seed), 0
    while not over.exists():
        counts = count_cases(store)
        waiting = sum(counts[state] for state in CaseState if state is not CaseState.JUDGED)
        if waiting >= STUDIES_WAITING:
            time.sleep(0.05)
            continue
        number += 1
        now, accession = datetime.now(UTC), f"A{number}"
        pixels = dicom_bytes(
            study=f"2.25.{number}", AccessionNumber=accession, PatientID=f"P{number}", value=255
        )
        send_image(store, pixels, now=now)
        send_report(
            store,
            f"Case {number}: no mass is seen. {chance.random()}",
            accession=accession,
            patient=f"P{number}",
            now=now,
        )


def judging(url: str, me: int, seed: int, over: Path, log: Path) -> None:
    """Judge what is listed, a share of the cases for each judge, and note what was acknowledged."""
    chance, made = random.Random(f"{seed} {me}"), 0
    with log.open("a") as noted, httpx.Client(base_url=url, timeout=10) as client:
        while True:
            cases = sent(client, "GET", "/api/v1/worklist?limit=60").json()["cases"]
            mine = [case for case in cases if case["case_id"] % JUDGES == me]
            if not mine and over.exists():
                return
            for case in mine:
                made += 1
                path = f"/api/v1/cases/{case['case_id']}/judgement"
                body = {
                    "submission": f"judge {me} {made}",
                    "revision": case["revision"],
                    "verdicts": [{"finding": "mass", "kind": "POSSIBLE_MISS", "verdict": "CONFIRMED"}],
                    "radpeer": chance.choice(["1", "2a"]),
                }
                read_id = noted_answer(noted, sent(client, "POST", path, body), body, case["case_id"])
                if read_id is not None and chance.random() < TAKEN_BACK:
                    made += 1
                    undoing = {"submission": f"judge {me} {made}", "read_id": read_id}
                    noted_answer(
                        noted, sent(client, "POST", f"{path}/undo", undoing), undoing, case["case_id"]
                    )


def sent(client: httpx.Client, method: str, path: str, body: object = None) -> httpx.Response:
    """Send until somebody answers."""
    while True:
        try:
            answer = client.request(method, path, json=body)
        except httpx.TransportError:
            time.sleep(0.02)
            continue
        if answer.status_code < 500:
            return answer


def noted_answer(noted: TextIO, answer: httpx.Response, body: dict[str, object], case_id: int) -> int | None:
    """Note an acknowledgement, or a refusal, which there must not be; return the entry."""
    word = "acknowledged" if answer.is_success else f"refused-{answer.status_code}"
    noted.write(f"{word}\t{body['submission']}\t{case_id}\n")
    noted.flush()
    return answer.json()["read_id"] if answer.is_success else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What became of what was acknowledged."""

    acknowledged: int
    lost: int  # acknowledged, and not recorded
    twice: int  # recorded more than once
    unknown: int  # recorded, and never acknowledged
    refused: int
    astray: (
        int  # cases whose state does not follow from what is recorded, or without its entries of the trail
    )
    judged: int  # cases

    @property
    def is_perfect(self) -> bool:
        """Whether nothing is wrong, and something was done at all."""
        wrong = (self.lost, self.twice, self.unknown, self.refused, self.astray)
        return self.acknowledged > 0 and not any(wrong)

    def lines(self) -> list[str]:
        """Return the count in words."""
        return [
            f"acknowledged judgements and undoings {self.acknowledged}",
            f"lost                                 {self.lost}",
            f"recorded twice                       {self.twice}",
            f"recorded, never acknowledged         {self.unknown}",
            f"refused                              {self.refused}",
            f"cases judged                         {self.judged}",
            f"cases whose state does not follow    {self.astray}",
        ]


def count(store: Store, logs: list[Path]) -> Count:
    """Compare what was acknowledged with what is recorded."""
    lines = [line.split("\t") for log in logs for line in log.read_text().splitlines()]
    acknowledged = Counter(line[1] for line in lines if line[0] == "acknowledged")
    with store.reading() as connection:
        rows = connection.execute(
            text("SELECT submission, case_id, act FROM second_reads WHERE act <> 'OPENED' ORDER BY read_id")
        ).all()
        states = {
            row.case_id: row.state for row in connection.execute(text("SELECT case_id, state FROM cases"))
        }
        events = Counter(
            connection.execute(
                text("SELECT case_id FROM events WHERE event IN ('JUDGED', 'JUDGEMENT_UNDONE')")
            ).scalars()
        )
    recorded = Counter(row.submission for row in rows)
    last: dict[int, str] = {row.case_id: row.act for row in rows}
    acts = Counter(row.case_id for row in rows)
    trail = Counter(
        item.entry.subject
        for item in find_entries(store, TrailFilter())
        if item.entry and item.entry.what == "second read"
    )
    astray = sum(
        states[case_id] != ("JUDGED" if act == "JUDGED" else "LISTED")
        or events[case_id] != acts[case_id]
        or trail[f"case {case_id}"] != acts[case_id]
        for case_id, act in last.items()
    )
    return Count(
        acknowledged=len(acknowledged),
        lost=len(acknowledged.keys() - recorded.keys()),
        twice=sum(number > 1 for number in recorded.values()),
        unknown=len(recorded.keys() - acknowledged.keys()),
        refused=sum(line[0] != "acknowledged" for line in lines),
        astray=astray,
        judged=sum(state == "JUDGED" for state in states.values()),
    )


def run(
    settings: Settings, folder: Path, *, kills: int, seed: int, pause: float
) -> tuple[Count, Counter[str]]:
    """Kill as often as asked while judges judge, let them come to an end, and count."""
    chance, killed = random.Random(seed), Counter[str]()
    over, logs = folder / "over", [folder / f"judge-{me}" for me in range(JUDGES)]
    listener = socket.create_server(("127.0.0.1", 0))  # kept here: who is killed leaves no port behind
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def start(role: str) -> int:
        if role == "api":
            return born(serve, settings, listener)
        return born(triage, settings, f"worker {killed.total()}")

    living = [start(role) for role in _ROLES]
    others = [born(feed, settings, seed, over)]
    others += [born(judging, url, me, seed, over, log) for me, log in enumerate(logs)]
    try:
        while killed.total() < kills:
            time.sleep(chance.expovariate(1 / pause))
            hit = chance.randrange(len(living))
            os.kill(living[hit], signal.SIGKILL)
            os.waitpid(living[hit], 0)
            killed[_ROLES[hit]] += 1
            living[hit] = start(_ROLES[hit])
        over.touch()
        ended = all(_ends(pid) for pid in others)
    finally:
        for pid in living:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    store = open_store(settings)
    try:
        counted = count(store, logs)
    finally:
        store.close()
    if not ended:
        raise SystemExit("a judge did not come to an end")
    return counted, killed


def _ends(pid: int) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return True
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


def main() -> int:
    """Run once and print what was counted."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.5, help="mean seconds between two kills")
    parser.add_argument("--database-url", default="", help="default: SQLite in a temporary folder")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environ = {"OVERREAD_DATABASE_URL": arguments.database_url}
        settings = short(load_settings(environ, data_folder=folder / "data"))
        open_store(settings).close()
        counted, killed = run(
            settings, folder, kills=arguments.kills, seed=arguments.seed, pause=arguments.pause
        )
    hit = ", ".join(f"{number} x {role}" for role, number in sorted(killed.items()))
    lines = [f"seed {arguments.seed}, {time.monotonic() - start:.0f} s; killed with SIGKILL: {hit}"]
    sys.stdout.writelines(f"{line}\n" for line in (*lines, *counted.lines()))
    return 0 if counted.is_perfect else 1


if __name__ == "__main__":
    sys.exit(main())
