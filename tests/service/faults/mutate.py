"""Sends mutated DICOM objects and HL7 messages through the real listeners, and counts what became of each.

    python -m tests.service.faults.mutate --objects 10000 --messages 10000 --seed 1

The listeners are processes of their own, `overread receive`. Of what is sent bits, bytes, lengths and slices
are lost, doubled, moved or made extreme, in one of five objects those of the command or the PDUs. Every one
must be stored, quarantined or refused with its status, or end its connection; the listener must live on in
bounded memory, lose nothing that it acknowledged, and leave nothing half.
"""

import argparse
import contextlib
import hashlib
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from service.hl7.framing import END, frame
from service.hl7.message import read_message
from service.hl7.report import read_reports
from service.hl7.settings import Hl7Settings
from service.settings import load_settings
from service.store.database import Store, open_store
from service.store.schema import instances, quarantine, report_versions
from tests.service.dicom.senders import RawSender, data_pdu, store_command
from tests.service.hl7.messages import oru
from tests.service.material import dicom_bytes

EXPLICIT = "1.2.840.10008.1.2.1"
STOP_SECONDS = 60
ENVIRONMENT = {
    "OVERREAD_FREE_BYTES_MIN": "0",
    "OVERREAD_DICOM_IDLE_SECONDS": "2",  # a length that is too long makes the listener wait for the rest
    "OVERREAD_HL7_MESSAGE_SECONDS": "2",
}
EXTREMES = (
    b"\xff" * 4,
    b"\0" * 4,
    b"\xff\xff\xff\x7f",
    b"\xfe\xff\x00\xe0",  # the tag of an item
    b"SQ\0\0\xff\xff\xff\xff",
    b"\\",
    b"~|^&",
)


@dataclass(kw_only=True)
class Tally:
    """What became of what was sent."""

    outcomes: Counter[str] = field(default_factory=Counter)
    acknowledged: list[str] = field(default_factory=list)
    quarantined: int = 0
    hangs: int = 0
    lost: int = 0  # acknowledged, but not there
    left_behind: int = 0  # files of objects that never became whole
    alive: bool = False
    memory_megabytes: float = 0.0
    slowest_seconds: float = 0.0

    @property
    def is_perfect(self) -> bool:
        """Whether nothing hung, died, was lost or was left behind."""
        return self.alive and not (self.hangs or self.lost or self.left_behind)

    def lines(self, title: str) -> Iterator[str]:
        """The counts as a table."""
        yield f"{title}: {self.outcomes.total()} sent"
        rows = [*sorted(self.outcomes.items()), ("entries in quarantine", self.quarantined)]
        rows += [("hangs", self.hangs), ("acknowledged, but lost", self.lost)]
        rows += [("half files left", self.left_behind)]
        for name, count in rows:
            yield f"  {name:32}{count:8}"
        yield f"  {'listener still serves':32}{'yes' if self.alive else 'NO':>8}"
        yield f"  {'its peak memory':32}{self.memory_megabytes:5.0f} MB"
        yield f"  {'slowest answer':32}{self.slowest_seconds:6.1f} s"


