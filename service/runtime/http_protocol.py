"""HTTP/1.1 of uvicorn with what it lacks: a time limit for the head of a request, room for new senders."""

import asyncio
from typing import ClassVar

import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

_log = structlog.get_logger("overread.http")
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)


class TimedHeadProtocol(H11Protocol):
    """Closes a connection whose next request has not begun in time: silent from the start, or half a head.

    Between two requests the shorter limit of uvicorn's keep-alive stands beside it. A body has no limit here,
    but where every place is taken, the connection that was silent for the longest and has never sent a whole
    request makes room for a new one; if there is none, one that rests between two requests.
    """

    head_seconds: ClassVar[float] = 15.0
    connections_max: ClassVar[int] = 512
    patience_seconds: ClassVar[float] = 1.0  # of silence, before which no connection is closed to make room
    _head_timer: asyncio.TimerHandle | None = None
    _heard_at = 0.0
    _has_spoken = False  # a whole request has come

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request, if there is room."""
        super().connection_made(transport)
        self._heard_at = self.loop.time()
        if self._find_room():
            self._wait_for_head()
        else:
            _log.warning("connection_refused", reason="too many connections")
            transport.write(_BUSY)
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Take what arrived, and wait for the rest of a head where no request is being answered."""
        self._heard_at = self.loop.time()
        super().data_received(data)
        self._has_spoken = self._has_spoken or (self.cycle is not None and not self.cycle.more_body)
        if self._is_answering():
            self._stop_waiting()
        elif self._head_timer is None:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _find_room(self) -> bool:
        """Close a silent connection if all places are taken; return whether there is one for this."""
        if len(self.connections) <= self.connections_max:
            return True
        others = [
            each
            for each in self.connections
            if isinstance(each, TimedHeadProtocol) and each is not self and not each.transport.is_closing()
        ]
        if len(others) < self.connections_max:
            return True
        going = [each for each in others if each._may_go()]
        if not going:
            return False
        silent = min(going, key=lambda each: (each._has_spoken, each._heard_at))
        _log.warning("connection_closed", reason="silent, to make room")
        silent.transport.close()
        return True

    def _may_go(self) -> bool:
        """Whether this is silent, and no request of it is being answered that came whole."""
        is_silent = self.loop.time() - self._heard_at >= self.patience_seconds and not self.flow.read_paused
        return is_silent and not (self._has_spoken and self._is_answering())

    def _is_answering(self) -> bool:
        """Whether a request has begun whose answer is not complete."""
        cycle = self.cycle
        return cycle is not None and not cycle.response_complete

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self._close_unless_answering)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _close_unless_answering(self) -> None:
        self._head_timer = None
        upgraded = self.transport.get_protocol() is not self
        if not upgraded and not self._is_answering() and not self.transport.is_closing():
            self.transport.close()


def bounded_protocol(connections_max: int) -> type[TimedHeadProtocol]:
    """Return the protocol of a server with so many places."""

    class BoundedProtocol(TimedHeadProtocol):
        """The protocol with the places of this server."""

    BoundedProtocol.connections_max = connections_max
    return BoundedProtocol
