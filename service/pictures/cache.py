"""Pictures that were drawn, kept in memory for a while: a film is looked at by several people, and again."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

SECONDS_KEPT = 900.0
"""As long as a picture stays at most, so that no pixels outlast their removal for longer."""


@dataclass(frozen=True, slots=True)
class _Kept:
    content: bytes
    sha256: str
    until: float


class PictureCache:
    """The pictures that were used last, up to a number of bytes. For one event loop.

    Whoever asks has seen in the database that the pixels are kept: what was removed is not asked for here.
    """

    def __init__(self, bytes_max: int, clock: Callable[[], float]) -> None:
        """Keep nothing yet.

        Args:
            bytes_max: of all pictures together; 0 keeps none.
            clock: gives seconds that only grow.
        """
        self._bytes_max = bytes_max
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self.size_bytes = 0

    def get(self, name: str) -> bytes | None:
        """Return the picture of that name, None where it is not kept."""
        self._forget_old()
        kept = self._kept.get(name)
        if kept is None:
            return None
        self._kept.move_to_end(name)
        return kept.content

    def put(self, name: str, content: bytes, *, sha256: str) -> None:
        """Keep a picture in place of those that were not used for longest.

        Args:
            name: says what image, which part of it, and how it is drawn.
            content: the picture.
            sha256: of the image.
        """
        self._forget_old()
        self._forget(name)
        if len(content) > self._bytes_max:
            return
        while self.size_bytes + len(content) > self._bytes_max:
            self._forget(next(iter(self._kept)))
        self._kept[name] = _Kept(content, sha256, self._clock() + SECONDS_KEPT)
        self.size_bytes += len(content)

    def forget(self, sha256: str) -> None:
        """Drop every picture of an image."""
        for name in [name for name, kept in self._kept.items() if kept.sha256 == sha256]:
            self._forget(name)

    def _forget_old(self) -> None:
        now = self._clock()
        for name in [name for name, kept in self._kept.items() if kept.until <= now]:
            self._forget(name)

    def _forget(self, name: str) -> None:
        kept = self._kept.pop(name, None)
        if kept is not None:
            self.size_bytes -= len(kept.content)
