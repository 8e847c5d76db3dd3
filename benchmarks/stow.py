"""DICOMweb intake: objects per second through `overread serve`, each synced and committed, and memory.

    python -m benchmarks.stow [--objects 60] [--senders 1]

In the same run and on the same disk: the same bytes written, synced and renamed by a bare loop.
"""

import argparse
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
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


def body(objects: list[bytes]) -> Iterator[bytes]:
    """Give one request's body in pieces, as a sender that does not hold it whole."""
    for content in objects:
        yield f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        yield content
        yield b"\r\n"
    yield f"--{BOUNDARY}--\r\n".encode()


def send(url: str, objects: list[bytes]) -> None:
    """Store the objects in one request; raises unless every one was stored."""
    headers = {"Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'}
    answer = httpx.post(f"{url}/studies", content=body(objects), headers=headers, timeout=600)
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


def measure(objects: list[bytes], senders: int, folder: Path) -> None:
    """Print one line for the intake and one for the bare loop."""
    command = [sys.executable, "-m", "overread", "serve", "--workers", "0", "--port", "0", "--stow-port", "0"]
    command += ["--dicom-port", "none", "--hl7-port", "none"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--data-folder", str(folder / "data")], stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        lines = iter(process.stdout or ())
        url = next(found[1] for line in lines if (found := re.search(r"(http://\S+)/studies", line)))
        intake = int(re.findall(r'"child": "stow".*?"pid": (\d+)', (folder / "log").read_text())[0])
        shares = [objects[number::senders] for number in range(senders)]
        before = peak_megabytes(intake)
        started = time.perf_counter()
        with ThreadPoolExecutor(senders) as pool:
            list(pool.map(lambda share: send(url, share), shares))
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
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Measure with the number of objects and senders that the command line gives."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--objects", type=int, default=60)
    parser.add_argument("--senders", type=int, default=1)
    arguments = parser.parse_args()
    generator = np.random.default_rng(1)
    objects = [radiograph(number, generator) for number in range(arguments.objects)]
    with tempfile.TemporaryDirectory() as folder:
        measure(objects, arguments.senders, Path(folder))


if __name__ == "__main__":
    main()
