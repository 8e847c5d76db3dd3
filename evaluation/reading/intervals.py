"""F1 and shares of counts, with intervals by resampling reports."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from overread.statistics import Estimate, bootstrap_estimate

RESAMPLES = 1_000

Counts = NDArray[np.int64]


def f1(counts: Counts) -> NDArray[np.float64]:
    """Return F1 from counts whose last axis is true positives, false positives, false negatives.

    A finding that is neither stated nor coded has F1 1: nothing was wrong about it.
    """
    true, wrong = counts[..., 0], counts[..., 1] + counts[..., 2]
    whole = 2 * true + wrong
    return np.where(whole > 0, 2 * true / np.maximum(whole, 1), 1.0)


def macro_f1(counts: Counts) -> float:
    """Return the mean of the findings' F1; the first axis is the findings."""
    return float(f1(counts).mean())


def micro_f1(counts: Counts) -> float:
    """Return the F1 of all findings' counts together."""
    return float(f1(counts.sum(axis=0)))


def share(counts: Counts) -> float:
    """Return hits over all; the first axis is hits, misses."""
    return float(counts[0] / max(1, counts.sum()))


def estimate(per_unit: Counts, figure: Callable[[Counts], float], *, seed: int = 20240229) -> Estimate:
    """Return a figure of the summed counts with its bootstrap interval; the first axis is the units."""
    return bootstrap_estimate(
        np.arange(len(per_unit)),
        lambda rows: figure(per_unit[rows].sum(axis=0)),
        resamples=RESAMPLES,
        seed=seed,
    )
