"""Design of a sample of cases for people to read: strata, how many of each, and which.

Strata are parts of the list in its order. Where discrepancies are likely, few cases hold many of them; where
they are unlikely, many cases hold few, and those are the ones that nobody reads else. Neyman's allocation (J
R Stat Soc 1934;97:558-625) reads most where the share of discrepancies is least certain; no stratum goes
without reads.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.errors import ConfigurationError

SHARES = (0.01, 0.05, 0.10, 0.25, 0.50, 1.0)
"""Ends of the strata, as shares of the list from its head."""

LEAST_READS = 10  # of a stratum, or all of it
_LEAST_PROBABILITY = 0.001  # a stratum is never taken for free of discrepancies


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStratum:
    """A part of the list, and how many of its cases are to be read."""

    name: str  # such as "1-5 %"
    rows: NDArray[np.intp]  # places of its cases in the list
    expected: float  # mean probability of a discrepancy, as the list says
    reads: int


def strata_of(probabilities: NDArray[np.float64], shares: Sequence[float] = SHARES) -> list[PlannedStratum]:
    """Return the parts of a list, none of them to be read yet; a part without a case is left out.

    Args:
        probabilities: (cases,) of a discrepancy, in the order of the list.
        shares: ends of the parts, growing, the last 1.

    Raises:
        ConfigurationError: the shares do not grow to 1, or the list is empty.
    """
    if not len(probabilities):
        raise ConfigurationError("the list is empty")
    if list(shares) != sorted(set(shares)) or not shares[0] > 0 or shares[-1] != 1.0:
        raise ConfigurationError("the ends of the strata must grow from above 0 to 1, such as 0.05 0.25 1")
    ends = [round(share * len(probabilities)) for share in shares]
    found, start, begin = [], 0, 0.0
    for share, end in zip(shares, ends, strict=True):
        if end > start:
            rows = np.arange(start, end)
            expected = float(np.nanmean(np.clip(probabilities[rows], 0.0, 1.0)))
            name = f"{100 * begin:g}-{100 * share:g} %"
            found.append(PlannedStratum(name=name, rows=rows, expected=expected, reads=0))
        start, begin = max(start, end), share
    return found


def allocate(strata: Sequence[PlannedStratum], reads: int) -> list[PlannedStratum]:
    """Return the strata with so many reads in all, at least `LEAST_READS` of each.

    Raises:
        ConfigurationError: that is too few for the number of strata, or more than there are cases.
    """
    sizes = np.array([len(stratum.rows) for stratum in strata])
    least = np.minimum(sizes, LEAST_READS)
    if not least.sum() <= reads <= sizes.sum():
        raise ConfigurationError(
            f"{reads} reads: at least {least.sum()} are needed for {len(strata)} strata, and there are "
            f"{sizes.sum()} cases"
        )
    expected = np.clip([stratum.expected for stratum in strata], _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    wanted = sizes * np.sqrt(expected * (1 - expected))
    given = least.copy()
    while (left := reads - int(given.sum())) > 0:
        open_ = given < sizes
        parts = np.where(open_, wanted, 0.0)
        more = np.minimum(np.floor(left * parts / parts.sum()).astype(int), sizes - given)
        if not more.any():  # fewer reads are left than strata: to the largest parts
            more[np.argsort(-parts, kind="stable")[:left]] = 1
            more = np.minimum(more, sizes - given)
        given += more
    return [
        PlannedStratum(name=item.name, rows=item.rows, expected=item.expected, reads=int(count))
        for item, count in zip(strata, given, strict=True)
    ]


def draw(strata: Sequence[PlannedStratum], *, seed: int) -> NDArray[np.intp]:
    """Return the places in the list of the cases to be read, in an order that tells nothing of them."""
    random = np.random.default_rng(seed)
    chosen = [random.choice(stratum.rows, size=stratum.reads, replace=False) for stratum in strata]
    places: NDArray[np.intp] = np.concatenate(chosen)
    random.shuffle(places)
    return places


def expected_half_width(strata: Sequence[PlannedStratum]) -> float:
    """Return the expected half width of a 95 % interval of the rate, as far as the list is right."""
    cases = sum(len(stratum.rows) for stratum in strata)
    variance = 0.0
    for stratum in strata:
        size, reads = len(stratum.rows), stratum.reads
        if 0 < reads < size:
            spread = stratum.expected * (1 - stratum.expected)
            variance += (size / cases) ** 2 * spread / reads * (size - reads) / max(size - 1, 1)
    return 1.96 * math.sqrt(variance)


def reads_for(strata: Sequence[PlannedStratum], half_width: float) -> int:
    """Return how many reads are expected to bring the interval of the rate to this half width, or narrower.

    Raises:
        ConfigurationError: the width is not above 0.
    """
    if not half_width > 0:
        raise ConfigurationError("the interval must have a width above 0")
    least = sum(min(len(stratum.rows), LEAST_READS) for stratum in strata)
    most = sum(len(stratum.rows) for stratum in strata)
    while least < most:
        middle = (least + most) // 2
        if expected_half_width(allocate(strata, middle)) <= half_width:
            most = middle
        else:
            least = middle + 1
    return least
