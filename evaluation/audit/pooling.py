"""Many small groups together: partial pooling, and which of them stand out when many are compared.

The share of a group, such as a first reader, is drawn towards that of all: the less, the more is known of the
group. The shares follow a beta distribution whose mean and spread are learned from all groups by maximum
likelihood (empirical Bayes; Griffin and Krutchkoff, Technometrics 1971; Casella, Am Stat 1985;39:83-87).
Its interval takes mean and spread for known; with few groups it is too narrow, and `pool` gives none.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from overread.beta import beta_quantile
from overread.statistics import CONFIDENCE, Estimate

LEAST_GROUPS = 5
Floats = NDArray[np.float64]
_LOG_PRECISIONS = np.log(np.geomspace(2.0, 1e6, 12)).tolist()  # of a + b of the beta distribution
_ROUNDS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSpread:
    """Beta distribution of the shares of groups."""

    mean: float
    precision: float  # a + b: the higher, the more alike the groups are

    @property
    def standard_deviation(self) -> float:
        """Of the groups' shares."""
        return math.sqrt(self.mean * (1 - self.mean) / (self.precision + 1))


def pool(hits: Floats, totals: Floats) -> tuple[GroupSpread, list[Estimate]] | None:
    """Return how the groups differ, and each group's share with a 95 % interval, drawn towards all.

    None where fewer than `LEAST_GROUPS` have a case, or no group or every case is hit: nothing tells how far
    the groups differ.

    Args:
        hits: (groups,), need not be whole numbers (see `overread.statistics.share_limits`).
        totals: (groups,)
    """
    known = totals > 0
    share = float(hits[known].sum() / totals[known].sum()) if known.any() else 0.0
    if int(known.sum()) < LEAST_GROUPS or not 0 < share < 1:
        return None
    spread = _fit(hits[known], totals[known])
    a, b = spread.mean * spread.precision, (1 - spread.mean) * spread.precision
    tail = (1 - CONFIDENCE) / 2
    return spread, [
        Estimate(
            value=(a + hit) / (a + b + total),
            low=beta_quantile(tail, a + hit, b + total - hit),
            high=beta_quantile(1 - tail, a + hit, b + total - hit),
            n=round(total),
        )
        for hit, total in zip(hits.tolist(), totals.tolist(), strict=True)
    ]


def false_discovery(p_values: Sequence[float]) -> list[float]:
    """Return for each comparison the least false discovery rate at which it would be called.

    Benjamini and Hochberg, J R Stat Soc B 1995;57:289-300. NaN stays NaN and counts as no comparison.
    """
    known = sorted((value, place) for place, value in enumerate(p_values) if not math.isnan(value))
    result = [math.nan] * len(p_values)
    least = 1.0
    for rank in range(len(known), 0, -1):
        value, place = known[rank - 1]
        least = min(least, value * len(known) / rank)
        result[place] = least
    return result


def two_sided(z: float) -> float:
    """Return the probability of a standard normal variate at least so far from 0."""
    return 2 * NormalDist().cdf(-abs(z))


def _fit(hits: Floats, totals: Floats) -> GroupSpread:
    """Return the most likely distribution: the best precision of a grid, and around it."""

    def likelihood(log_precision: float) -> float:
        return _best_mean(hits, totals, math.exp(log_precision))[1]

    best = max(range(len(_LOG_PRECISIONS)), key=lambda place: likelihood(_LOG_PRECISIONS[place]))
    low, high = max(best - 1, 0), min(best + 1, len(_LOG_PRECISIONS) - 1)
    precision = math.exp(_peak(likelihood, _LOG_PRECISIONS[low], _LOG_PRECISIONS[high]))
    return GroupSpread(mean=_best_mean(hits, totals, precision)[0], precision=precision)


def _best_mean(hits: Floats, totals: Floats, precision: float) -> tuple[float, float]:
    """Return the most likely mean for a precision, and its log likelihood."""
    shares = np.clip(hits / totals, 1e-6, 1 - 1e-6)
    low, high = float(shares.min()), float(shares.max())
    mean = _peak(lambda share: _likelihood(hits, totals, share, precision), low, high)
    return mean, _likelihood(hits, totals, mean, precision)


def _peak(of: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function with one peak is highest, by golden section."""
    ratio = (math.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = of(left), of(right)
    for _ in range(_ROUNDS):
        if at_left < at_right:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = of(right)
        else:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = of(left)
    return (low + high) / 2


def _likelihood(hits: Floats, totals: Floats, mean: float, precision: float) -> float:
    a, b = mean * precision, (1 - mean) * precision
    terms = (
        math.lgamma(a + hit) + math.lgamma(b + total - hit) - math.lgamma(precision + total)
        for hit, total in zip(hits.tolist(), totals.tolist(), strict=True)
    )
    return math.fsum(terms) + len(hits) * (math.lgamma(precision) - math.lgamma(a) - math.lgamma(b))
