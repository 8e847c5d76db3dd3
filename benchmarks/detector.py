"""How much of the detector's time is decoding and inference, which nothing can save, in one run.

    python -m benchmarks.detector [--images 20]

Prints images per second of the decoder alone, of `session.run` alone and of `detect()`, on generated
radiographs of 2048 x 2048 pixels of 16 bits, uncompressed and JPEG 2000 lossless, each with the share of
`detect()` that is decoding and `session.run`. They take turns, so a busy machine slows all alike.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # it ships no types
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    generate_uid,
)

from models.decoding import decode_frame
from models.dicom import read_header
from models.releases import DEFAULT_RELEASE, RELEASES, load_onnx_detector

SIDE = 2048


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=20, help="per transfer syntax (default: 20)")
    count = parser.parse_args().images
    detector = load_onnx_detector()
    network = detector.manifest.network
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(RELEASES / DEFAULT_RELEASE / network.file, options)
    tensor = np.random.default_rng(0).random((1, 1, network.rows, network.columns), dtype=np.float32)
    print(f"{'':20}{'decode':>12}{'session.run':>12}{'detect()':>12}   (decode + session.run) / detect()")
    with tempfile.TemporaryDirectory() as folder:
        for name, compressed in (("uncompressed", False), ("JPEG 2000 lossless", True)):
            paths = [write_radiograph(Path(folder), seed, compressed=compressed) for seed in range(count)]
            decode, infer, detect = measure(
                paths,
                lambda path: decode_frame(path, read_header(path)),
                lambda _: session.run(None, {network.input_name: tensor}),
                lambda path: detector.detect([path]),
            )
            share = median(
                (one + other) / whole for one, other, whole in zip(decode, infer, detect, strict=True)
            )
            rates = "".join(f"{1 / median(times):>10.1f}/s" for times in (decode, infer, detect))
            print(f"{name:20}{rates}   {share:.2f} (median of {count})")


def measure(paths: list[Path], *jobs: Callable[[Path], object]) -> list[list[float]]:
    """Return the seconds of each job on each image, the jobs taking turns."""
    for job in jobs:
        job(paths[0])
    seconds: list[list[float]] = [[] for _ in jobs]
    for path in paths:
        for job, times in zip(jobs, seconds, strict=True):
            start = time.perf_counter()
            job(path)
            times.append(time.perf_counter() - start)
    return seconds


def write_radiograph(folder: Path, seed: int, *, compressed: bool) -> Path:
    """Write something that compresses about as a radiograph does: smooth fields, a few shadows and grain."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "DX", "CHEST", "PA"
    dataset.Rows = dataset.Columns = SIDE
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 14, 13, 0
    dataset.PixelData = _pixels(seed).tobytes()
    path = folder / f"{seed}-{'j2k' if compressed else 'plain'}.dcm"
    if compressed:
        dataset.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg")
    dataset.save_as(path, enforce_file_format=True)
    return path


def _pixels(seed: int) -> NDArray[np.uint16]:
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SIDE
    grey = 6000 + 4000 * np.cos(2 * np.pi * columns) * np.sin(np.pi * rows)
    for _ in range(6):
        row, column, size = random.random(3)
        grey += 1500 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (0.002 + 0.01 * size))
    grain = random.normal(scale=25, size=(SIDE, SIDE)).astype(np.float32)
    pixels: NDArray[np.uint16] = np.clip(grey + grain, 0, 16383).astype(np.uint16)
    return pixels


if __name__ == "__main__":
    main()
