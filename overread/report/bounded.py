"""A list that keeps its first items and counts the others."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class BoundedList(list[T]):
    """List of at most `most` items when filled with `add`; `left_out` counts what it had no room for."""

    def __init__(self, most: int) -> None:
        """Begin empty."""
        super().__init__()
        self.most = most
        self.left_out = 0

    def add(self, items: Sequence[T]) -> None:
        """Append as many of the items as there is room for, and count the others."""
        room = self.most - len(self)
        if len(items) <= room:
            self += items
        else:
            self += items[:room]
            self.left_out += len(items) - room
