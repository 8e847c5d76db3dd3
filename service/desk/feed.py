"""Feed of the list: tells open pages what changed, by server-sent events (HTML Living Standard 9.2).

One task of the process reads the history of the cases while somebody listens, however many do. A stream ends
after a while, since the service's time limit holds for it too, and the browser opens the next; with the
number that the browser repeats then, it is told what it missed. A stream ends with its session.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from starlette.concurrency import run_in_threadpool

from overread.errors import OutOfResourcesError
from service.store.database import Store
from service.store.list_changes import ListChange, Mark, changes_since, mark_now
from service.store.worklist_records import Claim
from service.web.context import Clock

POLL_SECONDS = 1.0
BEAT_SECONDS = 5.0  # after which a silent stream is written to, and its session is looked at
STREAM_SECONDS = 45.0  # shorter than the time limit of the service
RETRY_MILLISECONDS = 1000
_KEPT = 300  # changes that a stream may be behind

IsAllowed = Callable[[], bool]
"""Whether who listens may still do so; may take a moment, and is asked in a thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """One change, as it is sent."""

    number: int
    change: ListChange


class FeedStream:
    """One stream of a feed; it counts until it is closed."""

    def __init__(self, pieces: AsyncGenerator[bytes], leave: Callable[[], None]) -> None:
        """Hold what makes the pieces, and what is to be called once at the end."""
        self._pieces = pieces
        self._leave: Callable[[], None] | None = leave

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece."""
        return await anext(self._pieces)

    async def aclose(self) -> None:
        """End the stream, also one that has not begun."""
        await self._pieces.aclose()
        if self._leave is not None:
            self._leave()
            self._leave = None


class ListFeed:
    """Tells streams what changed. For one event loop."""

    def __init__(self, *, connections_max: int) -> None:
        """Tell nothing yet.

        Args:
            connections_max: streams at once; further ones are turned away.
        """
        self._connections_max = connections_max
        self._streams = 0
        self._mark = Mark(last=0, seen=frozenset())
        self._told: deque[_Told] = deque(maxlen=_KEPT)
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def streams(self) -> int:
        """Streams that are open."""
        return self._streams

    async def open(
        self,
        store: Store,
        clock: Clock,
        *,
        sites: Collection[str] | None,
        last_seen: int | None,
        is_allowed: IsAllowed,
    ) -> FeedStream:
        """Return a stream, which counts until it is closed.

        Args:
            store: whose list it is, with the cases of every site.
            clock: tells the time.
            sites: whose cases who listens may see; None: of all.
            last_seen: number of the last change that the browser was told; None: it opens its first stream.
            is_allowed: whether who listens may still do so.

        Raises:
            OutOfResourcesError: too many are open, or the store is not available.
        """
        if self._streams >= self._connections_max:
            raise OutOfResourcesError("too many pages are kept up to date already; this one is not, for now")
        self._streams += 1
        try:
            if self._task is None:
                self._mark = await run_in_threadpool(mark_now, store)
                self._task = self._task or asyncio.create_task(self._read_on(store, clock))
        except OutOfResourcesError:
            self._leave()
            raise
        return FeedStream(self._stream(sites, last_seen, is_allowed), self._leave)

    async def _stream(
        self, sites: Collection[str] | None, last_seen: int | None, is_allowed: IsAllowed
    ) -> AsyncGenerator[bytes]:
        seen = start = self._mark.last
        yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
        yield _piece("begun" if last_seen is None or last_seen == start else "list", {}, start)
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + STREAM_SECONDS
        while loop.time() < ends_at and await run_in_threadpool(is_allowed):
            newer = self._newer(seen) or await self._wait_for_newer(seen)
            for told in newer:
                for piece in _pieces(told.change, sites):
                    yield piece
            seen = newer[-1].number if newer else seen
            if not newer:
                yield b": still here\n\n"

    def _newer(self, seen: int) -> list[_Told]:
        return [told for told in self._told if told.number > seen]

    async def _wait_for_newer(self, seen: int) -> list[_Told]:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), BEAT_SECONDS)
        return self._newer(seen)

    def _leave(self) -> None:
        self._streams -= 1
        if self._streams == 0 and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _read_on(self, store: Store, clock: Clock) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                change = await run_in_threadpool(changes_since, store, self._mark, now=clock())
            except OutOfResourcesError:
                continue  # the pages say that they are not up to date when they ask for the list
            self._publish(change)

    def _publish(self, change: ListChange) -> None:
        self._mark = change.mark
        if change.hands or change.is_changed:
            number = max(change.mark.last, self._told[-1].number + 1 if self._told else 0)
            self._told.append(_Told(number=number, change=change))
            self._news.set()
            self._news = asyncio.Event()


def _pieces(change: ListChange, sites: Collection[str] | None) -> tuple[bytes, ...]:
    hands = {
        str(case_id): _holder(claim)
        for case_id, claim in change.hands.items()
        if sites is None or change.sites.get(case_id) in sites
    }
    return (
        *((_piece("hands", hands, change.mark.last),) if hands else ()),
        *((_piece("list", {}, change.mark.last),) if change.is_changed else ()),
    )


def _holder(claim: Claim | None) -> Mapping[str, str] | None:
    if claim is None:
        return None
    return {"name": claim.holder.display_name, "identifier": claim.holder.identifier}


def _piece(name: str, value: object, number: int) -> bytes:
    return f"event: {name}\nid: {number}\ndata: {json.dumps(value, separators=(',', ':'))}\n\n".encode()
