"""DICOMweb intake: objects per second through `overread serve`, each synced and committed, and memory.

    python -m benchmarks.stow [--objects 60] [--senders 1]
    python -m benchmarks.stow --memory 2

In the same run and on the same disk: the same bytes written, synced and renamed by a bare loop. The second
form measures memory alone: that many gigabytes in one request, as many objects and as a single one, and that
one retrieved again by WADO-RS.
"""

import argparse
import io
import math
import os
import re
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

SIDE = 2048  # 2k x 2k, 16 bit: 8.4 MB
BOUNDARY = "edge"
CLASS = "1.2.840.10008.5.1.4.1.1.1.1"  # Digital X-Ray Image Storage - For Presentation


def radiograph(number: int, generator: np.random.Generator) -> bytes:
    """Return one DX object of noise."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(CLASS), UID(f"2.25.77.{number}")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = Dataset()
    dataset.file_meta = meta
    dataset.SOPClassUID, dataset.SOPInstanceUID = CLASS, f"2.25.77.{number}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"2.25.7.{number // 4}", f"2.25.8.{number // 4}"
    dataset.Modality, dataset.Rows, dataset.Columns = "DX", SIDE, SIDE
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.PixelData = generator.integers(0, 1 << 16, (SIDE, SIDE), np.uint16).tobytes()
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def body(objects: Iterable[bytes]) -> Iterator[bytes]:
    """Give one request's body in pieces, as a sender that does not hold it whole."""
    for content in objects:
        yield f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        yield content
        yield b"\r\n"
    yield f"--{BOUNDARY}--\r\n".encode()


def send(url: str, content: Iterator[bytes]) -> None:
    """Store the objects of one request; raises unless every one was stored."""
    headers = {"Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'}
    answer = httpx.post(f"{url}/studies", content=content, headers=headers, timeout=600)
    if answer.status_code != 200:
        raise SystemExit(f"the intake answered {answer.status_code}: {answer.text[:300]}")


def written_bare(objects: list[bytes], folder: Path) -> float:
    """Return the seconds that a bare loop takes to write, sync and rename the same bytes."""
    folder.mkdir()
    started = time.perf_counter()
    for number, content in enumerate(objects):
        path = folder / f"{number}.part"
        with path.open("wb") as file:
            file.write(content)
            os.fsync(file.fileno())
        path.rename(folder / f"{number}.dcm")
    return time.perf_counter() - started


def peak_megabytes(pid: int) -> float:
    """Return the most memory that a process has held."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def reset_peak(pid: int) -> None:
    """Let the peak of a process be measured from now on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, int]]:
    """Give address and process id of the DICOMweb process of an `overread serve`."""
    command = [sys.executable, "-m", "overread", "serve", "--workers", "0", "--port", "0", "--stow-port", "0"]
    command += ["--dicom-port", "none", "--hl7-port", "none"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--data-folder", str(folder / "data")], stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        lines = iter(process.stdout or ())
        url = next(found[1] for line in lines if (found := re.search(r"(http://\S+)/studies", line)))
        yield url, int(re.findall(r'"child": "stow".*?"pid": (\d+)', (folder / "log").read_text())[0])
    finally:
        process.terminate()
        process.wait()


def measure(objects: list[bytes], senders: int, folder: Path) -> None:
    """Print one line for the intake and one for the bare loop."""
    with serving(folder) as (url, intake):
        shares = [objects[number::senders] for number in range(senders)]
        before = peak_megabytes(intake)
        started = time.perf_counter()
        with ThreadPoolExecutor(senders) as pool:
            list(pool.map(lambda share: send(url, body(share)), shares))
        seconds = time.perf_counter() - started
        bare = written_bare(objects, folder / "bare")
        megabytes = sum(map(len, objects)) / 1e6
        print(
            f"STOW-RS, {senders} senders: {len(objects) / seconds:.1f} objects/s, "
            f"{megabytes / seconds:.0f} MB/s, "
            f"peak memory {peak_megabytes(intake):.0f} MB ({before:.0f} MB idle)"
        )
        print(
            f"bare write + fsync + rename: {len(objects) / bare:.1f} objects/s, {megabytes / bare:.0f} MB/s"
        )


def many(count: int) -> Iterator[bytes]:
    """Give a request of so many radiographs, none of them in memory for longer than it is sent."""
    generator = np.random.default_rng(2)
    return body(radiograph(1000 + number, generator) for number in range(count))


def single(template: bytes, frames: int) -> Iterator[bytes]:
    """Give a request of one object of so many frames, each the pixels of the template."""
    dataset = dcmread(io.BytesIO(template))
    pixels = dataset.PixelData
    dataset.NumberOfFrames = frames
    dataset.PixelData = b""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    head = buffer.getvalue()[:-4] + struct.pack("<L", len(pixels) * frames)  # its length is the last there
    yield f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    yield head
    for _ in range(frames):
        yield pixels
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


def retrieve(url: str, study: str) -> int:
    """Return how many bytes of a study come by WADO-RS."""
    received = 0
    with httpx.stream("GET", f"{url}/studies/{study}", timeout=600) as answer:
        for piece in answer.iter_raw():
            received += len(piece)
    return received


def measure_memory(gigabytes: float, folder: Path) -> None:
    """Print the memory that requests of this size take."""
    template = radiograph(1, np.random.default_rng(1))
    count = math.ceil(gigabytes * 1e9 / len(template))
    with serving(folder) as (url, intake):
        send(url, body([template]))  # what every first request takes
        print(f"idle: {peak_megabytes(intake):.0f} MB at most so far")
        requests = {
            f"{count} objects in one request": many(count),
            f"one object of {count} frames": single(radiograph(2, np.random.default_rng(3)), count),
        }
        for name, request in requests.items():
            reset_peak(intake)
            send(url, request)
            print(f"{name}, {gigabytes:g} GB by STOW-RS: peak {peak_megabytes(intake):.0f} MB")
        reset_peak(intake)
        received = retrieve(url, "2.25.7.0")
        print(f"{received / 1e9:.2f} GB by WADO-RS: peak {peak_megabytes(intake):.0f} MB")


def main() -> None:
    """Measure with the number of objects and senders that the command line gives."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--objects", type=int, default=60)
    parser.add_argument("--senders", type=int, default=1)
    parser.add_argument("--memory", type=float, metavar="GB", help="measure the memory of large requests")
    arguments = parser.parse_args()
    if arguments.memory is not None:
        with tempfile.TemporaryDirectory() as folder:
            measure_memory(arguments.memory, Path(folder))
        return
    generator = np.random.default_rng(1)
    objects = [radiograph(number, generator) for number in range(arguments.objects)]
    with tempfile.TemporaryDirectory() as folder:
        measure(objects, arguments.senders, Path(folder))


if __name__ == "__main__":
    main()
