"""Studies per second through the whole worker, next to the bare sum of decoding and inference.

    python -m benchmarks.worker --studies 48

Each study is one radiograph of 2048 x 2048 pixels of 14 bits in 16, uncompressed or as lossless JPEG 2000,
with a report. Studies wait in the queue in batches. The worker drains a batch: it claims each
study, lets its child process read the report, decode, prepare, infer and compare, and stores the result on
SQLite, each result synced. The same is done once more in one process, without a child. The bare sum decodes
the files of the same batch with the same decoder and runs the same network on the same prepared input. Which
comes first is drawn by chance for each batch, and every batch is sent anew.

Worker and bare sum do not use the machine alike: the worker prepares the next study on a second thread
while the network runs on this one, so it needs a second core for that, and of each batch the first study is
prepared without overlap; the bare sum is serial on one thread. The network has one thread in both. Where
something else keeps the second core busy, nothing overlaps and the overhead is that of preparing in turn,
about three times as much: measure on an otherwise idle machine. The overhead is a ratio of wall-clock
times, its interval a bootstrap over the batches.
"""

import argparse
import copy
import io
import itertools
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import structlog
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
)

from benchmarks.radiographs import SIDE, dicom_of, radiograph
from models.decoding import decode_frame
from models.manifest import Manifest
from models.network import OnnxNetwork
from models.pixels import network_input
from models.releases import DEFAULT_RELEASE, RELEASES, load_onnx_detector
from overread.finding import load_vocabulary
from overread.report import load_reader
from overread.statistics import Estimate, bootstrap_estimate
from service.intake.closing import close_study
from service.intake.instances import begin_instance, receive_instance
from service.intake.reports import IncomingReport, receive_report
from service.runtime.worker_process import confined_looks
from service.settings import load_settings
from service.store.database import Store, open_store
from service.store.worklist import load_case
from service.triage.confined_looks import ConfinedLooks
from service.triage.looks import Looks, TriageTools
from service.triage.worker import work

REPORT = """\
INDICATION: Cough for two weeks.
COMPARISON: None.
FINDINGS: The cardiac silhouette is normal in size. The lungs are clear. There is no pleural effusion or
pneumothorax. A calcified granuloma is seen in the left upper lobe. Mild degenerative changes of the spine.
IMPRESSION: No acute cardiopulmonary abnormality.
"""
RESAMPLES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One batch, each way, in seconds."""

    studies: int
    worker: float
    alone: float  # the worker without a child process
    bare: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Parts of the worker that are measured, and the network by itself."""

    store: Store
    looks: ConfinedLooks
    tools: TriageTools
    network: OnnxNetwork
    manifest: Manifest


def name(dataset: Dataset, number: int) -> Dataset:
    """Return the image as that of a study of its own."""
    named = copy.deepcopy(dataset)
    named.StudyInstanceUID = f"2.25.{number}"
    named.SeriesInstanceUID = f"2.25.{number}.1"
    named.SOPInstanceUID = named.file_meta.MediaStorageSOPInstanceUID = UID(f"2.25.{number}.1.1")
    named.PatientID = f"P{number}"
    named.AccessionNumber = f"A{number}"
    return named


