"""Images per second of the network alone, of the detector and of the whole worker, side by side in one run.

    python -m benchmarks.detector [--seconds 4] [--rounds 5] [--processes 1 2]

Every way runs on as many processes at once, each with one thread for the network; the ways take turns, round
after round, so that a busy machine slows all alike. Printed are medians over the rounds: images per second by
the clock with the lowest and the highest, images per second of one core's time, which a busy machine changes
little, and the ratios of both to bare `session.run` on as many processes in the same rounds, with bootstrap
intervals over the rounds. Preparing the next image is a core's time too, though the clock may not show it.

    session.run            ONNX Runtime on a prepared tensor, nothing else
    session.run, int8      the same after static quantisation (QDQ), calibrated on these radiographs
    torch, torch.compile   the networks of `overread train` with random weights, on the same tensor
    look                   the detector on a prepared image: calibration, boxes, side, heat maps
    detect                 the detector on a file of 2048 x 2048 pixels, the next one prepared meanwhile
    prepare                decoding, guard and pixel pipeline alone
    worker                 claim, report, detect, triage, store; the time in which studies are sent left out
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # it ships no types
import structlog
from numpy.typing import NDArray

from benchmarks.radiographs import dicom_of, radiograph, write_radiographs
from benchmarks.worker import drain, fill, make_bench
from models.guards import guard_for
from models.onnx_detector import OnnxDetector
from models.preparation import PreparedImage, prepare_image
from models.releases import load_onnx_detector, release_folder
from overread.statistics import bootstrap_estimate

BARE = "session.run"
FILES = 4  # different radiographs of each kind
BATCH = 8  # studies that wait for the worker at once
RESAMPLES = 2000
Way = Callable[[float], "Spent"]  # seconds to run for


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Images and time of one way in one round, in one process."""

    images: int
    wall: float  # seconds
    cpu: float  # seconds, of all threads


class Rates(NamedTuple):
    """Images per second of all processes of one round together, and per second of one core."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Images that every way is run on, in one process."""

    folder: Path  # of this process alone
    detector: OnnxDetector
    plain: list[Path]
    compressed: list[Path]
    prepared: list[PreparedImage]

    @property
    def tensors(self) -> list[NDArray[np.float32]]:
        """(1, 1, rows, columns) each."""
        return [np.ascontiguousarray(image.pixels)[None, None] for image in self.prepared]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="per way and round (default: 4)")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2], help="default: 1 2")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="default: all")
    given = parser.parse_args()
    ways = list(dict.fromkeys([BARE, *given.ways]))
    for processes in given.processes:
        with _children(processes) as children:
            rates: dict[str, list[Rates]] = {way: [] for way in ways}
            for _, way in itertools.product(range(given.rounds), ways):
                rates[way].append(_rate(children, way, given.seconds))
        print(f"{processes} process(es), one thread each; {given.rounds} rounds of {given.seconds:g} s")
        for way in ways:
            print("  " + _line(way, rates[way], rates[BARE]))


def _rate(children: list[Connection], way: str, seconds: float) -> Rates:
    """Run one round of one way on all processes at once."""
    for step in ("ready", "go"):
        for child in children:
            child.send((way, seconds, step))
        answers = [child.recv() for child in children]
    return Rates(
        wall=sum(spent.images / spent.wall for spent in answers),
        cpu=sum(spent.images for spent in answers) / sum(spent.cpu for spent in answers),
    )


def _line(way: str, rates: list[Rates], bare: list[Rates]) -> str:
    clock = [rate.wall for rate in rates]
    return (
        f"{way:18}{median(clock):7.1f}/s ({min(clock):.1f} to {max(clock):.1f}), "
        f"{_ratio(clock, [rate.wall for rate in bare])} of {BARE};   of a core's time "
        f"{median(rate.cpu for rate in rates):.1f}/s, "
        f"{_ratio([rate.cpu for rate in rates], [rate.cpu for rate in bare])}"
    )


def _ratio(rates: list[float], bare: list[float]) -> str:
    ratios = np.array(rates) / np.array(bare)
    found = bootstrap_estimate(
        range(len(ratios)), lambda rows: float(np.median(ratios[rows])), resamples=RESAMPLES, seed=0
    )
    return f"{found:.2f}"


