"""Cost of the counts that the database keeps: claims of cases with the trigger and without it.

    python -m benchmarks.case_counts --claims 2000 --databases sqlite postgresql

A worker's claim is the shortest transaction that moves a case from one state to another, so that the trigger
weighs most there. Claims go in blocks, with the trigger and without it in turns. Prints the medians, and the
geometric mean of the ratios of the blocks that follow one another, with a bootstrap interval over the pairs.
"""

import argparse
import os
import random
import statistics
import sys
import time

import numpy as np
from sqlalchemy import text

from benchmarks.day import fill
from benchmarks.worklist import NOW, opened
from overread.case import CaseState
from overread.statistics import bootstrap_estimate
from service.store.database import Store
from service.store.queue import claim_case
from service.store.schema import cases
from tests.service.postgres import MISSING, program

BLOCK = 50
TRIGGER = "cases_counted_update"
_FIND = "SELECT sql FROM sqlite_master WHERE name = :name"


def make_ready(store: Store) -> None:
    """Let every case that has a report wait for a worker."""
    ready, awaiting = CaseState.READY.value, CaseState.AWAITING_REPORT.value
    moved = cases.update().where(cases.c.state != awaiting).values(state=ready, due_at=NOW)
    with store.writing() as connection:
        connection.execute(moved)


class Trigger:
    """The trigger of the counts, which can be taken away and put back."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._is_sqlite = store.engine.dialect.name == "sqlite"
        if self._is_sqlite:
            with store.reading() as connection:
                self._made: str = connection.execute(text(_FIND), {"name": TRIGGER}).scalar_one()

    def keep(self, *, kept: bool) -> None:
        """Let the database keep the counts, or not."""
        if self._is_sqlite:
            statement = self._made if kept else f"DROP TRIGGER IF EXISTS {TRIGGER}"
        else:
            statement = f"ALTER TABLE cases {'ENABLE' if kept else 'DISABLE'} TRIGGER {TRIGGER}"
        with self._store.writing() as connection:
            connection.execute(text(statement))


def seconds_a_claim(store: Store) -> float:
    """Claim a block of cases, and return what one took."""
    start = time.perf_counter()
    for _ in range(BLOCK):
        if claim_case(store, worker="bench", now=NOW) is None:
            raise SystemExit("no case is left to be claimed; make --cases larger")
    return (time.perf_counter() - start) / BLOCK


def measure(database: str, count: int, claims: int, seed: int) -> None:
    """Fill, claim, print."""
    with opened(database) as store:
        fill(store, count, random.Random(seed))
        make_ready(store)
        trigger = Trigger(store)
        seconds_a_claim(store)  # what is looked up once is looked up now
        with_it, without_it = [], []
        for _ in range(claims // BLOCK):
            trigger.keep(kept=False)
            without_it.append(seconds_a_claim(store))
            trigger.keep(kept=True)
            with_it.append(seconds_a_claim(store))
    shares = np.log(np.array(with_it) / np.array(without_it))
    ratio = bootstrap_estimate(
        range(len(shares)), lambda rows: float(np.exp(shares[rows].mean())), resamples=2000, seed=seed
    )
    taken, spared = (1000 * statistics.median(seconds) for seconds in (with_it, without_it))
    print(
        f"{database}: a claim takes {taken:.2f} ms with the counts, {spared:.2f} ms without; "
        f"ratio {ratio:.3f}, n={len(shares)} pairs of {BLOCK} claims; "
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
        flush=True,
    )


def main() -> int:
    """Measure on each database."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--claims", type=int, default=2000, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    arguments = parser.parse_args()
    for database in arguments.databases:
        if database == "postgresql" and program("initdb") is None:
            print(MISSING)
            continue
        measure(database, arguments.cases, arguments.claims, arguments.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
