"""Tries again what cannot be stored now, for a while: an import of hours must not end by one busy moment."""

from collections.abc import Callable
from typing import TypeVar

from overread.errors import OutOfResourcesError

PAUSES_SECONDS = (1.0, 2.0, 5.0, 15.0, 30.0)

T = TypeVar("T")


def patiently(work: Callable[[], T], pause: Callable[[float], object]) -> T:
    """Return what `work` returns; it is done again after growing pauses while there is no room.

    Raises:
        OutOfResourcesError: there is no room after the last pause either.
    """
    for seconds in PAUSES_SECONDS:
        try:
            return work()
        except OutOfResourcesError:
            pause(seconds)
    return work()