@contextmanager
def _children(count: int) -> Iterator[list[Connection]]:
    context = get_context("spawn")  # a fork would carry the threads of ONNX Runtime along
    pipes = [context.Pipe() for _ in range(count)]
    processes = [context.Process(target=_serve, args=(end,), daemon=True) for _, end in pipes]
    for process in processes:
        process.start()
    try:
        yield [end for end, _ in pipes]
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _serve(pipe: Connection) -> None:
    """Run the ways that are asked for, each set up when it is first asked for, until killed."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    set_up: dict[str, Way] = {}
    with tempfile.TemporaryDirectory() as folder:
        material = _material(Path(folder))
        while True:
            way, seconds, step = pipe.recv()
            if way not in set_up:
                set_up[way] = WAYS[way](material)
                set_up[way](0.0)  # warms up
            pipe.send(set_up[way](seconds) if step == "go" else None)


def _material(folder: Path) -> Material:
    detector = load_onnx_detector()
    guard = guard_for(detector.manifest.intended_use)
    plain = write_radiographs(folder, FILES)
    prepared = [prepare_image(path, detector.manifest, guard) for path in plain]
    assert all(image.pixels is not None for image in prepared), "the guard refuses the benchmark's images"
    return Material(
        folder=folder,
        detector=detector,
        plain=plain,
        compressed=write_radiographs(folder, FILES, compressed=True),
        prepared=prepared,
    )


def _repeat(job: Callable[[int], object]) -> Way:
    """Return a way that does a numbered job over and over."""

    def run(seconds: float) -> Spent:
        start, cpu, done = time.perf_counter(), time.process_time(), 0
        while not done or time.perf_counter() - start < seconds:
            job(done)
            done += 1
        return Spent(images=done, wall=time.perf_counter() - start, cpu=time.process_time() - cpu)

    return run


def _bare(material: Material) -> Way:
    content = (release_folder() / material.detector.manifest.network.file).read_bytes()
    return _session(material, content)


def _int8(material: Material) -> Way:
    from models.quantisation import quantise  # needs onnx, which is not of the runtime set

    network, target = material.detector.manifest.network, material.folder / "int8.onnx"
    quantise(release_folder() / network.file, target, network.input_name, material.tensors)
    return _session(material, target.read_bytes())


def _session(material: Material, content: bytes) -> Way:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    name, tensors = material.detector.manifest.network.input_name, material.tensors
    return _repeat(lambda number: session.run(None, {name: tensors[number % FILES]}))


def _torch(material: Material, *, compiled: bool) -> Way:
    import torch  # not of the runtime set

    from training.export import Served
    from training.networks import ChestNetwork
    from training.recipe import Settings
    from training.unusual import GRID, Unusualness

    torch.set_num_threads(1)
    findings = len(material.detector.findings)
    settings = Settings()
    networks = [
        ChestNetwork(findings, dropout=0.0, frozen_blocks=kind.frozen_blocks)
        for kind in settings.networks
        for _ in range(settings.folds)
    ]
    tensors = [torch.from_numpy(tensor) for tensor in material.tensors]
    width = networks[-1].trunk(tensors[0]).shape[1] * GRID * GRID
    served = Served(networks, Unusualness(np.zeros(width), np.eye(width))).eval()
    run = torch.compile(served) if compiled else served

    def job(number: int) -> object:
        with torch.inference_mode():
            return run(tensors[number % FILES])

    return _repeat(job)


def _look(material: Material) -> Way:
    return _repeat(lambda number: material.detector.look([material.prepared[number % FILES]]))


def _prepare(material: Material) -> Way:
    manifest = material.detector.manifest
    guard = guard_for(manifest.intended_use)
    return _repeat(lambda number: prepare_image(material.plain[number % FILES], manifest, guard))


def _detect(material: Material, paths: list[Path]) -> Way:
    def job(number: int) -> object:
        material.detector.prefetch([paths[(number + 1) % FILES]])
        return material.detector.detect([paths[number % FILES]])

    return _repeat(job)


def _worker(material: Material) -> Way:
    folder = material.folder / "store"
    bench = make_bench(folder)
    generator = np.random.default_rng(1)
    images = [dicom_of(radiograph(generator), compressed=False) for _ in range(FILES)]
    numbers = itertools.count(1)

    def run(seconds: float) -> Spent:
        studies, wall, cpu = 0, 0.0, 0.0
        while wall < seconds or not studies:
            fill(bench.store, images, itertools.islice(numbers, BATCH))
            start, cpu_start = time.perf_counter(), time.process_time()
            studies += drain(bench.store, bench.tools)  # in this process, whose time is counted
            wall, cpu = wall + time.perf_counter() - start, cpu + time.process_time() - cpu_start
        return Spent(images=studies, wall=wall, cpu=cpu)

    return run


WAYS: dict[str, Callable[[Material], Way]] = {
    BARE: _bare,
    "session.run, int8": _int8,
    "torch": lambda material: _torch(material, compiled=False),
    "torch.compile": lambda material: _torch(material, compiled=True),
    "look": _look,
    "prepare": _prepare,
    "detect": lambda material: _detect(material, material.plain),
    "detect, JPEG 2000": lambda material: _detect(material, material.compressed),
    "worker": _worker,
}


if __name__ == "__main__":
    main()
