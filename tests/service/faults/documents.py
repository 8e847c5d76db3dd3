"""Posts FHIR documents that hypothesis makes to a running service, and counts what became of each.

    python -m tests.service.faults.documents --documents 10000 --seed 1

Some are of the right shape, some nearly so, some not at all. Every one must be stored, quarantined or refused
with its status; the service must live on in bounded memory and lose nothing that it acknowledged.
"""

import argparse
import hashlib
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from hypothesis import HealthCheck, Phase, given, seed, settings

from overread.errors import InputError
from service.fhir.report import read_submission
from service.settings import load_settings
from service.store.database import Store, open_store
from service.store.schema import quarantine, report_versions
from tests.service.fhir.documents import body, identifier, report
from tests.service.fhir.strategies import DOCUMENTS
from tests.service.running import serving

FHIR = {"Content-Type": "application/fhir+json"}
KNOWN = frozenset({200, 201, 400, 409, 413, 415, 422, 503})


@dataclass(kw_only=True)
class Tally:
    """What became of what was posted."""

    outcomes: Counter[str] = field(default_factory=Counter)
    answers: list[tuple[bytes, int, str]] = field(
        default_factory=list
    )  # body, status, code of the first issue
    unknown: int = 0  # answers that no table names
    lost: int = 0  # neither stored nor in quarantine, though the answer says so
    alive: bool = False
    memory_megabytes: float = 0.0
    slowest_seconds: float = 0.0

    @property
    def is_perfect(self) -> bool:
        """Whether every answer is one of the table and true."""
        return self.alive and not (self.unknown or self.lost)

    def lines(self) -> Iterator[str]:
        """The counts as a table."""
        yield f"FHIR: {self.outcomes.total()} documents posted"
        rows = [*sorted(self.outcomes.items()), ("not by the table", self.unknown), ("lost", self.lost)]
        for name, count in rows:
            yield f"  {name:32}{count:8}"
        yield f"  {'service still serves':32}{'yes' if self.alive else 'NO':>8}"
        yield f"  {'its peak memory':32}{self.memory_megabytes:5.0f} MB"
        yield f"  {'slowest answer':32}{self.slowest_seconds:6.1f} s"


def post_all(client: httpx.Client, count: int, number: int, tally: Tally) -> None:
    """Post so many documents; in the end one that is whole."""

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(document=DOCUMENTS)
    def post(document: Any) -> None:
        if tally.outcomes.total() < count:
            post_one(client, json.dumps(document).encode(), tally)

    post()
    whole = report(identifier=[identifier("the last", "ACSN")])  # of a study that no other names
    tally.alive = client.post("/fhir", content=body(whole), headers=FHIR).status_code == 201


def post_one(client: httpx.Client, content: bytes, tally: Tally) -> None:
    started = time.monotonic()
    answer = client.post("/fhir", content=content, headers=FHIR)
    tally.slowest_seconds = max(tally.slowest_seconds, time.monotonic() - started)
    if answer.status_code not in KNOWN or answer.headers["content-type"] != FHIR["Content-Type"]:
        tally.unknown += 1
        sys.stderr.write(f"{answer.status_code} for {content!r}\n")
    resource = answer.json()
    code = resource["issue"][0]["code"] if resource["resourceType"] == "OperationOutcome" else "entries"
    tally.outcomes[f"{answer.status_code} {code}"] += 1
    tally.answers.append((content, answer.status_code, code))


def take_account(store: Store, tally: Tally) -> None:
    """Compare what was answered with what is there."""
    with store.reading() as connection:
        stored = {row.sha256 for row in connection.execute(report_versions.select())}
        kept = {row.sha256 for row in connection.execute(quarantine.select())}
    for content, status, code in tally.answers:
        is_kept = hashlib.sha256(content).hexdigest() in kept
        if status >= 400:
            is_true = is_kept is (code != "not-supported")
        else:
            is_true = all(text in stored for text in hashes_of(content)) or (code == "entries" and is_kept)
        tally.lost += not is_true


def hashes_of(content: bytes) -> list[str]:
    """What the store must hold of an acknowledged document."""
    try:
        reports = read_submission(content, source="test").reports
    except InputError:
        return ["no hash: it must not have been acknowledged"]
    texts = (str(report.content).removeprefix("\ufeff") for report in reports)
    return [hashlib.sha256(text.encode()).hexdigest() for text in texts]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    tally = Tally()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with serving(folder, "--workers", "0") as running:
            with httpx.Client(base_url=running.api, timeout=120) as client:
                post_all(client, arguments.documents, arguments.seed, tally)
            status = Path(f"/proc/{running.children()['api']}/status").read_text()
            tally.memory_megabytes = int(status.partition("VmHWM:")[2].split()[0]) / 1024
        store = open_store(load_settings({}, data_folder=folder / "data"))
        take_account(store, tally)
        store.close()
    sys.stdout.writelines(f"{line}\n" for line in tally.lines())
    return 0 if tally.is_perfect else 1


if __name__ == "__main__":
    sys.exit(main())
