"""Pictures by HTTP: time, memory, and whether pages are answered while pictures and PDFs are asked for.

    python -m benchmarks.pictures [--images 12]
    python -m benchmarks.pictures --memory

The first form prints, of one `overread serve` with radiographs of 3000 x 2500 pixels of 16 bits, stored plain
and in JPEG 2000: the time of a picture of 1024 pixels that is asked for the first time and again; that of the
worklist while nothing else is asked, while 8 clients ask for pictures of every pixel, and while 50 reports
come as PDF by FHIR; and the most memory that API and DICOMweb hold, each with its children, while 4 requests
at once ask for images that a few hundred bytes blow up to gigabytes. The second form prints what decoding and
drawing took, and what was expected of them by the header.
"""

import argparse
import base64
import io
import json
import os
import re
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from benchmarks.stow import body, radiograph, send
from service.pictures.decoder import Decoder
from service.pictures.drawing import PNG, Drawing, draw
from service.pictures.form import read_form

ROWS, COLUMNS = 3000, 2500
CLIENTS, PDFS, BOMBS = 8, 50, 4
LOOK_SECONDS = 0.02
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A running `overread serve`."""

    api: str
    stow: str
    pids: dict[str, int]  # by the name of the process


@contextmanager
def serving(folder: Path) -> Iterator[Serving]:
    """Give an `overread serve` without workers on a data folder of its own."""
    command = [sys.executable, "-m", "overread", "serve", "--workers", "0", "--port", "0", "--stow-port", "0"]
    command += ["--dicom-port", "none", "--hl7-port", "none", "--data-folder", str(folder / "data")]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        text = ""
        for line in process.stdout or ():
            text += line
            if "Stop with Ctrl-C" in line:
                break
        pids = re.findall(r'"child": "(api|stow)".*?"pid": (\d+)', (folder / "log").read_text())
        yield Serving(
            api=re.findall(r"http://127\.0\.0\.1:\d+", text)[0],
            stow=re.findall(r"(http://\S+)/studies", text)[0],
            pids={name: int(pid) for name, pid in pids},
        )
    finally:
        process.terminate()
        process.wait()


def image(number: int, syntax: str | None = None, samples: int = 1) -> Dataset:
    """Return a radiograph, or a picture in colour, of lines and noise."""
    generator = np.random.default_rng(number)
    dataset = dcmread(io.BytesIO(radiograph(number, generator)))
    row, column = np.mgrid[:ROWS, :COLUMNS]
    pixels = ((row + column) % 4096 + generator.integers(0, 64, (ROWS, COLUMNS))).astype(np.uint16)
    if samples == 3:
        pixels = np.stack([(pixels >> 4).astype(np.uint8)] * 3, axis=-1)
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"
        dataset.PlanarConfiguration, dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 0, 8, 8, 7
    dataset.Rows, dataset.Columns, dataset.PixelData = ROWS, COLUMNS, pixels.tobytes()
    if syntax is not None:
        dataset.compress(syntax, generate_instance_uid=False)
    return dataset


def bomb(number: int, side: int, components: int = 1) -> Dataset:
    """Return a radiograph of side x side pixels in a JPEG 2000 codestream of nothing but its beginning."""
    size = struct.pack(">H8IH", 0, side, side, 0, 0, side, side, 0, 0, components)
    style, steps = b"\0\0\0\1\0\5\4\4\0\1", b"\x40" + bytes(8 * (16 + b) for b in (0, *(1, 1, 2) * 5))
    marked = ((b"\x51", size + b"\x0f\x01\x01" * components), (b"\x52", style), (b"\x5c", steps))
    segments = b"".join(b"\xff" + mark + struct.pack(">H", len(value) + 2) + value for mark, value in marked)
    tile = b"\xff\x90" + struct.pack(">HHIBB", 10, 0, 0, 0, 1) + b"\xff\x93" + bytes(64) + b"\xff\xd9"
    dataset = dcmread(io.BytesIO(radiograph(number, np.random.default_rng(1))))
    dataset.Rows = dataset.Columns = side
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    dataset.PixelData = encapsulate([b"\xff\x4f" + segments + tile])
    dataset["PixelData"].VR = "OB"
    return dataset


def written(dataset: Dataset) -> bytes:
    """Return the object as a file."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def pdf_report(number: int) -> bytes:
    """Return a FHIR report with a PDF of 48 kB."""
    writer = PdfWriter()
    page = writer.add_blank_page(595, 842)
    kind = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    font = DictionaryObject({NameObject(key): NameObject(value) for key, value in kind.items()})
    fonts = DictionaryObject({NameObject("/F1"): writer._add_object(font)})
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    stream = DecodedStreamObject()
    lines = "(There is no mass.) Tj T* " * 1800
    stream.set_data(f"BT /F1 12 Tf 14 TL 72 760 Td {lines}ET".encode("latin-1"))
    page[NameObject("/Contents")] = writer._add_object(stream)
    buffer = io.BytesIO()
    writer.write(buffer)
    kinds = [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]
    form = {"contentType": "application/pdf", "data": base64.b64encode(buffer.getvalue()).decode()}
    report = {
        "resourceType": "DiagnosticReport",
        "identifier": [{"type": {"coding": kinds}, "value": f"B{number}"}],
        "status": "final",
        "code": {"text": "Chest radiograph"},
        "presentedForm": [form],
    }
    return json.dumps(report).encode()


