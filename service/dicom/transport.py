"""The socket of an association: bounded in size and in time, with a short way for the data of an object.

pynetdicom copies each PDU several times and passes it through a state machine and queues, which takes longer
than to receive it. The fragments in the middle of an object need none of that: they go from the socket to the
file. Commands, the first and the last fragment, and whatever is not such a plain fragment are the library's.
"""

import select
import ssl
import struct
import time
from collections.abc import Callable
from typing import Protocol

from pynetdicom.transport import AssociationSocket

PDU_BYTES = 128 << 10  # the longest P-DATA-TF PDU that we ask for
PDU_BYTES_MAX = 1 << 20  # an association request with 128 contexts is the longest; data comes in PDU_BYTES
_HEAD = struct.Struct(">BBL")  # PS3.8 section 9.3.1: type, reserved, length
_ITEM = struct.Struct(">LBB")  # PS3.8 section 9.3.5.1 and annex E.2: length, context, message control header
_DATA = 4  # P-DATA-TF
_TURN_SECONDS = 1.0  # after which one PDU goes the long way, so that the library knows that the peer lives
_WAIT_SECONDS = 0.02  # for the next PDU of an object, before the library may look after other things


class Taker(Protocol):
    """Takes the data of an object."""

    def write(self, data: memoryview) -> int:
        """Take the next bytes; the memory is used again when this returns."""


class BoundedSocket(AssociationSocket):
    """Reads a PDU in one piece, of bounded length and within bounded time."""

    idle_seconds = 60.0
    sink: Callable[[], tuple[int, Taker] | None] | None = None
    """Returns who takes the object that is arriving, and its presentation context; None between objects."""
    heard: Callable[[], None] | None = None
    """Called whenever something has come."""

    _back = b""  # what was read and is not ours
    _buffer: bytearray | None = None
    _read_at = 0.0  # when the library read the last PDU

    @property
    def ready(self) -> bool:
        """Whether there is a PDU for the library; what is not for it goes to the sink meanwhile."""
        try:
            self._stream()
        except (OSError, ValueError):
            self.event_queue.put("Evt17")  # PS3.8 table 9-10: transport connection closed
            return False
        return bool(self._back) or super().ready

    def recv(self, nr_bytes: int) -> bytearray:
        """Return so many bytes, fewer if the connection was closed.

        Raises:
            OSError: nobody sends a PDU so long, or the sender is too slow; the connection is given up.
        """
        if nr_bytes > PDU_BYTES_MAX:
            raise OSError(f"a PDU of more than {PDU_BYTES_MAX} bytes")
        buffer, known = bytearray(nr_bytes), min(nr_bytes, len(self._back))
        buffer[:known] = self._back[:known]
        self._back = self._back[known:]
        self._read_at = time.monotonic()
        with memoryview(buffer) as view:
            received = known + self._read(view[known:], time.monotonic() + self.idle_seconds)
        return buffer if received == nr_bytes else buffer[:received]

    def _stream(self) -> None:
        """Pass on what arrives of an object, until nothing does or a PDU is the library's."""
        turn_seconds = min(_TURN_SECONDS, self.idle_seconds / 4)
        while not self._back and self.sink is not None and time.monotonic() - self._read_at < turn_seconds:
            sink = self.sink()
            if sink is None or not self._has_data():
                return
            self._pass_on(*sink)

    def _pass_on(self, context_id: int, taker: Taker) -> None:
        """Give the next PDU to the taker if it is a fragment amidst an object, else back."""
        deadline = time.monotonic() + self.idle_seconds
        head = self._exactly(_HEAD.size, deadline)
        kind, _, length = _HEAD.unpack(head)
        if kind == _DATA and _ITEM.size < length <= PDU_BYTES:
            item = self._exactly(_ITEM.size, deadline)
            item_length, context, control = _ITEM.unpack(item)
            if item_length == length - 4 and context == context_id and not control & 3:
                taker.write(self._fill(length - _ITEM.size, deadline))
                return
            head += item
        self._back = head

    def _exactly(self, count: int, deadline: float) -> bytes:
        return bytes(self._fill(count, deadline))

    def _fill(self, count: int, deadline: float) -> memoryview:
        if self._buffer is None:
            self._buffer = bytearray(PDU_BYTES)
        view = memoryview(self._buffer)[:count]
        if self._read(view, deadline) < count:
            raise ConnectionError("the connection was closed within a PDU")
        return view

    def _read(self, view: memoryview, deadline: float) -> int:
        """Fill the view and return how much of it, less if the connection was closed."""
        if self.socket is None:
            raise ConnectionError("the connection is closed")
        received = 0
        while received < len(view):
            count = self.socket.recv_into(view[received:])
            if not count:
                break
            received += count
            if self.heard is not None:
                self.heard()
            if time.monotonic() > deadline:
                raise TimeoutError("the sender is too slow")
        return received

    def _has_data(self) -> bool:
        if self.socket is None:
            return False
        if isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
            return True
        return bool(select.select([self.socket], [], [], _WAIT_SECONDS)[0])
