"""Millions of cases in PostgreSQL: claims, housekeeping, retention, a held snapshot, and a busy day.

    python -m benchmarks.scale --cases 2000000 --workers 64 --held 180 --day 100000

Makes a PostgreSQL of its own with so many cases, each with study, images, report, result and events (rows
alone: no pixels). Then, in this order: each task of housekeeping and of retention is timed; workers claim as
fast as they can, each on a connection of its own; they claim while somebody holds a snapshot (a REPEATABLE
READ transaction that stays open), which keeps what is dead from being cleared away; and a day of studies
passes by the service's own intake, claims and conclusions, faster than a day, with housekeeping beside it.
PostgreSQL has the settings that Debian gives it, but does not wait for the disk (fsync=off). Clients and
server share the machine. Intervals are Student's, over windows of time or repeats. --held 0 and --day 0
leave a part out.
"""

import argparse
import os
import sys
import time

from benchmarks.scale.busy_day import Day, busy_day
from benchmarks.scale.claims import Held, claim_for, claims_under_snapshot, rate
from benchmarks.scale.crowd import quiet
from benchmarks.scale.filling import Site, filled_site, make_ready
from benchmarks.scale.house import housekeeping_ms, retention_ms
from tests.service.postgres import MISSING, program

CLAIMS_PER_SECOND_MAX = 1000  # more cases wait than are claimed at this rate


def main() -> int:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=2_000_000)
    parser.add_argument("--workers", type=int, default=64, help="that claim at once")
    parser.add_argument("--seconds", type=float, default=60.0, help="of claims, without a snapshot")
    parser.add_argument("--held", type=float, default=180.0, help="seconds for which a snapshot is held")
    parser.add_argument("--day", type=int, default=100_000, help="studies of the day")
    parser.add_argument("--processes", type=int, default=4, help="that take the day's studies in")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if program("initdb") is None:
        print(MISSING)
        return 0
    quiet()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, seed {given.seed}", flush=True)
    with filled_site(given.cases, given.seed) as site:
        measure(site, given)
    return 0


def measure(site: Site, given: argparse.Namespace) -> None:
    """Do each part, and print what it gives as soon as it is known."""
    with site.opened() as store:
        for name, taken in housekeeping_ms(store):
            say(f"housekeeping, {name}: {taken:.1f} ms, n = {taken.n}")
        found, removed = retention_ms(store)
        say(f"retention, to find a study: {found:.2f} ms, n = {found.n}")
        say(f"retention, to remove its pixels: {removed:.1f} ms, n = {removed.n}")
        wanted = int(CLAIMS_PER_SECOND_MAX * (given.seconds * 3 + given.held))
        say(f"{make_ready(store, wanted):,} cases wait for a worker")
    claims = claim_for(site, workers=given.workers, seconds=given.seconds)
    say(f"{given.workers} workers: {rate(claims.claims, since=0, until=given.seconds)}")
    say(claims.cost())
    if given.held:
        say_held(
            claims_under_snapshot(site, workers=given.workers, seconds=given.seconds, held_seconds=given.held)
        )
    if given.day:
        say_day(busy_day(site, studies=given.day, processes=given.processes))


def say_held(held: Held) -> None:
    """Print what a held snapshot did."""
    for when in ("before", "first_half", "second_half", "after"):
        say(f"snapshot, {when.replace('_', ' ')}: {getattr(held, when)}")
    say(
        f"snapshot: {held.dead_rows:,} dead rows of cases when it was let go, "
        f"cases and their indexes had grown by {held.grown_bytes / 1e6:.1f} MB"
    )


def say_day(day: Day) -> None:
    """Print what a day did."""
    grown = day.database_grown_bytes
    say(
        f"a day of {day.studies:,} studies in {day.seconds:.0f} s, {day.times_faster:.0f} times as fast as "
        f"a real one: {day.studies / day.seconds:.0f} studies/s"
    )
    say(
        f"a study takes {1000 * day.server_cpu_seconds / day.studies:.1f} ms of a core at the server and "
        f"{1000 * day.client_cpu_seconds / day.studies:.1f} ms for intake, claim and storing"
    )
    say(f"the database grew by {grown / 1e6:,.0f} MB, {grown / day.studies / 1e3:.1f} kB a study")
    say(f"housekeeping beside it: {day.housekeeping_ms:.1f} ms for all tasks, n = {day.housekeeping_ms.n}")
    print("| table | most dead rows | autovacuums | grown, MB | indexes grown, MB |\n|---|---|---|---|---|")
    for table in day.tables:
        print(
            f"| {table.name} | {table.dead_most:,} | {table.vacuums} | {table.grown_bytes / 1e6:,.1f} "
            f"| {table.index_grown_bytes / 1e6:,.1f} |",
            flush=True,
        )
    say(f"indexes of cases: {day.index_bytes / 1e6:,.0f} MB, rebuilt {day.index_bytes_rebuilt / 1e6:,.0f} MB")


def say(line: str) -> None:
    """Print a line with the time since the start of the process, at once."""
    print(f"[{time.monotonic() - _STARTED:5.0f} s] {line}", flush=True)


_STARTED = time.monotonic()

if __name__ == "__main__":
    sys.exit(main())