def milliseconds(ask: Callable[[], httpx.Response]) -> float:
    """Return how long a request took that has to be answered with 200."""
    started = time.perf_counter()
    answer = ask()
    if answer.status_code != 200:
        raise SystemExit(f"{answer.url} answered {answer.status_code}: {answer.text[:300]}")
    return 1000 * (time.perf_counter() - started)


def measure_pictures(serve: Serving, uids: Sequence[str], name: str) -> None:
    """Print how long pictures take at first, and again."""
    with httpx.Client(base_url=serve.api, timeout=120) as client:
        for word in ("first", "again"):
            times = [
                milliseconds(partial(client.get, f"/api/v1/instances/{uid}/rendered.png")) for uid in uids
            ]
            print(
                f"{name}, 1024 pixels, {word}: median {statistics.median(times):.0f} ms "
                f"[{min(times):.0f}, {max(times):.0f}], n = {len(times)}"
            )


def measure_page(serve: Serving, name: str, work: Callable[[], str]) -> None:
    """Print how long the worklist takes while something else is done."""
    times, done = list[float](), threading.Event()

    def look() -> None:
        with httpx.Client(base_url=serve.api, timeout=300) as client:
            while not done.is_set() or len(times) < 20:
                times.append(milliseconds(lambda: client.get("/")))
                done.wait(LOOK_SECONDS)

    thread = threading.Thread(target=look)
    thread.start()
    started = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - started
    done.set()
    thread.join()
    print(
        f"worklist while {name}: median {statistics.median(times):.0f} ms, p99 "
        f"{np.percentile(times, 99):.0f} ms, longest {max(times):.0f} ms, n = {len(times)}; {result} in "
        f"{seconds:.1f} s",
        flush=True,
    )


def statuses(asks: Sequence[Callable[[], httpx.Response]], at_once: int) -> str:
    """Return how many requests, so many at once, were answered with which status."""
    with ThreadPoolExecutor(at_once) as pool:
        answers = list(pool.map(_status, asks))
    counts = {status: answers.count(status) for status in sorted(set(answers))}
    return ", ".join(f"{count} x {status}" for status, count in counts.items())


def _status(ask: Callable[[], httpx.Response]) -> str:
    try:
        return str(ask().status_code)
    except httpx.HTTPError as error:
        return type(error).__name__


def held_megabytes(pid: int) -> float:
    """Return the anonymous memory of a process and its children."""
    held, open_pids = 0, [pid]
    while open_pids:
        here = Path(f"/proc/{open_pids.pop()}")
        try:
            resident, shared = map(int, (here / "statm").read_text().split()[1:3])
            for task in (here / "task").iterdir():
                open_pids += map(int, (task / "children").read_text().split())
        except OSError:  # it has ended
            continue
        held += (resident - shared) * _PAGE_BYTES
    return held / 1e6


