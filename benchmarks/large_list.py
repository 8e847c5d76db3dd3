"""Times every request that the worklist page makes, with a million cases in the store.

    python -m benchmarks.large_list --cases 1000000

On SQLite and PostgreSQL, one after the other. A day of cases (benchmarks/day.py) is multiplied inside the
database; 30 readers have a case each. A reader with a session asks for pages, rows, searches and claims over
a socket, one request after the other, each with another filter, place or case. Prints n, median and the 99th
percentile with its 95 % interval (order statistics, binomial), then how long Chromium takes to paint the list
from the start of the navigation. Ends with status 1 if a 99th percentile is above the limit.
"""

import argparse
import math
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import httpx
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from sqlalchemy import text

from benchmarks.day import FINDINGS, MODALITIES, START, SUBSPECIALTIES, fill
from benchmarks.worklist import opened
from overread.actor import Actor, ActorKind
from service.log import configure_logging
from service.security.roles import Role
from service.store.case_counts import fold_counts
from service.store.database import Store
from service.store.metadata import metadata
from service.store.order import Selection
from service.store.reading_claims import Hold, hold_case
from service.store.worklist import list_numbers
from tests.service.postgres import MISSING, program
from tests.service.security.people import Desk, add, desk_on, token_on

NOW = START + timedelta(days=2)
SEED_CASES = 20_000  # that are made one by one; the rest are copies with other numbers and priorities
READERS = 30
LIMIT_MS = 100.0
PAINT_LIMIT_MS = 1000.0

Ask = Callable[[], httpx.Response]


def multiply(store: Store, times: int) -> None:
    """Let the store hold so many times the cases of its first day."""
    columns = {
        table: [column for column in _columns_of(store, table) if column != "event_id"]
        for table in ("studies", "cases", "report_versions", "triage_results", "events")
    }
    tables = [metadata.tables[name] for name in columns]
    indexes = [index for table in tables for index in table.indexes]
    with store.writing() as connection:  # made again at the end: each copy would move every page of each
        for index in indexes:
            index.drop(connection)
    for number in range(1, times):
        shift = number * SEED_CASES
        uid = f"'2.25.' || (CAST(substr(study_instance_uid, 6) AS INTEGER) + {shift})"
        changed = {
            "case_id": f"case_id + {shift}",
            "study_instance_uid": uid,
            "accession_number": f"'A' || (CAST(substr(accession_number, 2) AS INTEGER) + {shift})",
            "priority": f"priority * (1 - 0.0001 * {number})",
            "result": "'{}'",  # a megabyte of it a case would be in no row that the list reads
            "reading": "'{}'",
        }
        with store.writing() as connection:
            for table, names in columns.items():
                values = ", ".join(
                    changed.get(name, name) if (table, name) != ("studies", "patient_id") else _patient(shift)
                    for name in names
                )
                only = "study_instance_uid" if table == "studies" else "case_id"
                at = "CAST(substr(study_instance_uid, 6) AS INTEGER)" if table == "studies" else only
                into = ", ".join(names)
                copied = f"SELECT {values} FROM {table} WHERE {at} <= {SEED_CASES}"
                connection.execute(text(f"INSERT INTO {table} ({into}) {copied}"))
    with store.writing() as connection:
        for index in indexes:
            index.create(connection)
    fold_counts(store, changes=1)  # as housekeeping does over the day
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        connection.execute(text("ANALYZE" if is_sqlite else "VACUUM ANALYZE"))  # as autovacuum does


def _patient(shift: int) -> str:
    return f"'P' || (CAST(substr(patient_id, 2) AS INTEGER) + {shift})"


def _columns_of(store: Store, table: str) -> list[str]:
    with store.reading() as connection:
        return list(connection.execute(text(f"SELECT * FROM {table} LIMIT 1")).keys())


def requests(browser: httpx.Client, store: Store, count: int, chance: random.Random) -> dict[str, Ask]:
    """Return what is asked; each request is another one every time."""
    token = {"csrf_token": token_on(browser.get("/"))}
    listed = list_numbers(store, Selection(), now=NOW, limit=1000)

    def ask(*parts: str) -> httpx.Response:
        return browser.get("/?" + "&".join(part for part in parts if part))

    def reader() -> str:
        return f"for={chance.choice([name for name in SUBSPECIALTIES if name])}"

    def pick(name: str, values: tuple[str, ...]) -> str:
        return f"{name}={chance.choice(values)}"

    def search(wanted: str) -> httpx.Response:
        return browser.post("/worklist/search", data={**token, "wanted": wanted})

    def claim() -> httpx.Response:
        return browser.post(f"/cases/{chance.choice(listed)}/claim", data=token)

    everything = pick("share", ("100",))
    return {
        "the list": ask,
        "its rows alone": lambda: browser.get("/worklist/rows"),
        "a later page": _later_pages(ask, chance),
        "for a subspecialty": lambda: ask(reader()),
        "below the line": lambda: ask("part=rest"),
        "all that is listed": lambda: ask(everything),
        "by finding": lambda: ask(pick("flag", FINDINGS), everything),
        "by a finding that nothing has": lambda: ask("flag=aortic_aneurysm", everything),
        "by kind and modality": lambda: ask("kind=possible_miss", pick("modality", MODALITIES), everything),
        "by urgency and wait": lambda: ask(pick("urgency", ("minutes", "days")), pick("waited", ("4", "24"))),
        "by three things, open": lambda: ask(
            pick("flag", FINDINGS), pick("modality", MODALITIES), reader(), "who=open"
        ),
        "claimed by somebody": lambda: ask("who=claimed", everything),
        "mine": lambda: ask("who=mine", everything),
        "longest wait first": lambda: ask("sort=waiting", everything),
        "newest first, of a finding": lambda: ask("sort=newest", pick("flag", FINDINGS), everything),
        "least time left first": lambda: ask("sort=cap"),
        "every state": lambda: browser.get("/?show=all"),
        "concordant": lambda: browser.get("/?show=concordant"),
        "search by accession": lambda: search(f"A{chance.randrange(count)}"),
        "search by patient": lambda: search(f"P{chance.randrange(count)}"),
        "what a search found": lambda: ask(f"cases={chance.randrange(1, count)}"),
        "claim": claim,
        "the coordinator's view": lambda: browser.get("/queue"),
    }


