"""Where an HTTP process has pictures and plain pixels made: by children, within a budget, behind a cache.

A request first takes a share of the budget, as large as the header of its image makes necessary; then a child
may take as much memory as that share and no more. So all that is decoded at once, and all that waits to be
sent, stays within the budget, whatever arrives.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar

from anyio import CapacityLimiter
from fastapi import Request

from overread.errors import (
    LostProcessError,
    OutOfResourcesError,
    OverLimitError,
    RemovedError,
    UndecodablePixelsError,
)
from service.confined.limits import Limits
from service.confined.pool import ConfinedPool
from service.pictures.cache import PictureCache
from service.pictures.child import make_decoder
from service.pictures.decoder import Decoder
from service.pictures.form import ImageForm, read_form
from service.store.records import InstanceRecord
from service.web.archive_threads import ArchiveThreads, run
from service.web.budget import Budget, Share
from service.web.settings import WebSettings

Params = ParamSpec("Params")
Result = TypeVar("Result")

WALL_SECONDS = 60.0  # of one frame; on a busy machine a child waits for its turn
CPU_SECONDS = 30.0
PIECE_BYTES = 1 << 18  # of what is in memory, sent at once


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureOrder:
    """A picture that a request asks for."""

    record: InstanceRecord
    name: str  # of the picture among those of the image: which part of it, and how it is drawn
    draw: Callable[[Decoder, Path], bytes]  # in a child, so it can be pickled
    more_bytes: Callable[[ImageForm], int] = lambda _: 0  # memory that it takes beyond the decoding


class HeldContent:
    """Bytes in pieces, whose share of the budget is given back when they have been sent, or will not be."""

    def __init__(self, content: bytes, share: Share) -> None:
        """Take over the share."""
        share.keep(len(content))
        self._share = share
        self._pieces = pieces_of(content)
        self.size_bytes = len(content)

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece."""
        for piece in self._pieces:
            return piece
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Give the share back."""
        self._share.keep(0)


class PictureRoom:
    """The children, the budget and the cache of one process; a context manager that ends the children."""

    def __init__(self, settings: WebSettings, threads: ArchiveThreads) -> None:
        """Start nothing yet."""
        self.budget = Budget(
            settings.picture_bytes_max, waiting_max=settings.pictures_waiting_max, what="pictures"
        )
        self.cache = PictureCache(settings.picture_cache_bytes, time.monotonic)
        self._reading = threads.reading
        self._decoding = CapacityLimiter(settings.archive_decoders)
        self._pool = ConfinedPool(
            partial(make_decoder, settings.picture_bytes_max),
            what="the decoding of an image",
            size=settings.archive_decoders,
        )

    def __enter__(self) -> Self:
        """Start nothing yet; children are started when they are needed."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the children."""
        self._pool.close()

    async def picture(self, order: PictureOrder) -> HeldContent:
        """Return a picture, drawn or from the cache.

        Raises:
            RemovedError: the pixels were removed on purpose.
            OverLimitError: the image alone takes more than the whole budget.
            OutOfResourcesError: too many requests wait, or the bytes cannot be had now.
            UndecodablePixelsError: its pixels cannot be decoded.
        """
        record, name = order.record, f"{order.record.sha256} {order.name}"
        self.require_kept(record)
        content = self.cache.get(name)
        if content is not None:
            return HeldContent(content, await self.budget.take(len(content)))
        path, form = await self.look_at(record)
        with ExitStack() as on_error:
            share = on_error.enter_context(await self.hold(form, more_bytes=order.more_bytes(form)))
            content = self.cache.get(name)  # another request may have had it drawn meanwhile
            if content is None:
                content = await self.call(share, order.draw, path)
                self.cache.put(name, content, sha256=record.sha256)
            on_error.pop_all()
            return HeldContent(content, share)

    def require_kept(self, record: InstanceRecord) -> None:
        """Return if the pixels of an instance were not removed on purpose; else no picture of it is kept.

        Raises:
            RemovedError: they were.
        """
        if record.removal is not None:
            self.cache.forget(record.sha256)
            raise RemovedError(record.removal)

    async def look_at(self, record: InstanceRecord) -> tuple[Path, ImageForm]:
        """Return the file of an instance, and the form of its image.

        Raises:
            RemovedError, NotFoundError, OutOfResourcesError: the bytes cannot be had.
            InvalidDicomError: it cannot be read as DICOM.
        """
        path = await run(self._reading, lambda: record.path)
        return path, await run(self._reading, lambda: read_form(path))

    async def hold(self, form: ImageForm, *, more_bytes: int = 0, under_way: bool = False) -> Share:
        """Return the share of the budget that decoding a frame takes; see `Budget.take`.

        Raises:
            OverLimitError: it is more than the whole budget.
            OutOfResourcesError: too many requests wait.
        """
        needed = form.memory_bytes + more_bytes
        if needed > self.budget.total:
            raise OverLimitError(
                f"an image of {form.rows} x {form.columns} pixels takes up to {needed >> 20} MiB of memory; "
                f"{self.budget.total >> 20} MiB are the limit (OVERREAD_PICTURE_BYTES_MAX)",
                limit="picture_bytes",
            )
        return await self.budget.take(needed, under_way=under_way)

    async def call(
        self,
        share: Share,
        function: Callable[Concatenate[Decoder, Params], Result],
        /,
        *args: Params.args,
        **kwargs: Params.kwargs,
    ) -> Result:
        """Return what a function gives in a child that may take as much memory as the share.

        Raises:
            OverLimitError: it took more of memory or processor time.
            UndecodablePixelsError: the decoder crashed.
            OutOfResourcesError: the machine is too busy for it, or no process can be started.
            Exception: what the function raises.
        """
        limits = Limits(
            wall_seconds=WALL_SECONDS,
            cpu_seconds=CPU_SECONDS,
            memory_bytes=share.amount,
            answer_bytes=share.amount,
        )
        work = partial(self._pool.call, limits, function, *args, **kwargs)
        try:
            return await run(self._decoding, work)
        except OverLimitError as error:
            if error.limit == "wall_seconds":
                raise OutOfResourcesError(f"{error}; the machine is busy, try again later") from error
            raise
        except LostProcessError as error:
            raise UndecodablePixelsError(f"{error}; retrieve the object as it is stored") from error


def room_of(request: Request) -> PictureRoom:
    """Return the room of the application that answers the request."""
    room: PictureRoom = request.app.state.pictures
    return room


def pieces_of(content: bytes) -> Iterator[bytes]:
    """Yield the bytes in pieces, so that a slow client makes no second copy of them all."""
    for start in range(0, len(content), PIECE_BYTES):
        yield content[start : start + PIECE_BYTES]
