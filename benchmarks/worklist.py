"""Times every query that the page of the worklist asks, with one day of a large group in the store.

    python -m benchmarks.worklist --cases 100000

On SQLite and PostgreSQL, one after the other. The rows are made in bulk (benchmarks/day.py); the queries are
the service's own, each with another case, place or subspecialty every time. Prints median and 99th percentile
of each, and ends with status 1 if a 99th percentile is above the limit.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

from benchmarks.day import START, SUBSPECIALTIES, fill
from overread.case import CaseState
from service.settings import load_settings
from service.store.archive import Attribute, Level, OneOf, search
from service.store.database import Store, open_store
from service.store.order import Selection
from service.store.quarantine import count_quarantine, list_quarantine
from service.store.queue import claim_case
from service.store.worklist import count_cases, find_case, list_numbers, list_worklist, load_case
from tests.service.postgres import MISSING, cluster, program

NOW = START + timedelta(days=2)


def places(store: Store) -> list[str]:
    """Return a place after every hundredth case of the list, as its pages give them."""
    found: list[str] = []
    position = None
    while (position := list_worklist(store, now=NOW, after=position, limit=100).next) is not None:
        found.append(position)
    return found


def questions(store: Store, count: int, chance: random.Random) -> dict[str, Callable[[], object]]:
    """Return what is asked; each question is another one every time."""
    found = places(store)

    def number() -> int:
        return chance.randint(1, count)

    def reader() -> str:
        return chance.choice([name for name in SUBSPECIALTIES if name])

    def by(attribute: Attribute, value: str) -> object:
        return search(store, Level.STUDY, [(attribute, OneOf(values=(value,)))], limit=50)

    return {
        "first page of 50 listed": lambda: list_worklist(store, now=NOW),
        "next page of 50 anywhere in the list": lambda: list_worklist(
            store, now=NOW, after=chance.choice(found)
        ),
        "first page of 50 above another line": lambda: list_worklist(
            store, Selection(share=chance.choice((0.05, 0.2)), above_line=True), now=NOW
        ),
        "first page of 50 below the line": lambda: list_worklist(store, Selection(above_line=False), now=NOW),
        "first page of 50 for a subspecialty": lambda: list_worklist(
            store, Selection(subspecialty=reader()), now=NOW
        ),
        "first page of 50, every state": lambda: list_worklist(
            store, Selection(states=list(CaseState)), now=NOW
        ),
        "first page of 50 concordant": lambda: list_worklist(
            store, Selection(states=[CaseState.CONCORDANT]), now=NOW
        ),
        "first page when all waited too long": lambda: list_worklist(store, now=NOW + timedelta(days=30)),
        "neighbours of a case (first 500)": lambda: list_numbers(
            store, Selection(above_line=True), now=NOW, limit=500
        ),
        "count by state": lambda: count_cases(store),
        "one case with everything": lambda: load_case(store, number()),
        "case of a study UID": lambda: find_case(store, f"2.25.{number()}"),
        "search by accession number": lambda: by(Attribute.ACCESSION_NUMBER, f"A{number() - 1}"),
        "search by patient id": lambda: by(Attribute.PATIENT_ID, f"P{number() - 1}"),
        "quarantine: page of 50 and count": lambda: (list_quarantine(store), count_quarantine(store)),
        "claim of a case": lambda: claim_case(store, worker="bench", now=NOW),
    }


def timed(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Return the median and the 99th percentile in milliseconds."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - start))
    taken.sort()
    return taken[len(taken) // 2], taken[min(int(0.99 * len(taken)), len(taken) - 1)]


@contextmanager
def opened(database: str) -> Iterator[Store]:
    """Give an empty store of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environ = {"OVERREAD_FREE_BYTES_MIN": "0"}
        if database == "postgresql":
            running = stack.enter_context(cluster())
            environ["OVERREAD_DATABASE_URL"] = running.url(running.new_database())
        store = open_store(load_settings(environ, data_folder=folder))
        stack.callback(store.close)
        yield store


def main() -> int:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit-ms", type=float, default=50.0, help="for every 99th percentile")
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    arguments = parser.parse_args()
    slow = 0
    for database in arguments.databases:
        if database == "postgresql" and program("initdb") is None:
            print(MISSING)
            continue
        chance = random.Random(arguments.seed)
        with opened(database) as store:
            fill(store, arguments.cases, chance)
            print(
                f"{arguments.cases} cases on {database}, {arguments.repeats} times each, "
                f"seed {arguments.seed}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
                flush=True,
            )
            for name, work in questions(store, arguments.cases, chance).items():
                median, worst = timed(work, arguments.repeats)
                slow += worst > arguments.limit_ms
                mark = "" if worst <= arguments.limit_ms else f"   above {arguments.limit_ms:g} ms"
                print(
                    f"{name:38} median {median:7.2f} ms   99th percentile {worst:7.2f} ms{mark}", flush=True
                )
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
