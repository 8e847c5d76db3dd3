"""Limits of how many of a finite number of cases are of a kind, when a random part of them was looked at.

The count among the cases looked at is hypergeometric, whatever made the cases as they are. The limits are the
exact ones, in the manner of Clopper and Pearson (Biometrika 1934;26:404-413): approximate limits of single
strata made sums of rare findings hold the truth too seldom.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from overread.statistics import CONFIDENCE


def limits(found: int, read: int, size: int) -> tuple[int, int]:
    """Return the least and the most cases of the kind among all, with 95 % confidence.

    Args:
        found: of the kind, among those looked at.
        read: looked at, at least 1.
        size: in all.
    """
    least, most = found, size - (read - found)  # what was seen is certain
    tail = (1 - CONFIDENCE) / 2
    low = _first(least, most, lambda of_kind: 1 - _at_most(found - 1, read, size, of_kind) > tail)
    high = _first(low, most, lambda of_kind: _at_most(found, read, size, of_kind) <= tail)
    if high > low and _at_most(found, read, size, high) <= tail:
        high -= 1
    return low, high


def _first(least: int, most: int, holds: Callable[[int], bool]) -> int:
    """Return the first number for which something holds that holds for all after it, or `most`."""
    while least < most:
        middle = (least + most) // 2
        if holds(middle):
            most = middle
        else:
            least = middle + 1
    return least


def _at_most(found: int, read: int, size: int, of_kind: int) -> float:
    """Return the chance of finding at most so many, where so many are of the kind."""
    counts = np.arange(max(0, read - (size - of_kind)), min(found, of_kind) + 1)
    if not len(counts):
        return 0.0
    logs = _log_choose(of_kind, counts) + _log_choose(size - of_kind, read - counts)
    return float(min(np.exp(logs - _log_choose(size, np.array([read]))).sum(), 1.0))


def _log_choose(whole: int, part: NDArray[np.intp]) -> NDArray[np.float64]:
    table = _log_factorials(1 << max(whole, 1).bit_length())
    chosen: NDArray[np.float64] = table[whole] - table[part] - table[whole - part]
    return chosen


@lru_cache(maxsize=4)
def _log_factorials(size: int) -> NDArray[np.float64]:
    """Return the logarithms of 0! to (size)!."""
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, size + 1)))])
