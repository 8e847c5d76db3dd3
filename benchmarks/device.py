"""Speed of the network on a device, and the speed of decoding that keeps it busy.

    python -m benchmarks.device [--provider cuda] [--batches 1 2 4 8 16 32] [--seconds 5]

Prints images per second for each batch size (the batch curve); then, while decoding processes fill a queue,
the share of the time in which the device waits for pixels, and how many such processes would keep it busy.
Runs on whatever ONNX Runtime has: on a machine without a GPU it measures the CPU, with one thread.
"""

import argparse
import os
import queue
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.queues import Queue
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.radiographs import SIDE, write_radiographs
from models.guards import guard_for
from models.onnx_detector import OnnxDetector
from models.preparation import prepare_image
from models.providers import PROVIDERS
from models.releases import load_onnx_detector, release_folder

FILES = 4
DEPTH = 64  # prepared images that may wait
LIMIT_SHARE = 0.5  # of its time that the device waits for pixels: from there on they are the limit
Tensors = NDArray[np.float32]  # (images, rows, columns)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--provider", choices=list(PROVIDERS), help="default: the best that starts")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--seconds", type=float, default=5.0, help="per figure (default: 5)")
    parser.add_argument("--decoders", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--compressed", action="store_true", help="JPEG 2000 instead of uncompressed")
    given = parser.parse_args()
    detector = OnnxDetector(release_folder(), provider=given.provider)
    network = detector.manifest.network
    print(f"{detector.provider}, {network.rows} x {network.columns}, {os.cpu_count()} cores")
    pixels = np.random.default_rng(1).random((max(given.batches), network.rows, network.columns), np.float32)
    curve = {
        batch: batch * _rate(lambda size=batch: detector.scores(pixels[:size]), given.seconds)  # type: ignore[misc]
        for batch in given.batches
    }
    for batch, rate in curve.items():
        print(f"  batch {batch:3}: {rate:8.1f} images/s, {1000 * batch / rate:7.1f} ms a batch")
    best = max(curve, key=lambda batch: curve[batch])
    with tempfile.TemporaryDirectory() as folder:
        paths = write_radiographs(Path(folder), FILES, compressed=given.compressed)
        flow = _fed(detector, paths, given, best)
    print(
        f"fed by {given.decoders} decoding processes from {SIDE} x {SIDE} pixels: {flow.fed:.1f} images/s, "
        f"batches of {flow.batch:.1f} (at most {best}), waiting for pixels {flow.waited:.0%} of the time"
    )
    print(
        f"to keep it busy, {curve[best]:.1f} images/s must be decoded and prepared; one process alone does "
        f"{flow.decoded / given.decoders:.1f}, so {curve[best] * given.decoders / flow.decoded:.1f} processes"
    )
    print(f"the limit here is {'decoding' if flow.waited > LIMIT_SHARE else 'the network'}")
    return 0


def _rate(job: Callable[[], object], seconds: float) -> float:
    """Return calls per second."""
    job()
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        job()
        done += 1
    return done / (time.perf_counter() - start)


class Flow(NamedTuple):
    """Images that the decoding processes gave, and the time of the device on them."""

    decoded: float  # images per second, with nobody else at work
    fed: float  # images per second through the device
    batch: float  # mean
    waited: float  # share of the device's time


def _fed(detector: OnnxDetector, paths: list[Path], given: argparse.Namespace, best: int) -> Flow:
    """Return what flows once all processes have started."""
    context = get_context("spawn")
    prepared: Queue[Tensors] = context.Queue(DEPTH)
    decoders = [
        context.Process(target=_decode, args=(paths, prepared), daemon=True) for _ in range(given.decoders)
    ]
    for decoder in decoders:
        decoder.start()
    for _ in range(2 * given.decoders):  # until all have started
        prepared.get()
    decoded = _rate(prepared.get, given.seconds)
    images = batches = 0
    waited, start = 0.0, time.perf_counter()
    while time.perf_counter() - start < given.seconds:
        asked = time.perf_counter()
        batch = _take(prepared, best)
        waited += time.perf_counter() - asked
        detector.scores(np.stack(batch))
        images, batches = images + len(batch), batches + 1
    took = time.perf_counter() - start
    for decoder in decoders:
        decoder.terminate()
        decoder.join()
    return Flow(decoded=decoded, fed=images / took, batch=images / batches, waited=waited / took)


def _take(prepared: "Queue[Tensors]", most: int) -> list[Tensors]:
    """Return what is there, at least one."""
    batch = [prepared.get()]
    while len(batch) < most:
        try:
            batch.append(prepared.get_nowait())
        except queue.Empty:
            break
    return batch


def _decode(paths: list[Path], prepared: "Queue[Tensors]") -> None:
    manifest = load_onnx_detector().manifest
    guard = guard_for(manifest.intended_use)
    while True:
        for path in paths:
            pixels = prepare_image(path, manifest, guard).pixels
            assert pixels is not None, "the guard refuses the benchmark's images"
            prepared.put(pixels)


if __name__ == "__main__":
    sys.exit(main())
