"""One association, hardened: what pynetdicom reads is bounded in size and in time, and goes to disk at once.

pynetdicom lets its request handler, socket and DIMSE provider be replaced; each is replaced here by one that
differs in a single respect.
"""

import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, cast

import structlog
from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ, N_ACTION_RQ, N_EVENT_REPORT_RQ
from pynetdicom.pdu_primitives import A_ABORT, A_P_ABORT, A_RELEASE, P_DATA
from pynetdicom.transport import RequestHandler

from service.bounded_server import Place
from service.dicom.arrival import ArrivingObject
from service.dicom.timing import SteadyTimer
from service.dicom.transport import BoundedSocket
from service.error_boundary import ErrorBoundary
from service.intake.instances import AnnouncedInstance

_COMMAND_BYTES_MAX = 1 << 16
_ACTION_BYTES_MAX = 2 << 20  # a request for the storage commitment of ten thousand objects
_UNANSWERED_MAX = 8  # requests in advance of our answers; nobody has negotiated any
_COMMAND_KEYWORDS = (
    "AffectedSOPClassUID",
    "AffectedSOPInstanceUID",
    "MessageID",
    "Priority",
)  # PS3.7 9.3.1.1
_POLL_SECONDS = 0.002
_ABORT = "Evt19"  # "unrecognized or invalid PDU" of the state machine, PS3.8 table 9-10

_log = structlog.get_logger("overread.dicom")

BeginObject = Callable[[AnnouncedInstance, UID], ArrivingObject]


class Limits(Protocol):
    """Services of a server to the handler of its connections."""

    idle_seconds: float
    silence_seconds: float
    tls: ssl.SSLContext | None
    begin: BeginObject
    place: Place  # of the connection that this thread serves


