"""Takes HL7 v2 messages over MLLP on one listening socket, and acknowledges them when they are committed."""

import ipaddress
import socket
import socketserver
import ssl
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from typing import cast

import structlog

from overread.errors import InputError
from service.bounded_server import BoundedServerMixin
from service.error_boundary import ErrorBoundary
from service.hl7.acknowledgement import ACCEPTED, Verdict, acknowledgements, verdict_on
from service.hl7.committer import GroupCommitter, Outcomes
from service.hl7.framing import FrameReader, FramingError, OtherProtocolError, frame
from service.hl7.message import Segment, read_header, read_message
from service.hl7.report import read_reports
from service.hl7.settings import Hl7Settings
from service.intake.reports import refuse_message
from service.metrics import IntakeProtocol, count_accepted, count_refused
from service.store.database import Store

_RECEIVE_BYTES = 1 << 16
_ENVELOPE_BYTES = 1 << 16  # of a message beside its report; escapes make a report longer by less than twice

_log = structlog.get_logger("overread.mllp")

# What a message became: known at once, or when it has been committed.
_Pending = tuple[Segment | None, "Verdict | Future[Outcomes]"]


class Hl7Listener(BoundedServerMixin, socketserver.TCPServer):
    """Takes the messages that are sent to a listening socket."""

    protocol = IntakeProtocol.HL7

    def __init__(
        self,
        listener: socket.socket,
        store: Store,
        settings: Hl7Settings,
        clock: Callable[[], datetime],
    ) -> None:
        self.prepare(
            listener,
            connections_max=settings.connections_max,
            per_address_max=settings.connections_per_address_max,
        )
        self.store = store
        self.settings = settings
        self.clock = clock
        self.tls: ssl.SSLContext | None = settings.tls.context() if settings.tls else None
        self.committer = GroupCommitter(store, clock)
        super().__init__(listener.getsockname(), _Connection)

    def is_welcome(self, address: str) -> bool:
        """Whether this address is among the allowed senders, or none were chosen."""
        sender = ipaddress.ip_address(address.partition("%")[0])
        mapped = getattr(sender, "ipv4_mapped", None)
        senders = self.settings.senders
        return not senders or any((mapped or sender) in network for network in senders)


class _Connection(socketserver.BaseRequestHandler):
    """One connection; several messages may follow one another, or be sent ahead of their answers."""

    def handle(self) -> None:
        """Answer every message until the sender closes the connection or falls silent."""
        server = cast(Hl7Listener, self.server)
        connection = cast(socket.socket, self.request)
        connection.settimeout(server.settings.message_seconds)
        if server.tls is not None:
            connection = self.request = server.tls.wrap_socket(connection, server_side=True)
        place = server.place
        messages_max = 2 * server.store.settings.report_bytes_max + _ENVELOPE_BYTES
        frames = FrameReader(message_bytes_max=messages_max)
        started = time.monotonic()
        while (data := self._receive(connection, frames, started)) is not None:
            was_within = frames.is_within_message
            place.heard()
            try:
                messages = frames.feed(data)
            except FramingError as error:
                _log.warning("connection_closed", reason=str(error), address=self.client_address[0])
                if not isinstance(error, OtherProtocolError):
                    verdict = Verdict(code="AR", error=100, text=str(error), reason="FRAMING")
                    self._answer(connection, [(None, verdict)])
                else:
                    count_refused(IntakeProtocol.HL7, "OTHER_PROTOCOL")
                return
            if messages:
                place.spoke()
            if messages or not was_within:
                started = time.monotonic()
            self._answer(connection, [self._take(message) for message in messages if not _is_answer(message)])

    def finish(self) -> None:
        """Close the connection, the secured one too."""
        cast(socket.socket, self.request).close()

    def _receive(self, connection: socket.socket, frames: FrameReader, started: float) -> bytes | None:
        """Return some bytes; None when the connection is closed, silent or too slow."""
        settings = cast(Hl7Listener, self.server).settings
        left = settings.idle_seconds
        if frames.is_within_message:
            left = started + settings.message_seconds - time.monotonic()
        if left > 0:
            connection.settimeout(left)
            try:
                return connection.recv(_RECEIVE_BYTES) or None
            except TimeoutError:
                pass
            except OSError:
                return None
        if frames.is_within_message:
            _log.warning("connection_closed", reason="half a message", address=self.client_address[0])
        return None

    def _take(self, content: bytes) -> _Pending:
        """Hand the reports of a message to the committer, or put it into quarantine."""
        server = cast(Hl7Listener, self.server)
        source = f"HL7 {self.client_address[0]}"
        header = read_header(content)
        with ErrorBoundary() as boundary:
            message = read_message(content, default_charset=server.settings.charset)
            reports = read_reports(message, content, server.settings, source=source)
        if isinstance(boundary.error, InputError):
            return header, self._refused(content, boundary.error, source)
        if boundary.error is not None:
            return header, _failed(boundary.error, source)
        if not reports:
            _log.info("no_report", source=source)
            return header, ACCEPTED
        return header, server.committer.submit(reports)

    def _refused(self, content: bytes, error: InputError, source: str) -> Verdict:
        server = cast(Hl7Listener, self.server)
        with ErrorBoundary() as boundary:
            refuse_message(server.store, content, error, source=source, now=server.clock())
        if boundary.error is not None:  # it could not even be set aside: the sender keeps it
            return _failed(boundary.error, source)
        return verdict_on(error)

    def _answer(self, connection: socket.socket, pending: list[_Pending]) -> None:
        """Send the acknowledgements in the order of the messages, each when its message is committed."""
        now = cast(Hl7Listener, self.server).clock
        for header, outcome in pending:
            verdict = _verdict(outcome)
            if verdict.code == ACCEPTED.code:
                count_accepted(IntakeProtocol.HL7)
            else:
                count_refused(IntakeProtocol.HL7, verdict.reason)
            for answer in acknowledgements(header, verdict, now=now()):
                connection.sendall(frame(answer))


def _failed(error: Exception, source: str) -> Verdict:
    _log.error("failed", reason=type(error).__name__, source=source)
    return verdict_on(error)


def _is_answer(content: bytes) -> bool:
    """Whether a message is itself an acknowledgement, such as of ours: it gets none."""
    header = read_header(content)
    return header is not None and header.component(9) == "ACK"


def _verdict(outcome: "Verdict | Future[Outcomes]") -> Verdict:
    if isinstance(outcome, Verdict):
        return outcome
    with ErrorBoundary() as boundary:
        receipts = outcome.result()
    if boundary.error is not None:
        return verdict_on(boundary.error)
    errors = [receipt for receipt in receipts if isinstance(receipt, InputError)]
    return verdict_on(errors[0]) if errors else ACCEPTED
