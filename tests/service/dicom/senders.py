"""C-STORE senders that are not ours, and one that speaks the upper layer protocol byte by byte."""

import socket
import ssl
import struct
import subprocess
from pathlib import Path
from typing import Self

import pytest

STORESCU, ECHOSCU = Path("/usr/bin/storescu"), Path("/usr/bin/echoscu")
IMPLICIT = "1.2.840.10008.1.2"
STORAGE = "1.2.840.10008.5.1.4.1.1.1.1"


def dcmtk(
    program: Path, port: int, *files: Path, options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a program of dcmtk, not pynetdicom's of the same name; skips where it is not installed."""
    if not program.exists():
        pytest.skip(f"{program} is not installed (Debian package dcmtk)")
    command = [program, "-v", "-aec", "OVERREAD", *options, "127.0.0.1", str(port), *files]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


class RawSender:
    """An association that can be broken at any byte."""

    def __init__(
        self, port: int, *, transfer_syntax: str = IMPLICIT, tls: ssl.SSLContext | None = None
    ) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port))
        self.connection.settimeout(20)
        if tls is not None:
            self.connection = tls.wrap_socket(self.connection, server_hostname="localhost")
        self.connection.sendall(associate_request(STORAGE, transfer_syntax=transfer_syntax))
        self.accepted = self.read_pdu()[:1] == b"\x02"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def read_pdu(self) -> bytes:
        """The next PDU, empty at the end of the connection."""
        head = self._read(6)
        return head + self._read(struct.unpack(">BBL", head)[2]) if len(head) == 6 else b""

    def status(self) -> int | None:
        """The status of the next answer; None if the association was ended instead."""
        pdu = self.read_pdu()
        at = pdu.find(struct.pack("<HHL", 0x0000, 0x0900, 2))
        return struct.unpack_from("<H", pdu, at + 8)[0] if pdu[:1] == b"\x04" and at >= 0 else None

    def send(self, *pdvs: bytes) -> None:
        """Send fragments, a PDU each."""
        self.connection.sendall(b"".join(map(data_pdu, pdvs)))

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            try:
                piece = self.connection.recv(count - len(data))
            except ConnectionError:
                return data
            if not piece:
                return data
            data += piece
        return data


def _item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(content)) + content


def associate_request(
    abstract_syntax: str, *, calling: str = "RAW", transfer_syntax: str = IMPLICIT
) -> bytes:
    """PS3.8 section 9.3.2, with one presentation context of number 1."""
    context = b"\1\0\0\0" + _item(0x30, abstract_syntax.encode()) + _item(0x40, transfer_syntax.encode())
    user = _item(0x51, struct.pack(">L", 16384)) + _item(0x52, b"1.2.3.4")
    items = _item(0x10, b"1.2.840.10008.3.1.1.1") + _item(0x20, context) + _item(0x50, user)
    body = struct.pack(">HH16s16s32x", 1, 0, b"OVERREAD".ljust(16), calling.encode().ljust(16)) + items
    return struct.pack(">BBL", 1, 0, len(body)) + body


def data_pdu(pdv: bytes, *, context: int = 1) -> bytes:
    """PS3.8 section 9.3.5: one P-DATA-TF PDU with one fragment, whose first byte is its control header."""
    item = struct.pack(">LB", len(pdv) + 1, context) + pdv
    return struct.pack(">BBL", 4, 0, len(item)) + item


def _element(element: int, value: bytes) -> bytes:
    return struct.pack("<HHL", 0, element, len(value)) + value


def store_command(sop_instance: str, *, sop_class: str = STORAGE, message: int = 1) -> bytes:
    """PS3.7 table 9.3-1: the command fragment of a C-STORE request."""
    padded = [uid.encode() + b"\0" * (len(uid) % 2) for uid in (sop_class, sop_instance)]
    elements = (
        _element(0x0002, padded[0])
        + _element(0x0100, struct.pack("<H", 0x0001))
        + _element(0x0110, struct.pack("<H", message))
        + _element(0x0700, struct.pack("<H", 0))
        + _element(0x0800, struct.pack("<H", 0x0000))
        + _element(0x1000, padded[1])
    )
    return b"\x03" + _element(0x0000, struct.pack("<L", len(elements))) + elements
