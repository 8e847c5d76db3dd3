"""Sends results by STOW-RS (PS3.18 section 10.5), one object a request, over one connection."""

import http.client
import json
import uuid
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from overread.errors import NotFoundError, PeerError
from service.results.destination import Answer, Sent
from service.results.settings import StowServer
from service.store.files import ObjectFiles
from service.store.outbox import Delivery

_SECONDS = 60.0
_ANSWER_BYTES_MAX = 1 << 20
_REFERENCED, _FAILED = "00081199", "00081198"
_UID, _REASON = "00081155", "00081197"
_DUPLICATE = 0x0111  # PS3.7 annex C: it holds this very instance already
_AWAY = frozenset({408, 429, 500, 502, 503, 504})  # not about this object; try again later
_REFUSES_US = {
    401: "it refuses us: check OVERREAD_RESULTS_AUTHORIZATION",
    403: "it does not permit us to store: check OVERREAD_RESULTS_AUTHORIZATION",
    404: "there is no such thing: check the address, to which /studies is added",
}


class StowClient:
    """A `Destination` that speaks DICOMweb. Redirects are not followed and no proxy is used."""

    def __init__(self, address: StowServer, files: ObjectFiles) -> None:
        """Open nothing yet.

        Raises:
            ConfigurationError: TLS cannot be set up from its files.
        """
        self._address = address
        self._parts = urlsplit(address.url)
        self._tls = address.tls.context() if self._parts.scheme == "https" else None
        self._files = files
        self._connection: http.client.HTTPConnection | None = None

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return self._address.name

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def send(self, deliveries: Sequence[Delivery]) -> Iterator[Sent]:
        """Send one object after the other.

        Raises:
            PeerError: it is not there, or refuses us.
            OutOfResourcesError: an object cannot be fetched now.
        """
        for delivery in deliveries:
            try:
                content = self._files.path_of(delivery.sha256 or "").read_bytes()
            except NotFoundError as error:
                yield Sent(delivery=delivery, answer=Answer.REFUSED, words=str(error))
                continue
            sent = self._sent(delivery, content)
            yield sent
            if sent.answer is Answer.BROKEN:
                return

    def _sent(self, delivery: Delivery, content: bytes) -> Sent:
        status, body = self._post(content)
        if status in _REFUSES_US or status in _AWAY:
            why = _REFUSES_US.get(status, "it cannot answer now")
            raise PeerError(f"{self._address.url} answers with HTTP status {status}: {why}")
        taken, words = _understood(status, body, delivery.sop_instance_uid or "")
        return Sent(delivery=delivery, answer=Answer.TAKEN if taken else Answer.REFUSED, words=words)

    def _post(self, content: bytes) -> tuple[int, bytes]:
        """Return status and body of the answer; a connection that the server has closed is opened anew.

        Raises:
            PeerError: it does not answer.
        """
        boundary = uuid.uuid4().hex
        body = b"".join(
            (
                f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode(),
                content,
                f"\r\n--{boundary}--\r\n".encode(),
            )
        )
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Accept": "application/dicom+json",
        }
        if self._address.authorization:
            headers["Authorization"] = self._address.authorization
        for is_kept in (self._connection is not None, False):
            self._connection = self._connection or self._connect()
            try:
                self._connection.request("POST", f"{self._parts.path}/studies", body=body, headers=headers)
                response = self._connection.getresponse()
                return response.status, response.read(_ANSWER_BYTES_MAX)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if not is_kept:
                    raise PeerError(
                        f"{self._address.url} does not answer ({type(error).__name__}): check that it runs, "
                        "and OVERREAD_RESULTS_DESTINATIONS"
                    ) from error
        raise AssertionError("the second attempt returns or raises")

    def _connect(self) -> http.client.HTTPConnection:
        host, port = str(self._parts.hostname), self._parts.port
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=_SECONDS)


def _understood(status: int, body: bytes, sop_instance_uid: str) -> tuple[bool, str]:
    """Return whether the object is stored there, and the answer in words (PS3.18 section 10.5.3.2)."""
    try:
        answer = json.loads(body) if body.strip() else {}
    except ValueError:
        answer = {}
    failed = _reasons(answer).get(sop_instance_uid)
    if failed == _DUPLICATE:
        return True, "it held it already, failure reason 0x0111"
    if failed is not None:
        return False, f"failure reason 0x{failed:04X}"
    if status in (200, 202):
        return True, f"stored, HTTP status {status}"
    return False, f"HTTP status {status}"


def _reasons(answer: Any) -> dict[str, int]:
    """Return the failure reason of each object that was not stored."""
    sequence = answer.get(_FAILED, {}) if isinstance(answer, dict) else {}
    found: dict[str, int] = {}
    for item in sequence.get("Value") or () if isinstance(sequence, dict) else ():
        try:
            found[str(item[_UID]["Value"][0])] = int(item[_REASON]["Value"][0])
        except (KeyError, IndexError, TypeError, ValueError):
            continue
    return found
