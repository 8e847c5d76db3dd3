"""Shares of an archive from cases that were read with known, unequal probabilities.

Each read stands for as many cases as the inverse of its probability of being chosen (Horvitz and Thompson,
JASA 1952;47:663-685); Hajek's estimator divides by the sum of the weights in place of the known number of
cases, and is steadier where that sum varies. Cases are chosen independently of one another (Poisson
sampling; Sarndal, Swensson and Wretman, Model Assisted Survey Sampling, 1992, 3.5 and 5.6).

The intervals are Wilson's with the effective number of reads. What was chosen for certain is known and takes
no part; where nothing was found among the others, Kish's effective number counts (Survey Sampling, 1965).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.audit.stratified import share_of_totals
from overread.beta import gamma_quantile
from overread.errors import InputError
from overread.statistics import CONFIDENCE, Estimate, share_limits

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeightedReads:
    """Cases that were read: of each whether a discrepancy was found, and how probable it was to be chosen."""

    found: Booleans  # (reads,)
    probability: Floats  # (reads,) in (0, 1]
    cases: int  # of the archive

    def __post_init__(self) -> None:
        if not len(self.found):
            raise InputError("no case was read, so that nothing can be said of the others")
        if not ((self.probability > 0) & (self.probability <= 1)).all():
            raise InputError("the probability of being chosen is above 0 and at most 1")

    @property
    def weights(self) -> Floats:
        """Cases that each read stands for."""
        return 1 / self.probability


def horvitz_thompson(reads: WeightedReads) -> Estimate:
    """Return the share of the archive's cases with a discrepancy; n is the number of reads.

    Raises:
        InputError: the weights say more cases than there are by so much that the probabilities are wrong.
    """
    certain, chance = _parts(reads)
    others = reads.cases - int(certain.sum())
    if others <= 0:
        share = float(reads.found[certain].mean())
        return Estimate(value=share, low=share, high=share, n=len(reads.found))
    if not chance.any():
        raise InputError(f"{others} cases had no chance of being read, so that nothing is known of them")
    values = reads.found[chance] * reads.weights[chance]
    share = float(values.sum()) / others
    if share > 1:
        raise InputError("the weights stand for more cases than there are: check the probabilities")
    variance = float(((1 - reads.probability[chance]) * values**2).sum()) / others**2
    return _joined(reads, certain, others, (share, variance))


def hajek(reads: WeightedReads) -> Estimate:
    """Return the same by the sum of the weights in place of the number of cases.

    Raises:
        InputError: as `horvitz_thompson`.
    """
    certain, chance = _parts(reads)
    others = reads.cases - int(certain.sum())
    if others <= 0 or not chance.any():
        return horvitz_thompson(reads)
    weights, probability = reads.weights[chance], reads.probability[chance]
    share = float((reads.found[chance] * weights).sum() / weights.sum())
    apart = (reads.found[chance] - share) * weights
    variance = float(((1 - probability) * apart**2).sum() / weights.sum() ** 2)
    return _joined(reads, certain, others, (share, variance))


def share_inside(reads: WeightedReads, inside: Booleans) -> Estimate | None:
    """Return the share of all discrepancies that lie inside, such as among the flagged: sensitivity.

    None where no discrepancy was found. Both numbers have gamma limits, which hold for few and for none (Fay
    and Feuer, Stat Med 1997;16:791-801), and are joined by variance recovery (Donner and Zou 2012).

    Args:
        reads: the cases that were read.
        inside: (reads,)
    """
    weighed = reads.found * reads.weights
    if not weighed.any():
        return None
    share = share_of_totals(_number(reads, inside), _number(reads, ~inside))
    if share is None:
        return None
    return Estimate(value=share.value, low=share.low, high=share.high, n=int(reads.found.sum()))


def naive_share(reads: WeightedReads) -> float:
    """Return the share of those read, as if they were like all others."""
    return float(reads.found.mean())


def _number(reads: WeightedReads, part: Booleans) -> Estimate:
    """Return how many discrepancies a part holds: those read for certain, and what the others stand for."""
    certain = part & (reads.probability >= 1)
    known = float(reads.found[certain].sum())
    chance = part & (reads.probability < 1)
    if not chance.any():
        return Estimate(value=known, low=known, high=known, n=int(part.sum()))
    weights, missing = reads.weights[chance], 1 - reads.probability[chance]
    values = reads.found[chance] * weights
    number, variance = float(values.sum()), float((missing * values**2).sum())
    heaviest = int(weights.argmax())
    one, its_variance = float(weights[heaviest]), float(missing[heaviest] * weights[heaviest] ** 2)
    tail = (1 - CONFIDENCE) / 2
    return Estimate(
        value=known + number,
        low=known + (gamma_quantile(tail, number, variance) if number else 0.0),
        high=known + gamma_quantile(1 - tail, number + one, variance + its_variance),
        n=int(part.sum()),
    )


def _parts(reads: WeightedReads) -> tuple[Booleans, Booleans]:
    certain: Booleans = reads.probability >= 1
    return certain, ~certain


def _joined(reads: WeightedReads, certain: Booleans, others: int, estimate: tuple[float, float]) -> Estimate:
    """Return the share of all from what is known for certain, and share and variance of the others."""
    share, variance = estimate
    low, high = share_limits(share, _effective(share, variance, reads.weights[~certain]))
    known = float(reads.found[certain].sum())
    limits = [(known + others * value) / reads.cases for value in (share, low, high)]
    return Estimate(value=limits[0], low=limits[1], high=min(limits[2], 1.0), n=len(reads.found))


def _effective(share: float, variance: float, weights: Floats) -> float:
    """Return how many reads chosen alike would say as much."""
    if 0 < share < 1 and variance > 0:
        return share * (1 - share) / variance
    return float(weights.sum() ** 2 / (weights**2).sum())


def expected_reads(share: float, half_width: float) -> int:
    """Return how many reads chosen alike bring the interval of a share to plus or minus so much."""
    return math.ceil(1.96**2 * share * (1 - share) / half_width**2)
