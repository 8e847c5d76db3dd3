"""F1 and proportions with bootstrap intervals, resampled by report."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1_000
_LEVEL = (2.5, 97.5)

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its 95 % interval and the number of units (reports, sentences) that were resampled."""

    value: float
    low: float
    high: float
    units: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] n={self.units}"


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
    units = len(per_unit)
    generator = np.random.default_rng(seed)
    flat = per_unit.reshape(units, -1)
    drawn = [
        figure(
            (np.bincount(generator.integers(0, units, units), minlength=units) @ flat).reshape(
                per_unit.shape[1:]
            )
        )
        for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(drawn, _LEVEL)
    return Estimate(value=figure(per_unit.sum(axis=0)), low=float(low), high=float(high), units=units)