def _later_pages(ask: Callable[[str], httpx.Response], chance: random.Random) -> Ask:
    """Return what asks for a page behind one that was seen, and for the first until there is one."""
    places: list[str] = []

    def further() -> httpx.Response:
        answer = ask(f"after={chance.choice(places)}" if places else "")
        if found := answer.text.partition('href="/?after=')[2].partition('"')[0]:
            places.append(found)
        return answer

    return further


def percentile_99(sample: list[float]) -> tuple[float, float, float]:
    """Return the 99th percentile with its 95 % interval: the order statistics of the binomial."""
    ordered, n = sorted(sample), len(sample)
    spread = 1.96 * math.sqrt(n * 0.99 * 0.01)
    low, high = int(n * 0.99 - spread), math.ceil(n * 0.99 + spread)
    return ordered[min(int(0.99 * n), n - 1)], ordered[max(low, 0)], ordered[min(high, n - 1)]


def time_requests(asked: dict[str, Ask], repeats: int) -> int:
    """Ask everything so often, in turns, print a line for each, and return how many are too slow."""
    taken: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(repeats):
        for name, ask in asked.items():
            start = time.perf_counter()
            answer = ask()
            taken[name].append(1000 * (time.perf_counter() - start))
            if answer.status_code not in {200, 303, 409}:
                raise SystemExit(f"{name}: {answer.status_code} {answer.text[:200]}")
    slow = 0
    for name, sample in taken.items():
        at, low, high = percentile_99(sample)
        slow += at > LIMIT_MS
        mark = "" if at <= LIMIT_MS else f"   above {LIMIT_MS:g} ms"
        print(
            f"{name:32} n {len(sample)}   median {statistics.median(sample):6.1f} ms   "
            f"p99 {at:6.1f} [{low:.1f}, {high:.1f}] ms{mark}",
            flush=True,
        )
    every = [value for sample in taken.values() for value in sample]
    at, low, high = percentile_99(every)
    print(f"{'every request':32} n {len(every)}   p99 {at:.1f} [{low:.1f}, {high:.1f}] ms", flush=True)
    return slow


def time_paint(desk: Desk, repeats: int) -> int:
    """Let Chromium paint the list so often; return 1 if that takes too long."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        print("no browser (Debian packages chromium and chromium-driver)")
        return 0
    options = Options()
    options.binary_location = chromium
    with tempfile.TemporaryDirectory() as profile:
        for switch in ("--headless", "--no-sandbox", "--disable-gpu", "--window-size=1280,800"):
            options.add_argument(switch)
        options.add_argument(f"--user-data-dir={profile}")
        with webdriver.Chrome(options=options, service=Service(driver)) as browser:
            browser.get(f"{desk.url}/sign-in")
            browser.find_element(By.ID, "name").send_keys("ada")
            browser.find_element(By.ID, "password").send_keys("correct horse battery staple")
            browser.find_element(By.CSS_SELECTOR, ".sign-in button").click()
            taken: list[float] = []
            while len(taken) < repeats:
                browser.get(f"{desk.url}/")
                painted = browser.execute_async_script(_PAINTED)
                if painted:
                    taken.append(float(painted))
    at, low, high = percentile_99(taken)
    print(
        f"painted in Chromium: n {len(taken)}   median {statistics.median(taken):.0f} ms   "
        f"p99 {at:.0f} [{low:.0f}, {high:.0f}] ms, longest {max(taken):.0f} ms",
        flush=True,
    )
    return int(max(taken) > PAINT_LIMIT_MS)


_PAINTED = """
const done = arguments[0];
const look = () => {
  const entry = performance.getEntriesByName("first-contentful-paint")[0];
  if (entry && document.querySelector(".line")) done(entry.startTime); else setTimeout(look, 5);
};
look();
"""


@contextmanager
def large_desk(database: str, count: int, chance: random.Random) -> Iterator[tuple[Store, Desk]]:
    """Give pages on a store with so many cases."""
    with opened(database) as store:
        fill(store, min(count, SEED_CASES), chance)
        multiply(store, count // SEED_CASES)
        add(store, "ada", Role.SECOND_READER, Role.COORDINATOR)
        for number, case_id in enumerate(list_numbers(store, Selection(), now=NOW, limit=READERS)):
            who = Actor(
                identifier=f"person:r{number}", kind=ActorKind.PERSON, display_name=f"Reader {number}"
            )
            hold_case(store, case_id, Hold(holder=who, at=NOW, seconds=86_400))
        with desk_on(store, clock=_now) as desk:
            yield store, desk


def _now() -> datetime:
    return NOW


def main() -> int:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--paints", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    arguments = parser.parse_args()
    configure_logging()
    slow = 0
    for database in arguments.databases:
        if database == "postgresql" and program("initdb") is None:
            print(MISSING)
            continue
        chance = random.Random(arguments.seed)
        with large_desk(database, arguments.cases, chance) as (store, desk), desk.signed_in() as browser:
            load = f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
            print(f"{arguments.cases} cases on {database}, seed {arguments.seed}; load {load}", flush=True)
            slow += time_requests(requests(browser, store, arguments.cases, chance), arguments.repeats)
            slow += time_paint(desk, arguments.paints)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