def file_of(dataset: Dataset) -> bytes:
    """Return the data set as the bytes of a file (PS3.10)."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def send(store: Store, dataset: Dataset, now: datetime) -> Path:
    """Put one study with its report into the store, ready for a worker; return its file."""
    with begin_instance(store) as incoming:
        incoming.write(file_of(dataset))
        receive_instance(store, incoming, source="bench", now=now)
    report = IncomingReport(content=REPORT, accession_number=dataset.AccessionNumber, source="bench")
    receipt = receive_report(store, report, now=now)
    close_study(store, dataset.StudyInstanceUID, now=now)
    assert receipt.case_id is not None
    return load_case(store, receipt.case_id).instances[0].path


def drain(store: Store, looks: Looks) -> int:
    """Let the worker triage everything that waits, and return how many studies that were."""
    return work(
        store,
        looks,
        name="bench",
        clock=lambda: datetime.now(UTC),
        stop=threading.Event(),
        drain=True,
    )


def measure(bench: Bench, send_batch: Callable[[], Sequence[Path]], chance: random.Random) -> Pair:
    """Take a batch through the worker, one like it through the worker in one process, its files by hand."""
    stated = bench.manifest.network
    ways: dict[str, Looks] = {"worker": bench.looks, "alone": bench.tools}
    seconds = {}
    for way in chance.sample(["worker", "alone", "bare"], 3):
        paths = send_batch()
        if way == "bare":
            prepared = [network_input(path, rows=stated.rows, columns=stated.columns) for path in paths]
            start = time.perf_counter()
            for path, pixels in zip(paths, prepared, strict=True):
                decode_frame(path, dcmread(path, stop_before_pixels=True))
                bench.network.run(pixels)
            seconds[way] = time.perf_counter() - start
            drain(bench.store, bench.tools)
        else:
            start = time.perf_counter()
            triaged = drain(bench.store, ways[way])
            seconds[way] = time.perf_counter() - start
            assert triaged == len(paths)
    return Pair(studies=len(paths), **seconds)


def longer(pairs: Sequence[Pair], other: str, seed: int) -> Estimate:
    """Return how much longer the worker takes than another way, as a share of that."""

    def share(rows: Iterable[int]) -> float:
        drawn = [pairs[row] for row in rows]
        return sum(pair.worker for pair in drawn) / sum(float(getattr(pair, other)) for pair in drawn) - 1

    return bootstrap_estimate(range(len(pairs)), share, resamples=RESAMPLES, seed=seed)


def describe(name: str, pairs: Sequence[Pair], seed: int) -> str:
    """Return the lines of one kind of file."""
    child, over = (longer(pairs, other, seed) for other in ("alone", "bare"))
    studies = sum(pair.studies for pair in pairs)
    rates = "   ".join(
        f"{words} {studies / sum(getattr(pair, way) for pair in pairs):6.2f}"
        for way, words in (("worker", "worker"), ("alone", "in one process"), ("bare", "bare sum"))
    )
    return (
        f"{name:13} n {studies:4} in {len(pairs)} batches of up to {pairs[0].studies}   studies/s: {rates}\n"
        f"{'':13} overhead of the child process {child.value:.1%} "
        f"(95 % interval {child.low:.1%} to {child.high:.1%})\n"
        f"{'':13} overhead of the worker over the bare sum {over.value:.1%} "
        f"(95 % interval {over.low:.1%} to {over.high:.1%})"
    )


def run(studies: int, batch: int, seed: int, *, compressed: bool) -> list[Pair]:
    """Return the pairs of one kind of file."""
    chance, generator = random.Random(seed), np.random.default_rng(seed)
    images = [dicom_of(radiograph(generator), compressed=compressed) for _ in range(4)]
    sizes = [min(batch, studies - start) for start in range(0, studies, batch)]
    with tempfile.TemporaryDirectory() as folder:
        bench = make_bench(Path(folder))
        numbers = itertools.count(1)
        pairs = []
        for size in [2, *sizes]:  # the first warms up
            send_batch = partial(fill_batch, bench.store, images, numbers, size)
            pairs.append(measure(bench, send_batch, chance))
        bench.looks.close()
        bench.store.close()
    return pairs[1:]


def make_bench(folder: Path) -> Bench:
    """Return a worker's parts on a store of its own in this folder."""
    detector = load_onnx_detector()
    tools = TriageTools(
        report_reader=load_reader(),
        detectors=(detector,),
        vocabulary=load_vocabulary(),
    )
    store = open_store(load_settings({"OVERREAD_FREE_BYTES_MIN": "0"}, data_folder=folder))
    return Bench(
        store=store,
        looks=confined_looks(store),
        tools=tools,
        network=OnnxNetwork(RELEASES / DEFAULT_RELEASE, detector.manifest, threads=1),
        manifest=detector.manifest,
    )


def fill(store: Store, images: Sequence[Dataset], numbers: Iterable[int]) -> list[Path]:
    """Put a study into the store for each number, its image one of these, and return their files."""
    named = [name(images[number % len(images)], number) for number in numbers]
    return [send(store, dataset, datetime.now(UTC)) for dataset in named]


def fill_batch(store: Store, images: Sequence[Dataset], numbers: Iterator[int], size: int) -> Sequence[Path]:
    """Put a batch of studies into the store, under the next numbers, and return their files."""
    return fill(store, images, itertools.islice(numbers, size))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=48, help="of each kind")
    parser.add_argument("--batch", type=int, default=8, help="studies that wait at once")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    print(
        f"{SIDE} x {SIDE} pixels of 14 bits in 16, {os.cpu_count()} cores, seed {arguments.seed}\n"
        "threads: network 1; worker 1 and 1 more that prepares the next study; bare sum 1"
    )
    for name, compressed in (("uncompressed", False), ("JPEG 2000", True)):
        pairs = run(arguments.studies, arguments.batch, arguments.seed, compressed=compressed)
        print(describe(name, pairs, arguments.seed), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
