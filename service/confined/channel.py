"""Pickled messages over a socket between a parent and its child.

Both run the same program of the same user: a child guards its parent against what a decoder takes of time and
memory, and is no sandbox against code that runs in it.
"""

import copyreg
import io
import pickle
import socket
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from overread.errors import OverLimitError

_COUNT = struct.Struct("!L")
_LENGTH = struct.Struct("!Q")
_BUFFERS_MAX = 1 << 16  # large values of one message that travel beside the pickle
_ANY_SIZE = 1 << 62

Packed = tuple[memoryview, ...]
Tick = Callable[[], None]


def _proxied(mapping: MappingProxyType[Any, Any]) -> tuple[Any, ...]:
    return _read_only, (dict(mapping),)


def _read_only(mapping: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(mapping)


def pack(message: object) -> Packed:
    """Return a message as it travels: its pickle, then the buffers of arrays, which are not copied.

    Raises:
        pickle.PicklingError: something in it cannot be pickled. So do AttributeError and TypeError.
    """
    body = io.BytesIO()
    buffers: list[pickle.PickleBuffer] = []
    pickler = pickle.Pickler(body, protocol=5, buffer_callback=buffers.append)
    pickler.dispatch_table = {**copyreg.dispatch_table, MappingProxyType: _proxied}
    pickler.dump(message)
    return body.getbuffer(), *(buffer.raw() for buffer in buffers)


def unpack(body: bytearray | memoryview, buffers: Iterable[bytearray | memoryview]) -> Any:
    """Return the message that was packed."""
    return pickle.loads(body, buffers=buffers)  # noqa: S301  # of our own program, see above


class Channel:
    """One end of the socket. Not safe to share between threads."""

    def __init__(self, connection: socket.socket, *, tick_seconds: float | None = None) -> None:
        """Take over a connected socket.

        Args:
            connection: it.
            tick_seconds: after how long a wait is interrupted to call `tick`; None never does.
        """
        connection.settimeout(tick_seconds)
        self._connection = connection

    def close(self) -> None:
        """Close the socket; the other end reads EOF."""
        self._connection.close()

    def send(self, packed: Packed, *, tick: Tick | None = None) -> None:
        """Return when the message is on its way.

        Args:
            packed: what `pack` returned.
            tick: called whenever a part has gone, and again and again while the other end does not read.

        Raises:
            OSError: the other end is gone.
            Exception: what `tick` raises; the channel is of no use any more then.
        """
        lengths = b"".join(_LENGTH.pack(part.nbytes) for part in packed)
        for part in (memoryview(_COUNT.pack(len(packed)) + lengths), *packed):
            rest = part
            while rest.nbytes:
                with suppress(TimeoutError):
                    rest = rest[self._connection.send(rest) :]
                if tick is not None:
                    tick()

    def receive(self, *, tick: Tick | None = None, bytes_max: int = _ANY_SIZE) -> Any:
        """Return the next message.

        Raises:
            EOFError: the other end is gone.
            OSError: the same.
            OverLimitError: the message is larger than `bytes_max`; the channel is of no use any more then.
            Exception: what `tick` raises; the same.
        """
        (count,) = _COUNT.unpack(self._read(_COUNT.size, tick))
        if count > _BUFFERS_MAX:
            raise OverLimitError(f"the answer has more than {_BUFFERS_MAX} parts", limit="answer_bytes")
        stated = self._read(count * _LENGTH.size, tick)
        lengths = [length for (length,) in _LENGTH.iter_unpack(stated)]
        if sum(lengths) > bytes_max:
            raise OverLimitError(f"the answer is larger than {bytes_max} bytes", limit="answer_bytes")
        body, *buffers = (self._read(length, tick) for length in lengths)
        return unpack(body, buffers)

    def _read(self, count: int, tick: Tick | None) -> bytearray:
        read = bytearray(count)
        rest = memoryview(read)
        while rest.nbytes:
            try:
                got = self._connection.recv_into(rest)
            except TimeoutError:
                pass
            else:
                if got == 0:
                    raise EOFError
                rest = rest[got:]
            if tick is not None:
                tick()
        return read
