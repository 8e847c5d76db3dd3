"""Studies per second through the whole worker, next to the bare sum of decoding and inference.

    python -m benchmarks.worker --studies 40

Each study is one radiograph of 2048 x 2048 pixels of 16 bits, made here, uncompressed or as lossless
JPEG 2000, with a report. The worker claims it, reads the report, decodes, prepares, infers, compares, and
stores the result on SQLite, each commit synced. The bare sum decodes the same file with the same decoder and
runs the same network on the same prepared input, one thread each. The detector alone is timed too, to tell
what preparing and locating cost from what queue and store cost. All are timed study by study in turn, so that
a busy machine slows all; the interval is a bootstrap over the studies.
"""

import argparse
import io
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless

from models.decoding import decode_frame
from models.manifest import Manifest
from models.network import OnnxNetwork
from models.pixels import network_input
from models.releases import DEFAULT_RELEASE, RELEASES, load_detector
from overread.finding import load_vocabulary
from overread.priority import default_policy
from overread.report import load_reader
from service.intake.closing import close_study
from service.intake.instances import begin_instance, receive_instance
from service.intake.reports import IncomingReport, receive_report
from service.settings import load_settings
from service.store.database import Store, open_store
from service.store.queue import claim_case
from service.worker import Heartbeat, Readers, keep_house, triage_case

SIDE = 2048
DX = "1.2.840.10008.5.1.4.1.1.1.1"
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
    """One study, each way, in seconds."""

    worker: float
    detector: float
    bare: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bare:
    """The network by itself, and the thread that renews leases."""

    network: OnnxNetwork
    manifest: Manifest
    heartbeat: Heartbeat


def radiograph(generator: np.random.Generator) -> NDArray[np.uint16]:
    """Return a picture that compresses about as a radiograph: smooth shadows, and noise in the low bits."""
    rows, columns = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    shadows = np.zeros((SIDE, SIDE))
    for _ in range(12):
        row, column, width = generator.uniform(-0.8, 0.8, 3)
        shadows += np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (0.05 + width**2))
    grey = 8000 + 40000 * shadows / shadows.max() + generator.normal(0, 60, (SIDE, SIDE))
    return np.clip(grey, 0, 65535).astype(np.uint16)


def dicom_of(number: int, pixels: NDArray[np.uint16], *, compressed: bool) -> Dataset:
    """Return a frontal chest radiograph with these pixels."""
    study = f"2.25.{number}"
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = DX
    dataset.file_meta.MediaStorageSOPInstanceUID = f"{study}.1.1"
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = DX
    dataset.SOPInstanceUID = f"{study}.1.1"
    dataset.StudyInstanceUID = study
    dataset.SeriesInstanceUID = f"{study}.1"
    dataset.PatientID = f"P{number}"
    dataset.AccessionNumber = f"A{number}"
    dataset.Modality = "DX"
    dataset.BodyPartExamined = "CHEST"
    dataset.ViewPosition = "PA"
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.SamplesPerPixel = 1
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    dataset.PixelSpacing = [0.17, 0.17]
    dataset.PixelData = pixels.tobytes()
    if compressed:
        dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
    return dataset


def file_of(dataset: Dataset) -> bytes:
    """Return the data set as the bytes of a file (PS3.10)."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def send(store: Store, dataset: Dataset, accession: str, now: datetime) -> None:
    """Put one study with its report into the store, ready for a worker."""
    with begin_instance(store) as incoming:
        incoming.write(file_of(dataset))
        receive_instance(store, incoming, source="bench", now=now)
    receive_report(store, IncomingReport(content=REPORT, accession_number=accession, source="bench"), now=now)
    close_study(store, dataset.StudyInstanceUID, now=now)


def measure(store: Store, readers: Readers, bare: Bare, chance: random.Random) -> Pair:
    """Take the next study through the worker, the detector alone and the bare sum, in any order."""
    order = ["worker", "detector", "bare"]
    chance.shuffle(order)
    seconds = {}
    start = time.perf_counter()
    keep_house(store, now=datetime.now(UTC))  # the worker does so twice a second; here, for every study
    claimed = claim_case(store, worker="bench", now=datetime.now(UTC))
    claiming = time.perf_counter() - start
    assert claimed is not None
    (path,) = claimed.instances
    prepared = network_input(path, rows=bare.manifest.network.rows, columns=bare.manifest.network.columns)
    for way in order:
        start = time.perf_counter()
        if way == "worker":
            triage_case(store, claimed, readers, heartbeat=bare.heartbeat, clock=lambda: datetime.now(UTC))
        elif way == "detector":
            readers.detectors[0].detect(claimed.instances)
        else:
            decode_frame(path, dcmread(path, stop_before_pixels=True))
            bare.network.run(prepared)
        seconds[way] = time.perf_counter() - start
    return Pair(worker=seconds["worker"] + claiming, detector=seconds["detector"], bare=seconds["bare"])


def overhead(pairs: Sequence[Pair]) -> float:
    """Return how much longer the worker takes, as a share of the bare sum."""
    return sum(pair.worker for pair in pairs) / sum(pair.bare for pair in pairs) - 1


def interval(pairs: Sequence[Pair], chance: random.Random) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the overhead."""
    values = sorted(overhead(chance.choices(pairs, k=len(pairs))) for _ in range(RESAMPLES))
    return values[int(0.025 * RESAMPLES)], values[int(0.975 * RESAMPLES)]


def describe(name: str, pairs: Sequence[Pair], chance: random.Random) -> str:
    """Return the lines of one kind of file."""
    low, high = interval(pairs, chance)
    rates = "   ".join(
        f"{words} {len(pairs) / sum(getattr(pair, way) for pair in pairs):6.2f}"
        for way, words in (("worker", "worker"), ("detector", "detector alone"), ("bare", "bare sum"))
    )
    return (
        f"{name:13} n {len(pairs):4}   studies/s: {rates}\n"
        f"{'':13} overhead of the worker over the bare sum {overhead(pairs):.1%} "
        f"(95 % interval {low:.1%} to {high:.1%})"
    )


def run(studies: int, seed: int, *, compressed: bool) -> list[Pair]:
    """Return the pairs of one kind of file."""
    chance, generator = random.Random(seed), np.random.default_rng(seed)
    detector = load_detector()
    network = OnnxNetwork(RELEASES / DEFAULT_RELEASE, detector.manifest, threads=1)
    readers = Readers(
        report_reader=load_reader(),
        detectors=(detector,),
        policy=default_policy(),
        vocabulary=load_vocabulary(),
    )
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(load_settings({"OVERREAD_FREE_BYTES_MIN": "0"}, data_folder=Path(folder)))
        pixels = [radiograph(generator) for _ in range(4)]
        for number in range(1, studies + 3):
            dataset = dicom_of(number, pixels[number % 4], compressed=compressed)
            send(store, dataset, f"A{number}", datetime.now(UTC))
        with Heartbeat(store, clock=lambda: datetime.now(UTC)) as heartbeat:
            bare = Bare(network=network, manifest=detector.manifest, heartbeat=heartbeat)
            for _ in range(2):  # warm up
                measure(store, readers, bare, chance)
            pairs = [measure(store, readers, bare, chance) for _ in range(studies)]
        store.close()
    return pairs


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=40, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    print(f"{SIDE} x {SIDE} pixels of 16 bits, one thread, {os.cpu_count()} cores, seed {arguments.seed}")
    for name, compressed in (("uncompressed", False), ("JPEG 2000", True)):
        pairs = run(arguments.studies, arguments.seed, compressed=compressed)
        print(describe(name, pairs, random.Random(arguments.seed)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