def mutated(content: bytes, chance: random.Random) -> bytes:
    """The content with one to four random changes."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) + 1)
        end = min(at + chance.randint(1, 64), len(changed))
        extreme = chance.choice(EXTREMES)
        match chance.randrange(6):
            case 0:
                changed[at:end] = b""
            case 1:
                changed[at:at] = changed[at:end]
            case 2:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case 3:
                changed[at : at + len(extreme)] = extreme
            case 4:
                changed[at:at] = chance.randbytes(chance.randint(1, 32))
            case 5:
                changed[at:] = changed[at:end] if chance.random() < 0.5 else changed[end:] + changed[at:end]
    return bytes(changed)


@contextlib.contextmanager
def receiving(protocol: str, folder: Path) -> Iterator[tuple[int, int]]:
    """`overread receive` as a user starts it; gives its port and process id."""
    command = [sys.executable, "-m", "overread", "receive", protocol, "--port", "0"]
    command += ["--data-folder", str(folder)]
    log_path = folder.with_suffix(".log")
    with log_path.open("w") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, **ENVIRONMENT}
        )
        try:
            found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline() if process.stdout else "")
            if found is None:
                raise SystemExit(log_path.read_text())
            yield int(found[1]), process.pid
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


def object_pdus(number: int, chance: random.Random) -> bytes:
    """The PDUs of a C-STORE request, something of which is broken."""
    data = data_set(number, chance)
    command = store_command(uid_of(number))
    match chance.randrange(10):
        case 0:
            return data_pdu(mutated(command, chance) or b"\x03") + data_pdu(b"\x02" + data)
        case 1:
            return mutated(data_pdu(command) + data_pdu(b"\x02" + data), chance)
    return data_pdu(command) + data_pdu(b"\x02" + mutated(data, chance))


def uid_of(number: int) -> str:
    return f"2.25.{number + 1}.1.1"


def data_set(number: int, chance: random.Random) -> bytes:
    content = dicom_bytes(
        study=f"2.25.{number + 1}", AccessionNumber=f"A{number}", PixelData=chance.randbytes(64)
    )
    return content[144 + int.from_bytes(content[140:144], "little") :]


def send_objects(port: int, count: int, chance: random.Random, tally: Tally) -> None:
    """Send so many broken objects, on one association as long as it lasts; in the end one that is whole."""
    sender: RawSender | None = None
    for number in range(count):
        sender = sender or RawSender(port, transfer_syntax=EXPLICIT)
        status = store_one(sender, object_pdus(number, chance), tally)
        tally.outcomes["connection ended" if status is None else f"status 0x{status:04X}"] += 1
        if status == 0:
            tally.acknowledged.append(uid_of(number))
        if status is None:
            sender.connection.close()
            sender = None
    whole = RawSender(port, transfer_syntax=EXPLICIT)
    pdus = data_pdu(store_command(uid_of(count))) + data_pdu(b"\x02" + data_set(count, chance))
    tally.alive = store_one(whole, pdus, tally) == 0
    whole.connection.close()


def store_one(sender: RawSender, pdus: bytes, tally: Tally) -> int | None:
    started = time.monotonic()
    try:
        with contextlib.suppress(ConnectionError):  # it may be ended while it is being written to
            sender.connection.sendall(pdus)
        return sender.status()
    except TimeoutError:
        tally.hangs += 1
        return None
    finally:
        tally.slowest_seconds = max(tally.slowest_seconds, time.monotonic() - started)


def send_messages(port: int, count: int, chance: random.Random, tally: Tally) -> None:
    """Send so many broken messages, on one connection as long as it lasts; in the end one that is whole."""
    connection: socket.socket | None = None
    for number in range(count + 1):
        lines = (f"FINDINGS: no mass \\T\\ no nodule, case {number}", "IMPRESSION: normal")
        text = oru(*lines, control=str(number), accession=f"A{number}")
        content = text.encode()
        if number < count:
            content = mutated(content, chance).replace(b"\x0b", b"").replace(END, b"")
        connection = connection or socket.create_connection(("127.0.0.1", port))
        connection.settimeout(20)
        answer = exchange(connection, content, tally)
        code = found[1].decode() if (found := re.search(rb"MSA.(A[AER])", answer)) else "connection ended"
        if number == count:
            tally.alive = code == "AA"
            break
        tally.outcomes[code] += 1
        if code == "AA":
            tally.acknowledged += hashes_of(content)
        if code == "connection ended":
            connection.close()
            connection = None


def hashes_of(content: bytes) -> list[str]:
    """What the store must hold of an acknowledged message."""
    message = read_message(content, default_charset="utf-8")
    reports = read_reports(message, content, Hl7Settings(), source="test")
    texts = [str(report.content).removeprefix("\ufeff") for report in reports]
    return [hashlib.sha256(text.encode()).hexdigest() for text in texts]


def exchange(connection: socket.socket, content: bytes, tally: Tally) -> bytes:
    started, answer = time.monotonic(), b""
    try:
        connection.sendall(frame(content))
        while END not in answer and (piece := connection.recv(4096)):
            answer += piece
    except TimeoutError:
        tally.hangs += 1
    except ConnectionError:
        pass
    tally.slowest_seconds = max(tally.slowest_seconds, time.monotonic() - started)
    return answer


def run(protocol: str, folder: Path, count: int, seed: int) -> Tally:
    """Send broken things to a listener of its own, and take account when it has ended."""
    tally, chance, data = Tally(), random.Random(seed), folder / protocol
    with receiving(protocol, data) as (port, pid):
        (send_objects if protocol == "dicom" else send_messages)(port, count, chance, tally)
        status = Path(f"/proc/{pid}/status").read_text()
        tally.memory_megabytes = int(status.partition("VmHWM:")[2].split()[0]) / 1024
        tally.left_behind = len(list((data / "incoming").iterdir()))
    store = open_store(load_settings({}, data_folder=data))
    take_account(store, protocol, tally)
    store.close()
    return tally


def take_account(store: Store, protocol: str, tally: Tally) -> None:
    with store.reading() as connection:
        tally.quarantined = len(connection.execute(quarantine.select()).all())
        if protocol == "dicom":
            rows = connection.execute(instances.select()).all()
            kept = {
                row.sop_instance_uid for row in rows if store.files.objects.size_of(row.sha256) is not None
            }
            tally.lost = len(set(tally.acknowledged) - kept)
            return
        kept = {row.sha256 for row in connection.execute(report_versions.select())}
    tally.lost = len(set(tally.acknowledged) - kept)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    perfect = True
    with tempfile.TemporaryDirectory() as folder:
        for protocol, count in (("dicom", arguments.objects), ("hl7", arguments.messages)):
            tally = run(protocol, Path(folder), count, arguments.seed)
            sys.stdout.writelines(f"{line}\n" for line in tally.lines(protocol))
            perfect = perfect and tally.is_perfect
    return 0 if perfect else 1


if __name__ == "__main__":
    sys.exit(main())
