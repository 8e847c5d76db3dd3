"""Sends messages over MLLP (HL7 v2.5.1 appendix C), one connection for a batch; each waits for its answer.

Over TLS where its address is mllps://, with certificates on both sides where it asks for ours (IHE ITI-19).
"""

import socket
import ssl
from collections.abc import Iterator, Sequence

from overread.errors import InvalidReportError, PeerError
from service.hl7.framing import FrameReader, FramingError, frame
from service.hl7.message import read_message
from service.results.destination import Answer, Sent
from service.results.settings import MllpServer
from service.store.outbox import Delivery

_CONNECT_SECONDS = 20.0
_ANSWER_SECONDS = 60.0
_ANSWER_BYTES_MAX = 1 << 20
_TAKEN = frozenset({"AA", "CA"})  # HL7 table 0008


class MllpSender:
    """A `Destination` that speaks HL7 v2."""

    def __init__(self, address: MllpServer) -> None:
        """Open nothing yet.

        Raises:
            ConfigurationError: TLS cannot be set up from its files.
        """
        self._address = address
        self._tls = None if address.tls is None else address.tls.context()

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return self._address.name

    def close(self) -> None:
        """Nothing is kept open."""

    def send(self, deliveries: Sequence[Delivery]) -> Iterator[Sent]:
        """Send over one connection, in order.

        Raises:
            PeerError: nobody listens there, or not who should.
        """
        with self._connect() as connection:
            connection.settimeout(_ANSWER_SECONDS)
            for delivery in deliveries:
                sent = _sent(connection, delivery)
                yield sent
                if sent.answer is Answer.BROKEN:
                    return

    def _connect(self) -> socket.socket:
        where = f"{self._address.host}:{self._address.port}"
        plain: socket.socket | None = None
        try:
            plain = socket.create_connection((self._address.host, self._address.port), _CONNECT_SECONDS)
            if self._tls is None:
                return plain
            return self._tls.wrap_socket(plain, server_hostname=self._address.host)
        except OSError as error:
            if plain is not None:
                plain.close()
            if isinstance(error, ssl.SSLCertVerificationError):
                raise PeerError(
                    f"{where} shows a certificate that is not to be trusted ({error.verify_message}): check "
                    "OVERREAD_RESULTS_TLS_CA, and under which name it is called"
                ) from error
            if isinstance(error, ssl.SSLError):
                raise PeerError(
                    f"{where} does not speak TLS with us ({error.reason}): check both sides"
                ) from error
            raise PeerError(
                f"{where} does not answer ({type(error).__name__}): check that it runs, and "
                "OVERREAD_RESULTS_DESTINATIONS"
            ) from error


def _sent(connection: socket.socket, delivery: Delivery) -> Sent:
    message = (delivery.message or "").encode()
    reader = FrameReader(message_bytes_max=_ANSWER_BYTES_MAX)
    try:
        connection.sendall(frame(message))
        answers: list[bytes] = []
        while not answers:
            received = connection.recv(1 << 16)
            if not received:
                return Sent(delivery=delivery, answer=Answer.BROKEN, words="it closed the connection")
            answers = reader.feed(received)
    except (OSError, FramingError) as error:
        words = f"it broke off, or did not answer in time ({type(error).__name__})"
        return Sent(delivery=delivery, answer=Answer.BROKEN, words=words)
    return _understood(delivery, answers[0])


def _understood(delivery: Delivery, answer: bytes) -> Sent:
    """Return what an acknowledgement says (HL7 v2.5.1 section 2.14.8)."""
    try:
        segments = read_message(answer, default_charset="utf-8").segments
        (said,) = [segment for segment in segments if segment.name == "MSA"]
        code, control_id = said.raw(1).strip(), said.raw(2).strip()
    except (InvalidReportError, ValueError):
        return Sent(delivery=delivery, answer=Answer.REFUSED, words="its answer is no acknowledgement")
    if control_id != _control_id(delivery):
        words = "it acknowledged another message"
        return Sent(delivery=delivery, answer=Answer.BROKEN, words=words)
    taken = code in _TAKEN
    # What else it says may quote the message, and with it the patient.
    words = f"acknowledged with {code}" if taken else f"refused with {code[:2]}; its own log says why"
    return Sent(delivery=delivery, answer=Answer.TAKEN if taken else Answer.REFUSED, words=words)


def _control_id(delivery: Delivery) -> str:
    return (delivery.message or "").split("\r", 1)[0].split("|")[9]