def measure_bombs(pid: int, name: str, asks: Sequence[Callable[[], httpx.Response]]) -> None:
    """Print the memory that a process and its children hold while requests are answered."""
    before, done = held_megabytes(pid), threading.Event()
    peak = before

    def look() -> None:
        nonlocal peak
        while not done.wait(LOOK_SECONDS):
            peak = max(peak, held_megabytes(pid))

    thread = threading.Thread(target=look)
    thread.start()
    result = statuses(asks, len(asks))
    done.set()
    thread.join()
    print(f"{name}: at most {peak:.0f} MB ({before:.0f} MB before); {result}", flush=True)


def _rest() -> str:
    time.sleep(5)
    return "nothing"


def measure(images: int, folder: Path) -> None:
    """Print everything of one installation."""
    plain = [f"2.25.77.{number}" for number in range(images)]
    packed = [f"2.25.77.{100 + number}" for number in range(images)]
    with serving(folder) as serve:
        for name, pid in serve.pids.items():
            print(f"{name}, nothing asked yet: {held_megabytes(pid):.0f} MB")
        for number in range(images):
            both = (image(number), image(100 + number, JPEG2000Lossless))
            send(serve.stow, body(map(written, both)))
        measure_pictures(serve, plain, "plain")
        measure_pictures(serve, packed, "JPEG 2000")
        get = httpx.Client(timeout=300, limits=httpx.Limits(max_connections=None)).get
        measure_page(serve, "nothing else is asked", _rest)
        whole = [
            partial(get, f"{serve.api}/api/v1/instances/{uid}/rendered.png?max_side=16384")
            for uid in (*plain, *packed)
        ]
        measure_page(serve, f"{CLIENTS} clients ask for every pixel", lambda: statuses(whole, CLIENTS))
        headers = {"Content-Type": "application/fhir+json"}
        address = f"{serve.api}/fhir/DiagnosticReport"
        posts = [
            partial(httpx.post, address, content=pdf_report(number), headers=headers, timeout=300)
            for number in range(PDFS)
        ]
        measure_page(serve, f"{PDFS} reports come as PDF", lambda: statuses(posts, PDFS))
        for kind, (side, components) in {"huge": (16384, 1), "300 components": (2000, 300)}.items():
            numbers = range(200 + side, 200 + side + BOMBS)
            bombs = [bomb(number, side, components) for number in numbers]
            send(serve.stow, body(map(written, bombs)))
            shown = [f"{serve.api}/api/v1/instances/{item.SOPInstanceUID}/rendered.png" for item in bombs]
            measure_bombs(serve.pids["api"], f"API, {kind}", [partial(get, url) for url in shown])
            drawn = [
                f"{serve.stow}/studies/{item.StudyInstanceUID}/series/{item.SeriesInstanceUID}"
                f"/instances/{item.SOPInstanceUID}/rendered"
                for item in bombs
            ]
            measure_bombs(serve.pids["stow"], f"DICOMweb, {kind}", [partial(get, url) for url in drawn])


def measure_memory(folder: Path) -> None:
    """Print what decoding and drawing take, and what was expected by the header."""
    for name, (syntax, samples) in {
        "grey": (None, 1),
        "grey, JPEG 2000": (JPEG2000Lossless, 1),
        "grey, JPEG-LS": (JPEGLSLossless, 1),
        "grey, RLE": (RLELossless, 1),
        "colour": (None, 3),
        "colour, JPEG 2000": (JPEG2000Lossless, 3),
        "colour, RLE": (RLELossless, 3),
    }.items():
        path = folder / "image.dcm"
        _in_child(partial(_write, path, syntax, samples))
        _in_child(partial(_take, path, name, read_form(path).memory_bytes))


def _write(path: Path, syntax: str | None, samples: int) -> None:
    path.write_bytes(written(image(1, syntax, samples)))


def _take(path: Path, name: str, expected: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    draw(Decoder(), path, Drawing(frame=0, media_type=PNG))
    taken = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
    print(f"{name}: {taken / 1e6:.0f} MB taken, {expected / 1e6:.0f} MB expected", flush=True)


def _in_child(work: Callable[[], object]) -> None:
    """Do it in a copy of this process, so that each begins with the same memory."""
    if (child := os.fork()) == 0:
        work()
        os._exit(0)
    os.waitpid(child, 0)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=12, help="of each kind; default: 12")
    parser.add_argument("--memory", action="store_true", help="measure what decoding takes, and nothing else")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.memory:
            measure_memory(Path(folder))
        else:
            measure(arguments.images, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