class StreamingDimse(DIMSEServiceProvider):
    """Gives the data set of a C-STORE request an `ArrivingObject` to be written to; bounds all else.

    What is owed to the requester is given to it when it has fallen silent, in the association's own thread.
    """

    def __init__(self, assoc: Association, limits: Limits) -> None:
        super().__init__(assoc)
        self.place = limits.place
        self._begin = limits.begin
        self._silence_seconds = limits.silence_seconds
        self._begun: list[ArrivingObject] = []  # those that are open; whoever has them may drop them
        self._owed: list[Callable[[StreamingDimse | None], None]] = []
        self._put_off: deque[Any] = deque()  # what came while we awaited an answer
        self._heard_at = time.monotonic()

    def owe(self, debt: "Callable[[StreamingDimse | None], None]") -> None:
        """Call `debt` with this as soon as the requester is silent, or with None when it has gone."""
        self._owed.append(debt)

    def get_msg(self, block: bool = False) -> Any:
        """Return the next message with its context; both None if there is none."""
        if self._put_off:
            return self._put_off.popleft()
        found = super().get_msg(block)
        if found[1] is not None:
            self._heard_at = time.monotonic()
            self.place.spoke()
        elif (
            self._owed and time.monotonic() - self._heard_at > self._silence_seconds and not self._is_ending()
        ):
            self._owed.pop(0)(self)
        return found

    def ask(self, request: Any, context_id: int, *, seconds: float) -> Any | None:
        """Return the answer to a request of ours; None if none comes, or the association ends."""
        self.send_msg(request, context_id)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and len(self._put_off) <= _UNANSWERED_MAX:
            context, message = super().get_msg(block=False)
            if message is None:
                if self._is_ending():
                    return None
                time.sleep(_POLL_SECONDS)
            elif message.is_valid_response:
                self._heard_at = time.monotonic()
                return message
            else:
                self._put_off.append((context, message))
        return None

    def settle(self) -> None:
        """Tell those who are owed something that the requester has gone."""
        while self._owed:
            self._owed.pop(0)(None)

    def _is_ending(self) -> bool:
        return not self.dul.is_alive() or isinstance(
            self.dul.peek_next_pdu(), A_RELEASE | A_ABORT | A_P_ABORT
        )

    def sink(self) -> tuple[int, ArrivingObject] | None:
        """Return the object that is arriving, with its presentation context; None between objects."""
        message = self.message
        if not isinstance(message, C_STORE_RQ) or not isinstance(message.data_set, ArrivingObject):
            return None
        return int(message.context_id or 0), message.data_set

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take the fragments one by one; whatever cannot be understood ends the association."""
        with ErrorBoundary() as boundary:
            for context_id, fragment in primitive.presentation_data_value_list:
                self._receive_fragment(context_id, fragment)
        if boundary.error is not None:
            _log.warning("association_aborted", reason=type(boundary.error).__name__)
            self.message = None
            self.dul.event_queue.put(_ABORT)

    def discard(self) -> None:
        """Remove what has not arrived completely or was not taken any more; nobody may be at work on it."""
        for arriving in self._begun:
            arriving.discard()
        self._begun.clear()

    def _receive_fragment(self, context_id: int, fragment: bytes) -> None:
        message = self.message
        is_command = fragment[0] & 1  # PS3.8 annex E.2
        if message is None or is_command:
            if self.msg_queue.qsize() > _UNANSWERED_MAX:
                raise ValueError("the sender does not wait for answers")
            if message is not None and message.context_id is not None:  # its command is complete
                raise ValueError("a command amidst a data set")
            if message is not None and message.encoded_command_set.tell() > _COMMAND_BYTES_MAX:
                raise ValueError("the command is too long")
        elif isinstance(message, C_STORE_RQ):
            if not isinstance(message.data_set, ArrivingObject):
                message.data_set = self._arriving(message)
        elif message.data_set is not None and message.data_set.tell() > _data_bytes_max(message):
            raise ValueError("no request of this kind has so long a data set")
        single = P_DATA()
        single.presentation_data_value_list = []
        single.presentation_data_value_list.append((context_id, fragment))
        super().receive_primitive(single)

    def _arriving(self, message: C_STORE_RQ) -> ArrivingObject:
        command = message.command_set
        if any(command.get(keyword) in {None, ""} for keyword in _COMMAND_KEYWORDS):
            raise ValueError("the command is not complete")
        contexts = {context.context_id: context for context in self.assoc.accepted_contexts}
        announced = AnnouncedInstance(
            sop_class_uid=str(command.AffectedSOPClassUID),
            sop_instance_uid=str(command.AffectedSOPInstanceUID),
        )
        arriving = self._begin(announced, UID(contexts[message.context_id].transfer_syntax[0]))
        self._begun = [begun for begun in self._begun if begun.incoming is not None]
        self._begun.append(arriving)
        return arriving


def _data_bytes_max(message: object) -> int:
    return _ACTION_BYTES_MAX if isinstance(message, N_ACTION_RQ | N_EVENT_REPORT_RQ) else _COMMAND_BYTES_MAX


class ConnectionHandler(RequestHandler):
    """Serves one connection in a thread of its own, from the TLS handshake to the clean-up."""

    def setup(self) -> None:
        """Secure the connection; here and not where it is accepted, so that a slow client delays no other."""
        limits = cast(Limits, self.server)
        connection = cast(socket.socket, self.request)
        connection.settimeout(limits.idle_seconds)
        if limits.tls is not None:
            self.request = limits.tls.wrap_socket(connection, server_side=True)

    def handle(self) -> None:
        """Serve the association; whatever way it ends, nothing half is left."""
        association = self._create_association()
        dimse = cast(StreamingDimse, association.dimse)
        association.start()
        association.join()
        association.dul.kill_dul()  # it has ended, unless the association broke
        association.dul.join()
        dimse.discard()
        dimse.settle()

    def _create_association(self) -> Association:
        limits = cast(Limits, self.server)
        association = super()._create_association()
        dul = association.dul
        dul.artim_timer = SteadyTimer(dul.artim_timer.timeout)
        dul._idle_timer = SteadyTimer(limits.idle_seconds)
        dul.event_queue.get_nowait()  # the socket that is replaced has announced the connection
        bounded = BoundedSocket(association, client_socket=cast(socket.socket, self.request))
        bounded.idle_seconds = limits.idle_seconds
        bounded.heard = limits.place.heard
        dul.socket = bounded
        association.dimse = StreamingDimse(association, limits)
        bounded.sink = association.dimse.sink
        return association
