"""Yield of flags: how many discrepancies two sets of flags of the same cases hold, and what a read finds.

What was read for certain is known. The others of a part of the list are estimated from its reads of known
chance, each weighed by the inverse of that chance (Hajek), with Wilson's interval and as many reads as carry
the same knowledge (Kish, by patient). Parts are joined by variance recovery (Zou and Donner, Stat Med
2008;27:1693-1702; for ratios Donner and Zou, Stat Methods Med Res 2012;21:347-359): what both sets flag
is in either, and takes no part in their difference.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.statistics import Estimate, share_limits

Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadCases:
    """Cases of a period with what second reads found."""

    patients: NDArray[np.intp]  # (cases,) number of the patient
    read: Booleans  # (cases,)
    found: Booleans  # (cases,) a discrepancy was confirmed
    chance: NDArray[np.float64]  # (cases,) of being read; NaN where nobody knows


@dataclass(frozen=True, slots=True, kw_only=True)
class PartYield:
    """Discrepancies of a part of the cases; `confirmed` is None where no read says anything of it."""

    cases: int
    read: int
    found: int
    confirmed: Estimate | None  # number of cases with a discrepancy; n is the reads
    is_alike: bool  # the unread were taken to be like those read, since no read has a chance below 1


def part_yield(cases: ReadCases, part: Booleans) -> PartYield:
    """Return how many discrepancies a part of the cases holds."""
    read = part & cases.read
    certain = read & ~(cases.chance < 1)
    by_chance = read & (cases.chance < 1)
    rest = int((part & ~certain).sum())
    known = float(cases.found[certain].sum())
    basis = by_chance if by_chance.any() else certain
    confirmed = None
    if rest == 0:
        confirmed = Estimate(value=known, low=known, high=known, n=int(read.sum()))
    elif basis.any():
        share, low, high = _share(cases, basis)
        confirmed = Estimate(
            value=known + rest * share, low=known + rest * low, high=known + rest * high, n=int(read.sum())
        )
    return PartYield(
        cases=int(part.sum()),
        read=int(read.sum()),
        found=int((read & cases.found).sum()),
        confirmed=confirmed,
        is_alike=bool(rest and confirmed is not None and not by_chance.any()),
    )


def total(first: Estimate, second: Estimate) -> Estimate:
    """Return the sum of two independent numbers with its interval."""
    ends = (second.low, second.value, second.high)
    return _joined(first.value + second.value, first, ends, first.n + second.n)


def lead(later: Estimate, earlier: Estimate) -> Estimate:
    """Return by how much one number exceeds another that is independent of it, with its interval."""
    turned = (-earlier.high, -earlier.value, -earlier.low)
    return _joined(later.value - earlier.value, later, turned, later.n + earlier.n)


def reads_per_confirmed(flagged: int, confirmed: Estimate) -> Estimate:
    """Return how many flagged cases are read for each with a discrepancy; infinite where none may be."""
    ends = [flagged / number if number > 0 else math.inf for number in (confirmed.high, confirmed.low)]
    value = flagged / confirmed.value if confirmed.value > 0 else math.inf
    return Estimate(value=value, low=ends[0], high=ends[1], n=confirmed.n)


def _joined(value: float, one: Estimate, other: tuple[float, float, float], n: int) -> Estimate:
    low = math.hypot(one.value - one.low, other[1] - other[0])
    high = math.hypot(one.high - one.value, other[2] - other[1])
    return Estimate(value=value, low=value - low, high=value + high, n=n)


def _share(cases: ReadCases, basis: Booleans) -> tuple[float, float, float]:
    weights = 1 / np.where(np.isnan(cases.chance[basis]), 1.0, cases.chance[basis])
    share = float((weights * cases.found[basis]).sum() / weights.sum())
    by_patient = np.bincount(cases.patients[basis], weights)
    low, high = share_limits(share, float(weights.sum() ** 2 / (by_patient**2).sum()))
    return share, low, high
