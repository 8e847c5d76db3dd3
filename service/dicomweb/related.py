"""Bodies of `multipart/related` (RFC 2387, PS3.18 section 8.6.1.2), sent part by part at flat memory."""

from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part; its content is made when it is sent."""

    media_type: str  # with its parameters
    location: str
    content: AsyncGenerator[bytes]
    size_bytes: int | None = None  # None where it is not known beforehand


class RelatedBody:
    """The parts of one answer. `size_bytes` is None where one of theirs is not known."""

    def __init__(self, media_type: str, parts: Iterable[Part]) -> None:
        """Take the parts.

        Args:
            media_type: of them.
            parts: they; what gives them anew each time that they are gone through, if not a sequence.
        """
        self._boundary = uuid4().hex  # of random digits: no part can hold it by chance or on purpose
        self._parts = parts
        self.content_type = f'multipart/related; type="{media_type}"; boundary={self._boundary}'

    @property
    def size_bytes(self) -> int | None:
        """Length of the whole body."""
        total = len(self._end())
        for part in self._parts:
            if part.size_bytes is None:
                return None
            total += len(self._head(part)) + part.size_bytes
        return total

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Yield the body."""
        for part in self._parts:
            yield self._head(part)
            async with aclosing(part.content) as content:
                async for piece in content:
                    yield piece
        yield self._end()

    def _head(self, part: Part) -> bytes:
        length = "" if part.size_bytes is None else f"Content-Length: {part.size_bytes}\r\n"
        lines = f"Content-Type: {part.media_type}\r\nContent-Location: {part.location}\r\n{length}"
        return f"\r\n--{self._boundary}\r\n{lines}\r\n".encode()

    def _end(self) -> bytes:
        return f"\r\n--{self._boundary}--\r\n".encode()


def file_pieces(path: Path, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """Yield a range of a file; an `end` of None is that of the file."""
    with path.open("rb") as file:
        file.seek(start)
        while end is None or start < end:
            piece = file.read(PIECE_BYTES if end is None else min(PIECE_BYTES, end - start))
            if not piece:
                return
            start += len(piece)
            yield piece
