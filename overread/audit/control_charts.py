"""Control charts: which groups and months differ by more than chance, with a stated rate of false alarms.

Funnel plots after Spiegelhalter (Stat Med 2005;24:1185-1202), p-charts after Shewhart with the limits of each
month's own size (exact binomial), and a CUSUM of the log likelihood ratio (Steiner et al., Biostatistics
2000;1:441-452) whose limit is found by simulation of months of these sizes. The share that is expected is
estimated from the reference months, and the simulation draws those too, so that the stated rate of false
alarms counts in that it is not known.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FALSE_ALARMS = 0.05
"""Chance of any alarm of a CUSUM over all its months, where nothing changed."""
SIMULATIONS = 4_000
FUNNEL_LIMITS = (0.95, 0.998)  # two and three standard deviations
_ODDS_RATIO = 1.5  # of the change that a CUSUM is tuned to find


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cusum:
    """CUSUM of months after a reference window, upwards and downwards."""

    expected: float  # share in the reference months
    upwards: Floats  # (months,) 0 in the reference months
    downwards: Floats  # (months,) not above 0
    limit: float  # an alarm beyond it, either way
    false_alarms: float  # share of the simulations with an alarm anywhere, where nothing changed
    alarms: NDArray[np.bool_]  # (months,)


def funnel_limits(expected: float, units: Floats, spread: float = 1.0) -> list[tuple[Floats, Floats]]:
    """Return the low and high limits of shares of so many cases, of 95 % and of 99.8 %.

    Args:
        expected: share of all.
        units: (groups,) effective cases of each.
        spread: how many times the variance is larger than chance alone makes it (see `overdispersion`).
    """
    limits = []
    for confidence in FUNNEL_LIMITS:
        z = NormalDist().inv_cdf((1 + confidence) / 2)
        half = z * np.sqrt(spread * expected * (1 - expected) / units)
        limits.append((np.maximum(expected - half, 0.0), np.minimum(expected + half, 1.0)))
    return limits


def overdispersion(shares: Floats, units: Floats, expected: float) -> float:
    """Return how many times the variance of groups is larger than by chance, at least 1.

    The mean of the squared z scores, the outer tenths of which are drawn in (winsorised), so that a few
    groups that stand out do not widen the limits for all.
    """
    scores = (shares - expected) / np.sqrt(expected * (1 - expected) / units)
    low, high = np.quantile(scores, (0.1, 0.9))
    return max(1.0, float(np.mean(np.clip(scores, low, high) ** 2)))


def cusum(hits: Floats, totals: Floats, reference: int, *, seed: int) -> Cusum | None:
    """Return the CUSUM of months after a reference window; None where that has no hit or nothing but hits.

    Args:
        hits: (months,) in time.
        totals: (months,) cases, or effective cases.
        reference: how many of the first months are the reference.
        seed: of the simulation.
    """
    expected = _expected(hits[None], totals, reference)[0]
    if not 0 < hits[:reference].sum() < totals[:reference].sum():
        return None
    ups, downs = _paths(hits[None], totals, np.array([expected]), reference)
    random = np.random.default_rng(seed)
    draws = random.binomial(np.round(totals).astype(int), expected, (SIMULATIONS, len(totals))).astype(float)
    up, down = _paths(draws, np.round(totals), _expected(draws, np.round(totals), reference), reference)
    highest = np.maximum(up, -down).max(axis=1)
    limit = float(np.quantile(highest, 1 - FALSE_ALARMS, method="higher"))
    return Cusum(
        expected=float(expected),
        upwards=ups[0],
        downwards=downs[0],
        limit=limit,
        false_alarms=float((highest > limit).mean()),
        alarms=np.maximum(ups[0], -downs[0]) > limit,
    )


def _expected(hits: Floats, totals: Floats, reference: int) -> Floats:
    """Return the share in the reference months of each history, kept off 0 and 1."""
    found, cases = hits[:, :reference].sum(axis=1), totals[:reference].sum()
    share: Floats = (found + 0.5) / (cases + 1)
    return share


def _paths(hits: Floats, totals: Floats, expected: Floats, reference: int) -> tuple[Floats, Floats]:
    """Return the upward and the downward sums of histories, (histories, months)."""
    up, down = np.zeros(hits.shape), np.zeros(hits.shape)
    for ratio, sums, sign in ((_ODDS_RATIO, up, 1), (1 / _ODDS_RATIO, down, -1)):
        odds = ratio * expected / (1 - expected)
        changed = odds / (1 + odds)
        gain, loss = np.log(changed / expected), np.log((1 - changed) / (1 - expected))
        now = np.zeros(len(hits))
        for month in range(reference, hits.shape[1]):
            now = np.maximum(now + hits[:, month] * gain + (totals[month] - hits[:, month]) * loss, 0.0)
            sums[:, month] = sign * now
    return up, down


def binomial_limits(expected: float, total: int, *, confidence: float = 0.998) -> tuple[float, float]:
    """Return the shares between which those of so many cases lie, where nothing differs: exact binomial."""
    tail = (1 - confidence) / 2
    counts = np.arange(total + 1)
    logs = (
        math.lgamma(total + 1)
        - np.array([math.lgamma(count + 1) + math.lgamma(total - count + 1) for count in counts])
        + counts * math.log(expected)
        + (total - counts) * math.log1p(-expected)
    )
    below = np.cumsum(np.exp(logs))
    low, high = int(np.searchsorted(below, tail)), int(np.searchsorted(below, 1 - tail))
    return low / total, min(high, total) / total
