"""Sends studies and reports by every way in, as hospitals do: again and again until each is acknowledged."""

import base64
import io
import json
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import count
from pathlib import Path

import httpx
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made when it is imported
    DigitalXRayImageStorageForPresentation,
)

BOUNDARY = "overread-parcel"
TIMEOUT_SECONDS = 20.0
LOOK_SECONDS = 0.2  # between two looks at what became of a file
HTTP_OK = frozenset({200, 201})
BUSY = 503
_START, _END = b"\x0b", b"\x1c\r"  # of a message (HL7 v2.5.1 appendix C, MLLP)


class Way(StrEnum):
    """Protocol of a sender."""

    STOW = "STOW-RS"
    STORE = "C-STORE"
    HTTP = "HTTP"
    HL7 = "HL7"
    FHIR = "FHIR"
    FOLDER = "folder"


IMAGE_WAYS = (Way.STOW, Way.STORE)
REPORT_WAYS = (Way.HTTP, Way.HL7, Way.FHIR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One thing to send: an image, or a report."""

    way: Way
    accession: str
    image: bytes = b""
    report: str = ""
    status: str = "FINAL"  # of the report, as overread names it
    issued_at: datetime | None = None  # when the report was made; with its zone
    further: tuple[str, ...] = ()  # accession numbers of orders that share the report; by HL7 alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Ports of an installation on this machine, and the folder that it watches."""

    api: int
    stow: int
    dicom: int
    hl7: int
    folder: Path | None = None


_STATUSES = {  # of HL7 table 0123, and of FHIR
    "FINAL": ("F", "final"),
    "PRELIMINARY": ("P", "preliminary"),
    "CORRECTED": ("C", "corrected"),
    "ADDENDUM": ("A", "appended"),
}
_names = count()


class Sender:
    """One sender with its own connections, each made anew after it broke. One user at a time."""

    def __init__(self, ports: Ports, *, token: str = "") -> None:
        self._ports = ports
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(timeout=TIMEOUT_SECONDS, headers=headers)
        self._association: Association | None = None
        self._stream: socket.socket | None = None
        self._sent = 0
        self._ways: Mapping[Way, Callable[[Parcel], str]] = {
            Way.STOW: self._stow,
            Way.STORE: self._store,
            Way.HTTP: self._http,
            Way.HL7: self._hl7,
            Way.FHIR: self._fhir,
            Way.FOLDER: self._put,
        }

    def send(self, parcel: Parcel) -> str:
        """Send it once; return why it was not acknowledged, or nothing if it was."""
        try:
            return self._ways[parcel.way](parcel)
        except (httpx.TransportError, OSError) as error:
            self._hang_up()
            return f"{parcel.way} {type(error).__name__}"

    def close(self) -> None:
        """Hang up everywhere."""
        self._client.close()
        self._hang_up()
        if self._association is not None and self._association.is_established:
            self._association.release()

    def _hang_up(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _stow(self, parcel: Parcel) -> str:
        head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
        reply = self._client.post(
            f"http://127.0.0.1:{self._ports.stow}/studies",
            content=head + parcel.image + f"\r\n--{BOUNDARY}--\r\n".encode(),
            headers={"Content-Type": kind, "Accept": "application/dicom+json"},
        )
        return _unless_ok(parcel, reply)

    def _store(self, parcel: Parcel) -> str:
        if self._association is None or not self._association.is_established:
            entity = AE(ae_title="SENDER")
            entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = TIMEOUT_SECONDS
            entity.connection_timeout = TIMEOUT_SECONDS
            entity.add_requested_context(DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian)
            self._association = entity.associate("127.0.0.1", self._ports.dicom, ae_title="OVERREAD")
        if not self._association.is_established:
            return f"{parcel.way} no association"
        try:
            reply = self._association.send_c_store(dcmread(io.BytesIO(parcel.image)))
        except RuntimeError:  # the peer has ended it since the look above
            return f"{parcel.way} no association"
        status = reply.get("Status")
        if status is None:
            return f"{parcel.way} no reply"
        return "" if status == 0 else f"{parcel.way} status {status:#06x}"

    def _http(self, parcel: Parcel) -> str:
        return _unless_ok(parcel, self._post("/api/v1/reports", _report_body(parcel)))

    def _fhir(self, parcel: Parcel) -> str:
        kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]}
        resource = {
            "resourceType": "DiagnosticReport",
            "status": _STATUSES[parcel.status][1],
            "code": {"text": "Chest radiograph"},
            "identifier": [{"type": kind, "value": parcel.accession}],
            "presentedForm": [
                {"contentType": "text/plain", "data": base64.b64encode(parcel.report.encode()).decode()}
            ],
        }
        if parcel.issued_at is not None:
            resource["issued"] = parcel.issued_at.isoformat()
        return _unless_ok(parcel, self._post("/fhir/DiagnosticReport", resource, "application/fhir+json"))

    def _post(self, path: str, body: object, kind: str = "application/json") -> httpx.Response:
        url = f"http://127.0.0.1:{self._ports.api}{path}"
        return self._client.post(url, json=body, headers={"Content-Type": kind})

    def _hl7(self, parcel: Parcel) -> str:
        if self._stream is None:
            self._stream = socket.create_connection(("127.0.0.1", self._ports.hl7), TIMEOUT_SECONDS)
        self._sent += 1
        control = f"{id(self):x}-{self._sent}"
        self._stream.sendall(_START + _message(parcel, control) + _END)
        reply = b""
        while not reply.endswith(_END):
            piece = self._stream.recv(65536)
            if not piece:
                self._hang_up()
                return f"{parcel.way} cut off"
            reply += piece
        code = reply.partition(b"MSA|")[2].partition(b"|")[0].decode()
        return "" if f"MSA|AA|{control}".encode() in reply else f"{parcel.way} answered {code}"

    def _put(self, parcel: Parcel) -> str:
        """Put a file into the watched folder, and wait until it has been taken or refused."""
        folder = self._ports.folder
        if folder is None:
            raise ValueError("no folder is watched")
        content = parcel.image or json.dumps(_report_body(parcel)).encode()
        name = f"{next(_names)}.{'dcm' if parcel.image else 'json'}"
        part = folder / f"{name}.part"
        part.write_bytes(content)
        part.rename(folder / name)
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if (folder / "done" / name).exists():
                return ""
            if (folder / "refused" / name).exists():
                return f"{parcel.way} refused"
            time.sleep(LOOK_SECONDS)
        return f"{parcel.way} not taken"


