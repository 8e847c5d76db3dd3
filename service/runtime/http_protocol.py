"""HTTP/1.1 of uvicorn with a time limit for the head of a request, which uvicorn has none for."""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol


class TimedHeadProtocol(H11Protocol):
    """Closes a connection whose next request has not begun in time: silent from the start, or half a head.

    Between two requests the shorter limit of uvicorn's keep-alive stands beside it. A body has no limit here.
    """

    head_seconds: ClassVar[float] = 15.0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Take what arrived, and wait for the rest of a head where no request is being answered."""
        super().data_received(data)
        if self._is_answering():
            self._stop_waiting()
        elif self._head_timer is None:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

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
