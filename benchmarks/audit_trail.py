"""Time to verify a long audit trail, and what recording costs a page.

    python -m benchmarks.audit_trail --entries 1000000 --views 400 --databases sqlite postgresql

Fills a trail, seals it and verifies it. Then asks for case pages of two applications on the same store, one
that records views and one that does not, in turns, each time another case; prints the geometric mean of the
ratios of the times, with an interval over the pairs. Ends with status 1 when the trail is not found sound.
"""

import argparse
import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import cast

import httpx
import numpy as np

from benchmarks.day import START, fill
from benchmarks.worklist import opened
from overread.actor import Actor
from overread.statistics import bootstrap_estimate
from service.audit_trail.verification import verify_trail
from service.store.audit_entries import AuditAction, AuditEntry
from service.store.audit_trail import record_acts, seal_trail
from service.store.database import Store
from service.web.audit import AuditMiddleware
from tests.service.postgres import MISSING, program
from tests.service.web.listening import guarded_app, listening

CASES = 2000
BATCH = 5000


def fill_trail(store: Store, count: int) -> None:
    """Write and seal a trail of looks at cases."""
    actor = Actor.account("anna", "Anna Roe")
    for start in range(0, count, BATCH):
        record_acts(
            store,
            [
                AuditEntry(
                    at=START + timedelta(seconds=number),
                    actor=actor,
                    sent_from="10.0.0.5",
                    action=AuditAction.SAW,
                    what="GET /cases/{case_id}",
                    subject=f"case {number % CASES}",
                )
                for number in range(start, min(start + BATCH, count))
            ],
        )
    seal_trail(store)


@contextmanager
def pages(store: Store, *, recording: bool) -> Iterator[httpx.Client]:
    """A client of the pages of a store, which are recorded or not."""
    app = guarded_app(store)
    if not recording:
        app.user_middleware = [
            each for each in app.user_middleware if cast(object, each.cls) is not AuditMiddleware
        ]
    with listening(app) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def compare_pages(store: Store, views: int, chance: random.Random) -> None:
    """Print what recording costs a page."""
    with pages(store, recording=True) as with_trail, pages(store, recording=False) as without:
        for client in (with_trail, without):
            _milliseconds(client, 1)
        numbers = [chance.randint(1, CASES) for _ in range(views)]
        pairs = []
        for turn, number in enumerate(numbers):
            order = (with_trail, without) if turn % 2 else (without, with_trail)
            taken = {client: _milliseconds(client, number) for client in order}
            pairs.append((taken[with_trail], taken[without]))
    times = np.array(pairs)
    shares = np.log(times[:, 0] / times[:, 1])
    ratio = bootstrap_estimate(
        range(views), lambda rows: float(np.exp(shares[rows].mean())), resamples=2000, seed=1
    )
    print(
        f"case page: median {np.median(times[:, 0]):.1f} ms recorded, {np.median(times[:, 1]):.1f} ms not; "
        f"ratio {ratio:.3f}, n={views} pairs",
        flush=True,
    )


def _milliseconds(client: httpx.Client, number: int) -> float:
    start = time.perf_counter()
    client.get(f"/cases/{number}").raise_for_status()
    return 1000 * (time.perf_counter() - start)


def main() -> int:
    """Fill, verify, compare, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--views", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    arguments = parser.parse_args()
    sound = True
    for database in arguments.databases:
        if database == "postgresql" and program("initdb") is None:
            print(MISSING)
            continue
        with opened(database) as store:
            print(f"{database}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
            fill(store, CASES, random.Random(arguments.seed))
            compare_pages(store, arguments.views, random.Random(arguments.seed))
            fill_trail(store, arguments.entries)
            start = time.perf_counter()
            report = verify_trail(store)
            print(
                f"verified {report.anchor.position} entries in {time.perf_counter() - start:.1f} s",
                flush=True,
            )
            sound = sound and report.is_sound
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
