"""Poison: mutated objects and messages, and bombs, which are small until somebody opens them."""

import base64
import random
import socket
import struct
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress

import httpx
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from benchmarks.sending import BOUNDARY, Ports
from service.hl7.framing import END, frame
from tests.service.dicom.senders import RawSender
from tests.service.faults.mutate import EXPLICIT, mutated, object_pdus
from tests.service.fhir.documents import body, identifier, report
from tests.service.hl7.messages import oru
from tests.service.intake.narratives import pdf_object_bytes
from tests.service.material import dicom_bytes

FIRST = 10**14  # numbers of hostile studies: far from those of the load
SECONDS_MAX = 30.0
TRIES, AGAIN_SECONDS = 10, 2.0  # where nobody listens just now
INFLATED_BYTES = 1 << 30
DEEP, MANY = 50_000, 400_000
_ITEM, _UNDEFINED = b"\xfe\xff\x00\xe0", b"\xff" * 4
_PIXELS = b"\xe0\x7f\x10\x00OB\0\0" + _UNDEFINED
_SEQUENCE = b"\x08\x00\x40\x11SQ\0\0" + _UNDEFINED


def send_hostile(ports: Ports, number: int, pick: float) -> str:
    """Send one hostile thing; return what it was and what became of it."""
    name = list(SHOTS)[int(pick * len(SHOTS))]
    for _ in range(TRIES):
        try:
            outcome = SHOTS[name](ports, FIRST + number, random.Random(f"hostile {number} {pick}"))
        except (httpx.ConnectError, ConnectionRefusedError):
            time.sleep(AGAIN_SECONDS)
        except (httpx.TransportError, OSError) as error:
            return f"{name}: {type(error).__name__}"
        else:
            return f"{name}: {outcome}"
    return f"{name}: nobody listened"


def mutated_object(ports: Ports, number: int, chance: random.Random) -> str:
    """A C-STORE of which bits and lengths are lost or changed."""
    with RawSender(ports.dicom, transfer_syntax=EXPLICIT) as sender:
        if not sender.accepted:
            return "rejected"
        with suppress(ConnectionError):
            sender.connection.sendall(object_pdus(number, chance))
        status = sender.status()
    return "connection ended" if status is None else f"status {status:#06x}"


def mutated_message(ports: Ports, number: int, chance: random.Random) -> str:
    """An HL7 message of which bits are lost or changed."""
    text = oru("FINDINGS: no mass", control=str(number), accession=f"A{number}")
    return _hl7(ports, mutated(text.encode(), chance).replace(b"\x0b", b"").replace(END, b""))


def mutated_document(ports: Ports, number: int, chance: random.Random) -> str:
    """A FHIR report of which bytes are lost or changed."""
    content = mutated(body(report(identifier=[identifier(f"A{number}", "ACSN")])), chance)
    return _post(ports.api, "/fhir", content, "application/fhir+json")


def mutated_upload(ports: Ports, number: int, chance: random.Random) -> str:
    """A STOW-RS request whose parts are broken anywhere."""
    return _stow(ports, _image(number), break_it=chance)


def deep_json(ports: Ports, number: int, chance: random.Random) -> str:
    """A report as JSON that is nested deeper than a stack."""
    content = b'{"text":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    return _post(ports.api, "/api/v1/reports", content, "application/json")


def bomb_of(syntax: str, stream: Callable[[], bytes], **elements: object) -> Callable[..., str]:
    """An image whose pixels are a bomb, with a report, so that a worker opens it."""

    def shot(ports: Ports, number: int, chance: random.Random) -> str:
        pixels = b"\xfe\xff\x00\xe0" + bytes(4) + _fragment(stream()) + b"\xfe\xff\xdd\xe0" + bytes(4)
        described = _data_set(_image(number, PixelData=None, **elements))
        content = _meta(number, syntax) + described + _PIXELS + pixels
        told = {"text": "No mass.", "accession_number": f"X{number}"}
        with suppress(httpx.TransportError):
            httpx.post(f"http://127.0.0.1:{ports.api}/api/v1/reports", json=told, timeout=SECONDS_MAX)
        return _stow(ports, content)

    return shot


def jpeg_stream() -> bytes:
    """A baseline JPEG that says it is 65,535 pixels wide and high, and ends."""
    frame_header = b"\xff\xc0\x00\x0b\x08\xff\xff\xff\xff\x01\x01\x11\x00"
    return b"\xff\xd8" + frame_header + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + bytes(64) + b"\xff\xd9"


def jpeg_2000_stream() -> bytes:
    """A codestream that says it is 2^31 - 1 pixels wide and high, in tiles of one pixel, and ends."""
    side = (1 << 31) - 1
    size = struct.pack(">HHIIIIIIIIHBBB", 41, 0, side, side, 0, 0, 1, 1, 0, 0, 1, 7, 1, 1)
    style = b"\xff\x52\x00\x0c\x00\x00\x00\x01\x00\x05\x04\x04\x00\x01"
    return b"\xff\x4f\xff\x51" + size + style + b"\xff\x5c\x00\x04\x40\x40\xff\xd9"


def run_length_stream() -> bytes:
    """Runs of zeros that are far longer than the image."""
    return struct.pack("<16I", 1, 64, *(0,) * 14) + b"\x81\x00" * 2_000_000


