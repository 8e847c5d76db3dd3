"""Answers that hold something until they are sent: it is let go of, whatever the client does."""

from collections.abc import AsyncGenerator
from typing import ClassVar

import anyio
import pytest
from starlette.types import Message

from service.web.closing_response import BegunPieces, ClosingResponse


class Impatient(ClosingResponse):
    silent_seconds: ClassVar[float] = 0.05


class Held:
    """Three pieces; knows whether it was let go of."""

    def __init__(self) -> None:
        self.held = False

    async def pieces(self) -> AsyncGenerator[bytes]:
        self.held = True
        try:
            for piece in (b"a", b"b", b"c"):
                yield piece
        finally:
            self.held = False


async def answer(response: ClosingResponse, sent: list[Message], *, takes: int, leaves: bool = False) -> None:
    """Run the answer for a client that takes so many messages, and then nothing, or leaves."""

    async def send(message: Message) -> None:
        if len(sent) == takes and not leaves:
            await anyio.sleep_forever()
        sent.append(message)

    async def receive() -> Message:
        while not (leaves and len(sent) >= takes):
            await anyio.lowlevel.checkpoint()
        return {"type": "http.disconnect"}

    await response({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)


@pytest.mark.parametrize(("takes", "leaves"), [(9, False), (0, False), (2, False), (2, True)])
def test_the_pieces_are_closed_whether_the_client_takes_all_nothing_or_leaves(
    takes: int, leaves: bool
) -> None:
    async def scenario() -> None:
        held, sent = Held(), list[Message]()
        pieces = await BegunPieces(held.pieces()).begin(2)
        assert held.held

        await answer(Impatient(pieces, media_type="text/plain"), sent, takes=takes, leaves=leaves)

        assert not held.held
        if takes == 9:
            assert b"".join(message.get("body", b"") for message in sent) == b"abc"
            assert sent[-1]["more_body"] is False

    anyio.run(scenario)


def test_fewer_pieces_than_are_to_be_begun_are_all_there() -> None:
    async def scenario() -> list[bytes]:
        return [piece async for piece in await BegunPieces(Held().pieces()).begin(5)]

    assert anyio.run(scenario) == [b"a", b"b", b"c"]
