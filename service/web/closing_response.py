"""Answers that are sent piece by piece, and end what makes the pieces whatever happens to the client."""

from collections import deque
from collections.abc import AsyncGenerator, Mapping
from typing import ClassVar, Protocol, Self

from anyio import CancelScope, move_on_after
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send


class _SilentClientError(Exception):
    """The client takes nothing."""


class Pieces(Protocol):
    """Makes the pieces of an answer, and holds what it needs for them until it is closed."""

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> bytes: ...

    async def aclose(self) -> None:
        """Let go of everything."""


class BegunPieces:
    """Pieces of which the first have been made, so that an error still finds a status."""

    def __init__(self, pieces: AsyncGenerator[bytes]) -> None:
        """Make nothing yet."""
        self._made: deque[bytes] = deque()
        self._rest = pieces

    async def begin(self, count: int) -> Self:
        """Return itself when the first so many pieces have been made, or all where there are fewer."""
        while len(self._made) < count and (piece := await anext(self._rest, None)) is not None:
            self._made.append(piece)
        return self

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece."""
        return self._made.popleft() if self._made else await anext(self._rest)

    async def aclose(self) -> None:
        """Close what makes the pieces."""
        await self._rest.aclose()


class ClosingResponse(StreamingResponse):
    """An answer that closes its pieces when it has been sent, the client has gone, or takes nothing more."""

    silent_seconds: ClassVar[float] = 60.0  # for which a client may take nothing of what is sent to it

    def __init__(
        self,
        pieces: Pieces,
        *,
        status_code: int = 200,
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(pieces, status_code=status_code, media_type=media_type, headers=headers)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""

        async def send_in_time(message: Message) -> None:
            with move_on_after(self.silent_seconds) as waiting:
                await send(message)
            if waiting.cancelled_caught:
                raise _SilentClientError

        try:
            await super().__call__(scope, receive, send_in_time)
        except _SilentClientError:
            return  # the server closes the connection of an answer that ends early
        finally:
            with CancelScope(shield=True):
                await self._pieces.aclose()
