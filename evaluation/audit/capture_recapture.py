"""How many discrepancies there are, from what two readers found of the same cases: capture and recapture.

Chapman's estimator (Univ Calif Publ Stat 1951;1:131-160) with the interval of Burnham et al. (Am Fish Soc
Monogr 1987;5), on the scale of the logarithm of those that nobody found.

It assumes that the readers find independently of one another, that all discrepancies are as easy to find, and
that what they found is one. Where some are hard for both, the number is too low: take it as a lower bound,
and as a check of the other estimates, never as the rate.
"""

import math
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
    number = (first + 1) * (second + 1) / (both + 1) - 1
    variance = (first + 1) * (second + 1) * first_alone * second_alone / ((both + 1) ** 2 * (both + 2))
    return Recapture(
        number=_interval(number, variance, found),
        first_sensitivity=proportion(both, second),
        second_sensitivity=proportion(both, first),
    )


def _interval(number: float, variance: float, found: int) -> Estimate:
    unseen = number - found
    if unseen <= 0 or variance <= 0:
        return Estimate(value=number, low=found, high=max(number, found), n=found)
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    factor = math.exp(z * math.sqrt(math.log1p(variance / unseen**2)))
    return Estimate(value=number, low=found + unseen / factor, high=found + unseen * factor, n=found)
