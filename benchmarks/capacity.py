"""Cores, disk and database for so many studies a day, and what a thousand cost, from what one takes here.

    python -m benchmarks.capacity --studies 48
    python -m benchmarks.capacity --studies 48 --core-hour 0.05 --gigabyte-month 0.02 --months 12

Takes studies as `benchmarks.worker` makes them (a radiograph of 2048 x 2048 pixels with its report) through a
worker, and measures the time of a processor that worker and child use, the bytes of objects, and those by
which the database grows. Processor time and not the time of day: other work on the machine lengthens it
little. Intervals are a bootstrap over batches.

The table says how many cores triage needs in the busiest hour, so that nothing waits for long: studies of
that hour times processor time, over the share of a core that may be in use. It leaves out what intake, pages
and the database itself need, and assumes that workers on several cores do not slow one another: read it as
a lower bound, and measure on the machine that it is for.
"""

import argparse
import itertools
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import structlog

from benchmarks.radiographs import SIDE, dicom_of, radiograph
from benchmarks.worker import RESAMPLES, Bench, drain, fill_batch, make_bench
from overread.statistics import Estimate, Rows, bootstrap_estimate

_HOUR_SECONDS = 3600.0
_DAYS = (1_000, 5_000, 10_000, 50_000, 100_000, 300_000)  # the last: more than 100 million a year


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Cost of a batch of studies."""

    studies: int
    cpu_seconds: float  # of worker and child
    object_bytes: int
    database_bytes: int  # with indexes; may be 0 for a batch that fits into pages already there


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """Shape of a day."""

    peak: float  # share of its studies in the busiest hour
    load: float  # share of a core's time that may be in use in that hour


def cores_for(studies: int, cpu_seconds: float, day: Day) -> float:
    """Return how many cores triage needs for so many studies a day, of which each takes so much of a core."""
    return studies * day.peak * cpu_seconds / (_HOUR_SECONDS * day.load)


def measure(bench: Bench, studies: Sequence[int], images: Sequence[object]) -> list[Cost]:
    """Return the cost of batches of these sizes, after a first one that warms up."""
    numbers = itertools.count(1)
    costs = []
    for size in [2, *studies]:
        before = _size(bench)
        fill = partial(fill_batch, bench.store, images, numbers, size)  # type: ignore[arg-type]
        paths = fill()
        used = _cpu_seconds(bench)
        assert drain(bench.store, bench.looks) == size
        costs.append(
            Cost(
                studies=size,
                cpu_seconds=_cpu_seconds(bench) - used,
                object_bytes=sum(path.stat().st_size for path in paths),
                database_bytes=_size(bench) - before,
            )
        )
    return costs[1:]


def _cpu_seconds(bench: Bench) -> float:
    """Return the processor time that worker and child have used."""
    used = 0.0
    for pid in (os.getpid(), bench.looks.pid):
        if pid is not None:
            times = psutil.Process(pid).cpu_times()
            used += times.user + times.system
    return used


def _size(bench: Bench) -> int:
    with bench.store.reading() as connection:
        pages, page_bytes = (
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("page_count", "page_size")
        )
    return int(pages * page_bytes)


def per_study(costs: Sequence[Cost], what: str, seed: int) -> Estimate:
    """Return the mean of a cost over studies."""

    def mean(rows: Rows) -> float:
        drawn = [costs[row] for row in rows]
        return float(sum(getattr(cost, what) for cost in drawn) / sum(cost.studies for cost in drawn))

    return bootstrap_estimate(range(len(costs)), mean, resamples=RESAMPLES, seed=seed)


def table(cpu: Estimate, objects: Estimate, database: Estimate, day: Day) -> str:
    """Return the lines of the table, in Markdown."""
    lines = [
        "| studies a day | cores for triage | objects a day, GB | database a day, GB |",
        "|---|---|---|---|",
    ]
    for studies in _DAYS:
        low, value, high = (cores_for(studies, seconds, day) for seconds in (cpu.low, cpu.value, cpu.high))
        cores = f"{value:.2f} [{low:.2f}, {high:.2f}]"
        lines.append(
            f"| {studies:,} | {cores} | {studies * objects.value / 1e9:,.0f} "
            f"| {studies * database.value / 1e9:,.2f} |"
        )
    return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What is paid for a machine; of no currency."""

    core_hour: float
    gigabyte_month: float
    months: float  # for which everything is kept


def thousand(cpu: Estimate, objects: Estimate, database: Estimate, prices: Prices) -> str:
    """Return what triage of a thousand studies takes, and what that costs, in words."""
    core_hours = tuple(1000 * seconds / _HOUR_SECONDS for seconds in (cpu.value, cpu.low, cpu.high))
    gigabytes = 1000 * (objects.value + database.value) / 1e9
    keeping = gigabytes * prices.gigabyte_month * prices.months
    takes = "{:.3f} [{:.3f}, {:.3f}] hours of a core".format(*core_hours)
    costs = "{:.3f} [{:.3f}, {:.3f}]".format(*(hours * prices.core_hour for hours in core_hours))
    return (
        f"1,000 studies take {takes} and {gigabytes:.2f} GB; at {prices.core_hour:g} a core hour and "
        f"{prices.gigabyte_month:g} a gigabyte and month, triage costs {costs} and keeping everything for "
        f"{prices.months:g} months {keeping:.2f}"
    )


def processor() -> str:
    """Return the name of the processor as the kernel has it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=48)
    parser.add_argument("--batch", type=int, default=4, help="studies that wait at once")
    parser.add_argument("--compressed", action="store_true", help="JPEG 2000 instead of uncompressed")
    parser.add_argument("--peak", type=float, default=0.12, help="share of a day in its busiest hour")
    parser.add_argument("--load", type=float, default=0.7, help="share of a core that may be in use then")
    parser.add_argument("--core-hour", type=float, default=0.05, help="price of a core for an hour")
    parser.add_argument("--gigabyte-month", type=float, default=0.02, help="price of a gigabyte for a month")
    parser.add_argument("--months", type=float, default=12, help="for which everything is kept")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    generator = np.random.default_rng(given.seed)
    images = [dicom_of(radiograph(generator), compressed=given.compressed) for _ in range(4)]
    sizes = [min(given.batch, given.studies - start) for start in range(0, given.studies, given.batch)]
    with tempfile.TemporaryDirectory() as folder:
        bench = make_bench(Path(folder))
        costs = measure(bench, sizes, images)
        bench.looks.close()
        bench.store.close()
    cpu, objects, database = (
        per_study(costs, what, given.seed) for what in ("cpu_seconds", "object_bytes", "database_bytes")
    )
    kind = "JPEG 2000" if given.compressed else "uncompressed"
    print(
        f"{processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n"
        f"{SIDE} x {SIDE} pixels, {kind}, n = {given.studies} studies in {len(costs)} batches, SQLite\n"
        f"a study takes {cpu:.3f} s of a core, {objects.value / 1e6:.2f} MB of objects, "
        f"{database.value / 1e3:.1f} kB of the database\n"
        f"busiest hour {given.peak:.0%} of a day, cores in use for {given.load:.0%} of it\n"
    )
    print(table(cpu, objects, database, Day(peak=given.peak, load=given.load)))
    prices = Prices(core_hour=given.core_hour, gigabyte_month=given.gigabyte_month, months=given.months)
    print("\n" + thousand(cpu, objects, database, prices))
    return 0


if __name__ == "__main__":
    sys.exit(main())
