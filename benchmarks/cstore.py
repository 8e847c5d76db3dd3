"""C-STORE: images per second into overread, and into others, in one run on the same disk.

    python -m benchmarks.cstore [--images 40] [--rounds 5]

Receivers: `overread receive dicom` (hashed, synced, recorded, committed, then acknowledged); a bare
pynetdicom receiver that writes chunks to a file, with and without a sync; dcmtk's storescp; Orthanc. The last
two are left out where they are not installed. The sender prepares its bytes beforehand and waits for
each answer, as every C-STORE sender does, on one association and on four.
"""

import argparse
import contextlib
import json
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.stow import CLASS, radiograph
from overread.statistics import LEAST_VALUES, mean_estimate

SYNTAX = "1.2.840.10008.1.2.1"
STORESCP, ORTHANC = Path("/usr/bin/storescp"), Path("/usr/sbin/Orthanc")
START_SECONDS = 180.0

BARE = """
import os, sys
from pathlib import Path
from pynetdicom import AE, AllStoragePresentationContexts, _config, evt
_config.STORE_RECV_CHUNKED_DATASET = True
_config.LOG_HANDLER_LEVEL = "none"
folder, port, synced = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "synced"
def store(event):
    target = folder / f"{event.request.AffectedSOPInstanceUID}.dcm"
    if synced:
        with open(event.dataset_path, "rb+") as file:
            os.fsync(file.fileno())
        os.rename(event.dataset_path, target)
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        Path(event.dataset_path).touch()  # pynetdicom removes it
    else:
        os.rename(event.dataset_path, target)
        Path(event.dataset_path).touch()
    return 0
entity = AE(ae_title="BARE")
entity.maximum_pdu_size = 131072
for context in AllStoragePresentationContexts:
    entity.add_supported_context(context.abstract_syntax, "1.2.840.10008.1.2.1")
entity.start_server(("127.0.0.1", port), evt_handlers=[(evt.EVT_C_STORE, store)])
"""


@dataclass(kw_only=True)
class Receiver:
    """One receiver and how to start it."""

    name: str
    command: Callable[[Path, int], list[str]]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Image:
    """One object as a sender has it: what to announce, and the bytes of its data set."""

    sop_instance_uid: str
    data_set: bytes


def orthanc_command(folder: Path, port: int) -> list[str]:
    """Return the command of an Orthanc that listens for DICOM alone."""
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomPort": port,
        "HttpServerEnabled": False,
        "DicomAet": "ORTHANC",
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowStore": True,
        "Plugins": [],
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(settings))
    return [str(ORTHANC), str(path)]


def receivers() -> Iterator[Receiver]:
    """Yield the receivers that are installed."""

    def ours(folder: Path, port: int) -> list[str]:
        options = ("--port", str(port), "--data-folder", str(folder / "data"))
        return [sys.executable, "-m", "overread", "receive", "dicom", *options]

    def bare(kind: str) -> Callable[[Path, int], list[str]]:
        return lambda folder, port: [sys.executable, "-c", BARE, str(folder), str(port), kind]

    yield Receiver(name="overread", command=ours)
    yield Receiver(name="bare pynetdicom, synced", command=bare("synced"))
    yield Receiver(name="bare pynetdicom, not synced", command=bare("plain"))
    if STORESCP.exists():
        yield Receiver(
            name="dcmtk storescp",
            command=lambda folder, port: [
                str(STORESCP),
                "-pdu",
                "131072",
                "--fork",
                "-od",
                str(folder),
                str(port),
            ],
        )
    if ORTHANC.exists():
        yield Receiver(name="Orthanc", command=orthanc_command)


@contextlib.contextmanager
def running(receiver: Receiver, folder: Path) -> Iterator[int]:
    """Start a receiver on a free port and give the port when it accepts associations."""
    folder.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    with (folder.with_suffix(".log")).open("w") as log:
        process = subprocess.Popen(receiver.command(folder, port), stdout=log, stderr=log, cwd=folder)
        try:
            wait_until_it_answers(port)
            yield port
        finally:
            process.terminate()
            process.wait()


