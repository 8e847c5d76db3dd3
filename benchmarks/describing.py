"""Share of a worker's time that goes into what studies look like: describing an image and keeping that.

    python -m benchmarks.describing --rounds 12

In each round a batch of studies, each a radiograph of 2048 x 2048 pixels with a report, goes through the
worker in one process; then the same files are prepared again and only described, and their appearances are
written once more into an open transaction, which is undone. Both are measured in processor time of all
threads, which a busy machine changes little. Printed is the ratio, its interval a bootstrap over the rounds,
and the bytes that one row takes.
"""

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import structlog
from sqlalchemy import select

from benchmarks.radiographs import dicom_of, radiograph
from benchmarks.worker import Bench, drain, fill_batch, make_bench
from models.decoding import decode_frame
from models.describing import describe_image
from models.dicom import read_header
from models.framing import AS_STORED
from models.pixels import network_input_from
from overread.appearance import Appearance
from overread.statistics import bootstrap_estimate
from service.store.drift import note_appearance
from service.store.json_format import to_json
from service.store.schema import cases

RESAMPLES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One batch, in seconds of processor time."""

    studies: int
    worker: float
    describing: float
    keeping: float


def measure(bench: Bench, send_batch: Callable[[], Sequence[Path]]) -> tuple[Round, Sequence[Appearance]]:
    """Take a batch through the worker, then describe its images and keep that once more."""
    paths = send_batch()
    worker = _spent(lambda: drain(bench.store, bench.tools))
    stated = bench.manifest.network
    read = [(header := read_header(path), decode_frame(path, header)) for path in paths]
    seen = [
        network_input_from(stored, header, rows=stated.rows, columns=stated.columns)
        for header, stored in read
    ]
    found: list[Appearance] = []

    def describe() -> None:
        for (header, stored), pixels in zip(read, seen, strict=True):
            found.append(describe_image(stored, header, pixels, AS_STORED))

    describing = _spent(describe)
    with bench.store.engine.connect() as connection:
        latest = select(cases.c.case_id).order_by(cases.c.case_id.desc()).limit(len(paths))
        case_ids = connection.execute(latest).scalars().all()
        now = datetime.now(UTC)

        def keep() -> None:
            for case_id, appearance in zip(case_ids, found, strict=True):
                note_appearance(connection, case_id, appearance, now=now)

        keeping = _spent(keep)
        connection.rollback()
    return Round(studies=len(paths), worker=worker, describing=describing, keeping=keeping), found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--batch", type=int, default=8, help="studies of a round")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    generator = np.random.default_rng(arguments.seed)
    images = [dicom_of(radiograph(generator), compressed=False) for _ in range(4)]
    numbers = itertools.count(1)
    with tempfile.TemporaryDirectory() as folder:
        bench = make_bench(Path(folder))
        rounds, sizes = [], []
        for size in [2, *[arguments.batch] * arguments.rounds]:  # the first warms up
            send_batch = partial(fill_batch, bench.store, images, numbers, size)
            found, appearances = measure(bench, send_batch)
            rounds.append(found)
            sizes += [len(to_json(appearance)) for appearance in appearances]
        bench.looks.close()
        bench.store.close()
    print(_words(rounds[1:], sizes, arguments.seed))
    return 0


def _words(rounds: Sequence[Round], sizes: Sequence[int], seed: int) -> str:
    def share(rows: Iterable[int]) -> float:
        drawn = [rounds[row] for row in rows]
        return sum(each.describing + each.keeping for each in drawn) / sum(each.worker for each in drawn)

    studies = sum(each.studies for each in rounds)
    of_worker, of_describing, of_keeping = (
        1000 * sum(getattr(each, name) for each in rounds) / studies
        for name in ("worker", "describing", "keeping")
    )
    found = bootstrap_estimate(range(len(rounds)), share, resamples=RESAMPLES, seed=seed)
    return (
        f"n {studies} studies in {len(rounds)} rounds, ms of processor time each: worker {of_worker:.1f}, "
        f"of it describing {of_describing:.2f} and keeping {of_keeping:.2f}\n"
        f"share {found.value:.2%} (95 % interval {found.low:.2%} to {found.high:.2%}); "
        f"{max(sizes)} bytes a row at most"
    )


def _spent(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    sys.exit(main())
