"""Quality of an order: pure functions of scores and confirmed discrepancies.

Scores and worths have shape (cases,), higher scores come first; cases of equal score count as if in random
order, so that no figure depends on how a file happens to be sorted.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def expected_hits(scores: Floats, worth: Floats, looks: float) -> float:
    """Return the worth found in the first `looks` cases of the list, in expectation over ties.

    Args:
        scores: order of the list.
        worth: what a look at each case finds, such as 1 where a discrepancy is confirmed.
        looks: how many cases are looked at; the last may be a fraction.
    """
    order = np.argsort(-scores, kind="stable")
    ordered, found = scores[order], worth[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes = np.diff(np.r_[starts, len(ordered)])
    sums = np.add.reduceat(found, starts)
    taken = np.clip(looks - starts, 0, sizes)
    return float((sums * taken / sizes).sum())


def average_precision(scores: Floats, confirmed: Floats) -> float:
    """Return the mean precision at each confirmed case, ties taken as one step.

    Raises:
        ValueError: no case is confirmed; average precision is not defined.
    """
    total = confirmed.sum()
    if total == 0:
        raise ValueError("average precision needs at least one confirmed case")
    order = np.argsort(-scores, kind="stable")
    ordered, hits = scores[order], np.cumsum(confirmed[order])
    ends = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
    gained = np.diff(np.r_[0.0, hits[ends]])
    return float((gained * hits[ends] / (ends + 1)).sum() / total)


def precision_at(scores: Floats, confirmed: Floats, share: float) -> float:
    """Return the share of confirmed among the first `share` of the cases."""
    looks = share * len(scores)
    return expected_hits(scores, confirmed, looks) / looks


def reviews_at(scores: Floats, confirmed: Floats, share: float) -> float:
    """Return how many of the first `share` of the cases are looked at for each confirmed one.

    Raises:
        ValueError: none of them is confirmed.
    """
    precision = precision_at(scores, confirmed, share)
    if precision == 0:
        raise ValueError("none of the first cases is confirmed")
    return 1 / precision


def recall_at(scores: Floats, worth: Floats, share: float) -> float:
    """Return the share of all worth that lies in the first `share` of the cases.

    Raises:
        ValueError: there is nothing to find.
    """
    if worth.sum() == 0:
        raise ValueError("recall needs something to find")
    return expected_hits(scores, worth, share * len(scores)) / float(worth.sum())


def calibration_error(probabilities: Floats, confirmed: Floats, *, bins: int = 10) -> float:
    """Return the expected calibration error over bins of equal width.

    The mean distance between probability and share of confirmed in each bin, by its number of cases (Guo et
    al., ICML 2017).

    Raises:
        ValueError: there is no case.
    """
    if not len(probabilities):
        raise ValueError("a calibration error needs at least one case")
    places = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = np.bincount(places, probabilities - confirmed, minlength=bins)
    return float(np.abs(gaps).sum() / len(probabilities))
