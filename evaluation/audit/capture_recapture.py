"""How many discrepancies there are, from what two readers found of the same cases: capture and recapture.

Chapman's estimator (Univ Calif Publ Stat 1951;1:131-160) with the interval of the profile likelihood, in
whole discrepancies (Cormack, Biometrics 1992;48:567-576).

It assumes that the readers find independently of one another, that all discrepancies are as easy to find, and
that what they found is one. Where some are hard for both, the number is too low: take it as a lower bound,
and as a check of the other estimates, never as the rate.
"""

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

from overread.errors import InputError
from overread.statistics import CONFIDENCE, Estimate, proportion

ASSUMPTION = (
    "the two readers find independently, all discrepancies are as easy to find, and nothing that they found "
    "is wrong; where some are hard for both, the number is too low"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recapture:
    """What two readers found, and what that says of what nobody found."""

    number: Estimate  # of discrepancies; n is how many were found by either
    first_sensitivity: Estimate  # of the first reader: share found of what the second found
    second_sensitivity: Estimate


def recapture(first_alone: int, second_alone: int, both: int) -> Recapture:
    """Return how many discrepancies there are.

    Raises:
        InputError: nobody found what the other found, so that nothing can be said.
    """
    if not both:
        raise InputError(
            f"the readers found {first_alone} and {second_alone} and none in common: the number cannot be "
            "estimated; it takes more cases that both read"
        )
    first, second = first_alone + both, second_alone + both
    found = first_alone + second_alone + both
    low, high = _limits(first, second, found)
    number = (first + 1) * (second + 1) / (both + 1) - 1
    return Recapture(
        number=Estimate(value=number, low=min(low, number), high=max(high, number), n=found),
        first_sensitivity=proportion(both, second),
        second_sensitivity=proportion(both, first),
    )


def _limits(first: int, second: int, found: int) -> tuple[float, float]:
    """Return the whole numbers between which the likelihood is not too far below its peak."""
    likeliest = found + _first(
        lambda step: (
            _log_likelihood(found + step, found, first, second)
            >= _log_likelihood(found + step + 1, found, first, second)
        )
    )
    least = (
        _log_likelihood(likeliest, found, first, second) - NormalDist().inv_cdf((1 + CONFIDENCE) / 2) ** 2 / 2
    )
    below = range(found, likeliest)
    low = found + bisect_left(
        below, True, key=lambda number: _log_likelihood(number, found, first, second) >= least
    )
    high = likeliest + _first(lambda step: _log_likelihood(likeliest + step, found, first, second) < least)
    return max(low - 1, found), high


def _first(holds: Callable[[int], bool]) -> int:
    """Return the first whole number from 0 on from which something holds."""
    top = 1
    while not holds(top):
        top *= 2
    return bisect_left(range(top), True, key=holds)


def _log_likelihood(number: int, found: int, *by_reader: int) -> float:
    """Return how likely a number of discrepancies is, each reader finding his share of them."""
    total = math.lgamma(number + 1) - math.lgamma(number - found + 1)
    for count in by_reader:
        total += count * math.log(count / number)
        if number > count:
            total += (number - count) * math.log1p(-count / number)
    return total
