"""Many small groups together: partial pooling, and which of them stand out when many are compared.

The share of a group, such as a first reader, is drawn towards that of all: the less, the more is known of the
group. The shares follow a beta distribution whose mean and spread are learned from all groups by maximum
likelihood (empirical Bayes; Griffin and Krutchkoff, Technometrics 1971; Casella, Am Stat 1985;39:83-87).
Share and interval allow for what is not known of mean and spread (Kass and Steffey, JASA 1989;84:717-726):
they are of the beta distribution with the mean and variance over all that the groups leave possible, every
share of drawing equally likely beforehand (Daniels, Can J Stat 1999;27:567-578).
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
_PRECISION_ENDS, _PRECISIONS = (math.log(2.0), math.log(1e5)), 25  # of what may be, evenly on this scale
_STEPS = np.linspace(-3.0, 3.0, 9).tolist()  # of the mean, in standard errors


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
    possible = _possible(hits[known], totals[known], spread)
    return spread, [_drawn(hit, total, possible) for hit, total in zip(hits, totals, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Possible:
    """Distributions of the groups' shares that may be, with how probable each is."""

    means: Floats
    precisions: Floats
    weights: Floats  # sum 1


def _possible(hits: Floats, totals: Floats, spread: GroupSpread) -> _Possible:
    """Return means around the most likely one, and precisions, weighed by their likelihood."""
    error = math.sqrt(
        (spread.standard_deviation**2 + spread.mean * (1 - spread.mean) / float(totals.mean())) / len(totals)
    ) / (spread.mean * (1 - spread.mean))
    center = math.log(spread.mean / (1 - spread.mean))
    typical = float(np.median(totals))
    found: list[tuple[float, float, float]] = []
    for log_precision in np.linspace(*_PRECISION_ENDS, _PRECISIONS).tolist():
        precision = math.exp(log_precision)
        drawn = precision / (precision + typical)
        for step in _STEPS:
            mean = 1 / (1 + math.exp(-center - step * error))
            weight = _likelihood(hits, totals, mean, precision) + math.log(drawn * (1 - drawn))
            found.append((mean, precision, weight))
    means, precisions, logs = np.array(found).T
    weights = np.exp(logs - logs.max())
    return _Possible(means=means, precisions=precisions, weights=weights / weights.sum())


def _drawn(hit: float, total: float, possible: _Possible) -> Estimate:
    shares = (possible.means * possible.precisions + hit) / (possible.precisions + total)
    share = float((possible.weights * shares).sum())
    within = shares * (1 - shares) / (possible.precisions + total + 1)
    variance = float((possible.weights * (within + (shares - share) ** 2)).sum())
    precision = share * (1 - share) / variance - 1
    tail = (1 - CONFIDENCE) / 2
    low, high = (beta_quantile(end, share * precision, (1 - share) * precision) for end in (tail, 1 - tail))
    return Estimate(value=share, low=low, high=high, n=round(float(total)))


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