def wait_until_it_answers(port: int) -> None:
    """Return as soon as an association is accepted."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError):
            Sender(port).close()
            return
        if time.monotonic() > deadline:
            raise SystemExit("a receiver did not start")
        time.sleep(0.2)


class Sender:
    """An association that sends objects by C-STORE, in PDUs as long as the receiver takes."""

    def __init__(self, port: int) -> None:
        self._connection = socket.create_connection(("127.0.0.1", port), timeout=120)
        self._connection.sendall(_associate_request())
        answer = self._read_pdu()
        if answer[:1] != b"\x02":
            raise OSError("the association was not accepted")
        at = answer.find(b"\x51\x00\x00\x04")
        (longest,) = struct.unpack_from(">L", answer, at + 4)
        self._pdu_bytes = min(longest or 1 << 17, 1 << 17)

    def frame(self, image: Image) -> bytes:
        """Return the PDUs of the request, which take long to make."""
        room = self._pdu_bytes - 6
        data = image.data_set
        pieces = [data[start : start + room] for start in range(0, len(data), room)]
        last = len(pieces) - 1
        command = _pdu(b"\x03", _store_command(image.sop_instance_uid))
        return command + b"".join(
            _pdu(b"\x02" if number == last else b"\x00", piece) for number, piece in enumerate(pieces)
        )

    def send(self, framed: bytes) -> None:
        """Store one object; raises unless the answer is success."""
        self._connection.sendall(framed)
        answer = self._read_pdu()
        at = answer.find(struct.pack("<HHL", 0x0000, 0x0900, 2))
        if at < 0 or answer[at + 8 : at + 10] != b"\0\0":
            raise SystemExit(f"an object was refused: {answer[:60]!r}")

    def close(self) -> None:
        """Release the association, PS3.8 section 9.3.6."""
        self._connection.sendall(b"\x05\0\0\0\0\x04\0\0\0\0")
        with contextlib.suppress(OSError):
            self._read_pdu()
        self._connection.close()

    def _read_pdu(self) -> bytes:
        head = self._read(6)
        return head + self._read(struct.unpack(">BBL", head)[2])

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self._connection.recv(count - len(data))
            if not piece:
                raise ConnectionError("the receiver ended the association")
            data += piece
        return data


def _pdu(header: bytes, fragment: bytes) -> bytes:
    item = struct.pack(">LB", len(fragment) + 2, 1) + header
    return struct.pack(">BBL", 4, 0, len(item) + len(fragment)) + item + fragment


def _item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(content)) + content


def _associate_request() -> bytes:
    """Return PS3.8 section 9.3.2 with one presentation context."""
    context = b"\1\0\0\0" + _item(0x30, CLASS.encode()) + _item(0x40, SYNTAX.encode())
    user = _item(0x51, struct.pack(">L", 16384)) + _item(0x52, b"1.2.3.4")
    items = _item(0x10, b"1.2.840.10008.3.1.1.1") + _item(0x20, context) + _item(0x50, user)
    body = struct.pack(">HH16s16s32x", 1, 0, b"ANY-SCP".ljust(16), b"BENCHMARK".ljust(16)) + items
    return struct.pack(">BBL", 1, 0, len(body)) + body


def _store_command(sop_instance_uid: str) -> bytes:
    """Return PS3.7 table 9.3-1."""

    def element(number: int, value: bytes) -> bytes:
        return struct.pack("<HHL", 0, number, len(value)) + value

    def uid(text: str) -> bytes:
        return text.encode() + b"\0" * (len(text) % 2)

    elements = element(0x0002, uid(CLASS)) + element(0x0100, b"\1\0") + element(0x0110, b"\1\0")
    elements += element(0x0700, b"\0\0") + element(0x0800, b"\0\0") + element(0x1000, uid(sop_instance_uid))
    return element(0x0000, struct.pack("<L", len(elements))) + elements


def images(count: int, first: int) -> list[Image]:
    """Return so many radiographs of noise, each of its own."""
    generator = np.random.default_rng(first)
    made = []
    for number in range(first, first + count):
        content = radiograph(number, generator)
        meta_bytes = struct.unpack_from("<L", content, 140)[0]
        made.append(Image(sop_instance_uid=f"2.25.77.{number}", data_set=content[144 + meta_bytes :]))
    return made


def rate(port: int, objects: list[Image], associations: int) -> float:
    """Return images per second over so many associations."""
    senders = [Sender(port) for _ in range(associations)]
    shares = [
        [sender.frame(image) for image in objects[number::associations]]
        for number, sender in enumerate(senders)
    ]

    def work(number: int) -> None:
        for framed in shares[number]:
            senders[number].send(framed)

    started = time.perf_counter()
    with ThreadPoolExecutor(associations) as pool:
        list(pool.map(work, range(associations)))
    seconds = time.perf_counter() - started
    for sender in senders:
        sender.close()
    return len(objects) / seconds


def interval(values: list[float]) -> str:
    """Return the mean with its 95 % interval over the rounds; without one where they are too few."""
    if len(values) < LEAST_VALUES:
        return f"{np.mean(values):6.1f}"
    found = mean_estimate(values)
    return f"{found.value:6.1f} ({found.low:.1f} to {found.high:.1f})"


def measure(count: int, rounds: int, folder: Path) -> None:
    """Run every receiver in turn, round by round, and print a table."""
    rates: dict[tuple[str, int], list[float]] = {}
    for turn in range(rounds):
        objects = images(count, 1 + turn * count)
        for receiver in receivers():
            for associations in (1, 4):
                own = folder / re.sub(r"\W+", "-", f"{receiver.name} {turn} {associations}")
                with running(receiver, own) as port:
                    found = rate(port, objects, associations)
                rates.setdefault((receiver.name, associations), []).append(found)
                shutil.rmtree(own)
    megabytes = len(objects[0].data_set) / 1e6
    print(f"C-STORE, {count} images of {megabytes:.1f} MB a round, {rounds} rounds; images/s (95 % interval)")
    for (name, associations), values in rates.items():
        print(f"  {name:30} {associations} at once  {interval(values)}")
    for other in dict.fromkeys(name for name, _ in rates if name != "overread"):
        ratios = [statistics.fmean(rates["overread", n]) / statistics.fmean(rates[other, n]) for n in (1, 4)]
        print(f"  overread / {other}: {ratios[0]:.2f} on 1 association, {ratios[1]:.2f} on 4")


def main() -> None:
    """Measure with what the command line gives."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(arguments.images, arguments.rounds, Path(folder))


if __name__ == "__main__":
    main()
