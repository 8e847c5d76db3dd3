"""Estimates from a stratified random sample of an archive that was read in part.

The quantities are of the archive itself, a finite population: sampling without replacement within strata is
the only randomness, so that cases of one patient, reader or site may be as alike as they like. The total of
each stratum is weighted by the inverse of its selection probability (Horvitz and Thompson, JASA
1952;47:663-685). Discrepancies are rare, and intervals by the normal distribution fail for them: each
stratum gets exact limits of the hypergeometric distribution, and sums and ratios recover their variance
from them (MOVER: Zou and Donner, Stat Med 2008;27:1693-1702; of a ratio: Donner and Zou, Stat Methods
Med Res 2012;21:347-359).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from overread.audit.hypergeometric import limits
from overread.errors import InputError
from overread.statistics import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """Cases of an archive that were sampled with one probability, and what the reads of them found."""

    name: str
    size: int  # cases of the archive
    read: int  # of them, chosen at random
    found: int  # of those that were read, with a confirmed discrepancy

    @property
    def share(self) -> Estimate:
        """Share of its cases with a discrepancy; of a stratum that was read whole it is known."""
        low, high = limits(self.found, self.read, self.size)
        return Estimate(value=self.found / self.read, low=low / self.size, high=high / self.size, n=self.read)


def total(strata: Sequence[Stratum]) -> Estimate:
    """Return how many cases of these strata have a discrepancy.

    Raises:
        InputError: a stratum was not read at all.
    """
    for stratum in strata:
        if stratum.read == 0:
            raise InputError(
                f"none of the {stratum.size} cases of stratum {stratum.name!r} was read, so that nothing can "
                "be said of the whole; read a few of them"
            )
    shares = [stratum.share for stratum in strata]
    value = math.fsum(stratum.size * share.value for stratum, share in zip(strata, shares, strict=True))
    below = math.sqrt(
        math.fsum((s.size * (share.value - share.low)) ** 2 for s, share in zip(strata, shares, strict=True))
    )
    above = math.sqrt(
        math.fsum((s.size * (share.high - share.value)) ** 2 for s, share in zip(strata, shares, strict=True))
    )
    found = sum(stratum.found for stratum in strata)
    return Estimate(
        value=value,
        low=max(value - below, found),
        high=min(value + above, sum(stratum.size for stratum in strata)),
        n=sum(stratum.read for stratum in strata),
    )


def rate(strata: Sequence[Stratum]) -> Estimate:
    """Return the share of the cases of these strata that have a discrepancy.

    Raises:
        InputError: there is no case, or a stratum was not read at all.
    """
    cases = sum(stratum.size for stratum in strata)
    if not cases:
        raise InputError("there is no case to give a rate of")
    whole = total(strata)
    return Estimate(value=whole.value / cases, low=whole.low / cases, high=whole.high / cases, n=whole.n)


def share_within(inside: Sequence[Stratum], outside: Sequence[Stratum]) -> Estimate | None:
    """Return which share of all discrepancies lies inside: the sensitivity of looking there alone.

    None where neither side holds one that was found.

    Raises:
        InputError: a stratum was not read at all.
    """
    return share_of_totals(total(inside), total(outside))


def share_of_totals(caught: Estimate, missed: Estimate) -> Estimate | None:
    """Return which share of two independent numbers together the first is; None where both are 0."""
    if caught.value == 0 and missed.value == 0:
        return None
    if caught.value == 0:
        return Estimate(value=0.0, low=0.0, high=_share(caught.high, missed.low), n=caught.n + missed.n)
    low, high = _ratio_limits(missed, caught)
    return Estimate(
        value=_share(caught.value, missed.value),
        low=1 / (1 + high),
        high=1 / (1 + low),
        n=caught.n + missed.n,
    )


def _share(part: float, rest: float) -> float:
    return part / (part + rest) if part + rest else 1.0


def _ratio_limits(above: Estimate, below: Estimate) -> tuple[float, float]:
    """Return the limits of the ratio of two independent estimates, by variance recovery."""
    product = above.value * below.value
    low_spread = above.low * below.high * (2 * above.value - above.low) * (2 * below.value - below.high)
    high_spread = above.high * below.low * (2 * above.value - above.high) * (2 * below.value - below.low)
    low_divisor = below.high * (2 * below.value - below.high)
    high_divisor = below.low * (2 * below.value - below.low)
    low = (product - math.sqrt(max(product**2 - low_spread, 0.0))) / low_divisor if low_divisor else 0.0
    high = (
        (product + math.sqrt(max(product**2 - high_spread, 0.0))) / high_divisor
        if high_divisor > 0
        else math.inf
    )
    return max(low, 0.0), high
