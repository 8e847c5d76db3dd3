"""Threads for those who read from the archive, apart from those that write, and those that make pages.

A process has few threads for blocking work. Searching, reading and rendering have their own share of them, so
that no number of viewers keeps a sender or a page waiting.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import TypeVar

from anyio import CancelScope, CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request

from service.web.settings import WebSettings

Result = TypeVar("Result")

_WRITERS = 40  # as many as a process has for everything else


class ArchiveThreads:
    """The limits of one application."""

    def __init__(self, settings: WebSettings) -> None:
        self.reading = CapacityLimiter(settings.archive_readers)
        self.writing = CapacityLimiter(_WRITERS)  # what arrives, report objects read to their text included


def threads_of(request: Request) -> ArchiveThreads:
    """Return the limits of the application that answers the request."""
    threads: ArchiveThreads = request.app.state.archive_threads
    return threads


async def run(limiter: CapacityLimiter, work: Callable[[], Result]) -> Result:
    """Return what the work gives, done in a thread.

    Whoever is cancelled meanwhile is so only when the work has ended: what it holds is held for the thread.
    """
    async with limiter:
        doing = asyncio.ensure_future(run_sync(work, limiter=CapacityLimiter(1)))
        try:
            return await asyncio.shield(doing)
        except asyncio.CancelledError:
            with CancelScope(shield=True):
                await asyncio.wait({doing})
            doing.exception()  # nobody is told of it any more
            raise


async def stream(limiter: CapacityLimiter, pieces: Iterator[bytes]) -> AsyncGenerator[bytes]:
    """Yield the pieces, each made in a thread when the one before it has been sent."""
    while (piece := await run(limiter, lambda: next(pieces, None))) is not None:
        yield piece