def deflated(ports: Ports, number: int, chance: random.Random) -> str:
    """A deflated data set that inflates to a gigabyte."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = [deflater.compress(_data_set(_image(number)))]
    packed += [deflater.compress(bytes(1 << 20)) for _ in range(INFLATED_BYTES >> 20)]
    content = b"".join(packed) + deflater.flush()
    return _stow(ports, _meta(number, DeflatedExplicitVRLittleEndian) + content)


def deep_sequences(ports: Ports, number: int, chance: random.Random) -> str:
    """Sequences within sequences."""
    return _stow(ports, _meta(number, ExplicitVRLittleEndian) + (_SEQUENCE + _ITEM + _UNDEFINED) * DEEP)


def many_items(ports: Ports, number: int, chance: random.Random) -> str:
    """A sequence of very many empty items."""
    items = (_ITEM + bytes(4)) * MANY + b"\xfe\xff\xdd\xe0" + bytes(4)
    return _stow(ports, _meta(number, ExplicitVRLittleEndian) + _SEQUENCE + items)


def many_frames(ports: Ports, number: int, chance: random.Random) -> str:
    """An image that says it has more frames than bytes."""
    return _stow(ports, _image(number, NumberOfFrames=(1 << 31) - 1, Rows=65535, Columns=65535))


def pdf_in_object(ports: Ports, number: int, chance: random.Random) -> str:
    """An encapsulated PDF whose page inflates to a gigabyte."""
    names = {"StudyInstanceUID": f"2.25.{number}", "SOPInstanceUID": f"2.25.{number}.9.1"}
    return _stow(ports, pdf_object_bytes(pdf_bomb(), AccessionNumber=f"X{number}", **names))


def pdf_in_message(ports: Ports, number: int, chance: random.Random) -> str:
    """The same as an embedded document of HL7."""
    text = oru("text", control=str(number), accession=f"X{number}")
    document = f"OBX|1|ED|71020^CHEST^L||^application^pdf^Base64^{base64.b64encode(pdf_bomb()).decode()}"
    lines = [document if line.startswith("OBX") else line for line in text.split("\r")]
    return _hl7(ports, "\r".join(lines).encode())


def pdf_bomb() -> bytes:
    """A page whose content is a gigabyte of operators behind two filters."""
    once = zlib.compress(b"(x) Tj " * (1 << 24), 9)
    twice = zlib.compress(once, 9)
    head = b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    head += b"2 0 obj<</Type/Pages/Kids[" + b"3 0 R " * 100 + b"]/Count 100>>endobj\n"
    head += b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>endobj\n"
    filters = b"/Filter[/FlateDecode/FlateDecode]/Length " + str(len(twice)).encode()
    head += b"4 0 obj<<" + filters + b">>stream\n"
    return head + twice + b"\nendstream endobj\ntrailer<</Root 1 0 R>>"


def _image(number: int, **elements: object) -> bytes:
    named = {"study": f"2.25.{number}", "AccessionNumber": f"X{number}"}
    return dicom_bytes(**named, **elements)  # type: ignore[arg-type]


def _data_set(content: bytes) -> bytes:
    """Return what follows the file meta information."""
    return content[144 + int.from_bytes(content[140:144], "little") :]


def _meta(number: int, syntax: str) -> bytes:
    """Preamble and file meta information (PS3.10 section 7.1) of an image of a hostile study."""
    elements = b"".join(
        struct.pack("<HH2sH", 2, element, kind, len(value)) + value
        for element, kind, value in (
            (2, b"UI", _even("1.2.840.10008.5.1.4.1.1.1.1")),
            (3, b"UI", _even(f"2.25.{number}.1.1")),
            (0x10, b"UI", _even(syntax)),
        )
    )
    length = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(elements))
    return bytes(128) + b"DICM" + length + elements


def _even(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) % 2)


def _fragment(stream: bytes) -> bytes:
    padded = stream + bytes(len(stream) % 2)
    return _ITEM + struct.pack("<I", len(padded)) + padded


def _stow(ports: Ports, content: bytes, *, break_it: random.Random | None = None) -> str:
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    whole = head + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    return _post(ports.stow, "/studies", mutated(whole, break_it) if break_it else whole, kind)


def _post(port: int, path: str, content: bytes, kind: str) -> str:
    url = f"http://127.0.0.1:{port}{path}"
    reply = httpx.post(url, content=content, headers={"Content-Type": kind}, timeout=SECONDS_MAX)
    return f"status {reply.status_code}"


def _hl7(ports: Ports, content: bytes) -> str:
    with socket.create_connection(("127.0.0.1", ports.hl7), SECONDS_MAX) as connection:
        connection.sendall(frame(content))
        answer = b""
        while END not in answer:
            piece = connection.recv(65536)
            if not piece:
                return "connection ended"
            answer += piece
    code = answer.partition(b"MSA|")[2][:2].decode("ascii", "replace")
    return f"MSA-1 {code}" if code.isalpha() else "another answer"


SHOTS: Mapping[str, Callable[[Ports, int, random.Random], str]] = {
    "mutated object": mutated_object,
    "mutated message": mutated_message,
    "mutated document": mutated_document,
    "mutated upload": mutated_upload,
    "deep JSON": deep_json,
    "JPEG bomb": bomb_of(JPEGBaseline8Bit, jpeg_stream),
    "JPEG bomb, large header": bomb_of(JPEGBaseline8Bit, jpeg_stream, Rows=65535, Columns=65535),
    "JPEG 2000 bomb": bomb_of(JPEG2000Lossless, jpeg_2000_stream),
    "run-length bomb": bomb_of(RLELossless, run_length_stream),
    "deflated bomb": deflated,
    "deep sequences": deep_sequences,
    "many items": many_items,
    "many frames": many_frames,
    "PDF bomb in an object": pdf_in_object,
    "PDF bomb in a message": pdf_in_message,
}