def _report_body(parcel: Parcel) -> dict[str, str]:
    """Return what `POST /api/v1/reports` takes."""
    body = {"text": parcel.report, "accession_number": parcel.accession, "status": parcel.status}
    if parcel.issued_at is not None:
        body["issued_at"] = parcel.issued_at.isoformat()
    return body


def _message(parcel: Parcel, control: str) -> bytes:
    status = _STATUSES[parcel.status][0]
    issued = "" if parcel.issued_at is None else f"{parcel.issued_at:%Y%m%d%H%M%S%z}"
    patient = "" if parcel.further else f"{parcel.accession.replace('A', 'P')}^^^HOSPITAL^MR"
    orders = [
        f"OBR|{number}|||71020^CHEST^L|||20260301|||||||||||{accession}||||{issued}|||{status}"
        for number, accession in enumerate((parcel.accession, *parcel.further), 1)
    ]
    segments = (
        rf"MSH|^~\&|RIS|HOSPITAL|OVERREAD|HOSPITAL|20260301120000||ORU^R01|{control}|P|2.5.1",
        f"PID|1||{patient}",
        *orders,
        f"OBX|1|TX|71020^CHEST^L||{parcel.report}||||||{status}",
    )
    return "\r".join(segments).encode() + b"\r"


def _unless_ok(parcel: Parcel, reply: httpx.Response) -> str:
    if reply.status_code in HTTP_OK:
        return ""
    lacks = " without Retry-After" if reply.status_code == BUSY and "retry-after" not in reply.headers else ""
    return f"{parcel.way} status {reply.status_code}{lacks}"
