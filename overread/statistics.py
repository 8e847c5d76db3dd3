"""Estimates and how sure they are: proportions, means, AUC, and the bootstrap by patient.

Pure functions of numbers and arrays. An estimate rests on units that are independent of one another, such as
patients; the cases of one patient are not, and are drawn together.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
LEAST_VALUES = 5
"""Fewer say nothing of how far values differ, and `student_quantile` is not exact for so few."""

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]  # numbers of cases, repeats allowed
Figure = Callable[[Rows], float]  # on these cases; raises ValueError where it is not defined on them
Units = Sequence[str] | Sequence[int] | NDArray[Any]  # (cases,) patient of each, or another unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its confidence interval.

    As text it is "0.812 [0.790, 0.833] n=120"; with a format of its numbers, such as `.1%`, it is without n.
    """

    value: float
    low: float
    high: float
    n: int  # units that it rests on: patients, reports, runs

    def __str__(self) -> str:
        return f"{self:.3f} n={self.n}"

    def __format__(self, numbers: str) -> str:
        if not numbers:
            return str(self)
        return f"{self.value:{numbers}} [{self.low:{numbers}}, {self.high:{numbers}}]"


def proportion(hits: int, total: int) -> Estimate:
    """Return the share of hits with its 95 % interval (Wilson, JASA 1927;22:209-212).

    Of nothing the share is NaN and may be anything in [0, 1].
    """
    if not total:
        return Estimate(value=math.nan, low=0.0, high=1.0, n=0)
    share = hits / total
    low, high = share_limits(share, total)
    return Estimate(value=share, low=low, high=high, n=total)


def share_limits(share: float, units: float) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, JASA 1927;22:209-212).

    Args:
        share: in [0, 1].
        units: above 0, as many independent ones as carry what is known; need not be a whole number, where
            the cases of one patient are alike (effective sample size).
    """
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    spread = z * z / units
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / units + spread / units / 4)
    return max(0.0, middle - half), min(1.0, middle + half)


def mean_estimate(values: Sequence[float], *, confidence: float = CONFIDENCE) -> Estimate:
    """Return the mean of independent values with Student's interval.

    Raises:
        ValueError: there are fewer than `LEAST_VALUES`.
    """
    if len(values) < LEAST_VALUES:
        raise ValueError(f"an interval needs at least {LEAST_VALUES} values")
    mean = float(np.mean(values))
    half = student_quantile((1 + confidence) / 2, len(values) - 1) * float(np.std(values, ddof=1))
    half /= math.sqrt(len(values))
    return Estimate(value=mean, low=mean - half, high=mean + half, n=len(values))


def student_quantile(probability: float, degrees: int) -> float:
    """Return the quantile of Student's t, for 4 degrees of freedom or more (error below 0.01 up to 97.5 %).

    Expansion of Fisher and Cornish in powers of 1/degrees: Abramowitz and Stegun 1964, 26.7.5.
    """
    normal = NormalDist().inv_cdf(probability)
    terms = (
        (normal**3 + normal) / 4,
        (5 * normal**5 + 16 * normal**3 + 3 * normal) / 96,
        (3 * normal**7 + 19 * normal**5 + 17 * normal**3 - 15 * normal) / 384,
        (79 * normal**9 + 776 * normal**7 + 1482 * normal**5 - 1920 * normal**3 - 945 * normal) / 92_160,
    )
    return normal + math.fsum(term / degrees**power for power, term in enumerate(terms, start=1))


def roc_auc(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    """Return the share of pairs, one positive and one negative, in the right order; ties count half.

    The area under the receiver operating characteristic (Hanley and McNeil, Radiology 1982;143:29-36).

    Raises:
        ValueError: there is no positive or no negative.
    """
    count = int(positive.sum())
    others = len(positive) - count
    if not count or not others:
        raise ValueError("an AUC needs a positive and a negative")
    _, places, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(sizes) - (sizes - 1) / 2)[places]  # of equal scores the mean, from 1
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * others))


def mean_of_defined(figures: Iterable[Figure], rows: Rows) -> float:
    """Return the mean of the figures that are defined on these cases.

    Raises:
        ValueError: none is.
    """
    values = list(_defined((figure, rows) for figure in figures))
    if not values:
        raise ValueError("no figure is defined on these cases")
    return math.fsum(values) / len(values)


def patient_samples(patients: Units, *, seed: int) -> Iterator[Rows]:
    """Yield samples of patients drawn with replacement, each with all cases of its patients, for ever.

    A patient's cases stay together, as they are not independent (Field and Welsh, JRSS B 2007;69:369). The
    same seed draws the same patients, so that two figures can be compared in pairs.

    Args:
        patients: of each case.
        seed: of the random numbers.

    Raises:
        ValueError: there is no case.
    """
    if not len(patients):
        raise ValueError("samples need at least one case")
    _, groups, sizes = np.unique(np.asarray(patients), return_inverse=True, return_counts=True)
    members = np.argsort(groups, kind="stable")  # the cases of the first patient, of the second, ...
    starts = np.cumsum(sizes) - sizes
    generator = np.random.default_rng(seed)
    while True:
        drawn = generator.integers(0, len(sizes), len(sizes))
        counts = sizes[drawn]
        before = np.cumsum(counts) - counts
        yield members[np.arange(counts.sum()) + np.repeat(starts[drawn] - before, counts)]


def bootstrap(patients: Units, figure: Figure, *, resamples: int, seed: int) -> Floats:
    """Return the figure on samples of patients drawn with replacement, shape (resamples,).

    A sample on which the figure is not defined is drawn again; on some it must be defined.

    Args:
        patients: of each case.
        figure: of cases.
        resamples: how many samples.
        seed: of the random numbers, see `patient_samples`.
    """
    values = _defined((figure, rows) for rows in patient_samples(patients, seed=seed))
    return np.fromiter(islice(values, resamples), np.float64, resamples)


def percentile_interval(drawn: Floats, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the ends of the interval that holds this share of a figure's values on resamples."""
    tail = 50 * (1 - confidence)
    low, high = np.percentile(drawn, (tail, 100 - tail))
    return float(low), float(high)


def bootstrap_estimate(patients: Units, figure: Figure, *, resamples: int, seed: int) -> Estimate:
    """Return the figure on all cases with its 95 % interval by resampling patients.

    Raises:
        ValueError: the figure is not defined on the cases as a whole.
    """
    value = figure(np.arange(len(patients)))
    low, high = percentile_interval(bootstrap(patients, figure, resamples=resamples, seed=seed))
    return Estimate(value=value, low=low, high=high, n=len(np.unique(np.asarray(patients))))


def _defined(asked: Iterable[tuple[Figure, Rows]]) -> Iterator[float]:
    for figure, rows in asked:
        try:
            value = figure(rows)
        except ValueError:
            continue
        yield value
