"""Shares of cases in groups, where the cases of one patient are alike.

The variance of a share is that of a ratio of sums over patients, by linearisation; what it is larger than the
binomial one by is the design effect. The interval is Wilson's with as many cases as carry the same knowledge
independently (Korn and Graubard, Survey Methodology 1998;24:193-201; Franco, Little, Louis and Slud, J
Survey Stat Methodol 2019;7:334-364), fewer where there are few patients, and never more than there are.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.statistics import CONFIDENCE, Estimate, share_limits, student_quantile

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
LEAST_PATIENTS = 10
"""Of a group with fewer patients nothing but its being small is told."""

_BLOCK_FIGURES = 8
_LEAST_DEGREES = 4  # `student_quantile` is not exact for fewer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupCounts:
    """What was counted in each group, of several figures: arrays of shape (groups, figures)."""

    cases: Counts  # that a figure is of
    hits: Counts
    patients: Counts  # with such a case
    squares: Floats  # of what the hits of a patient differ from the group's share of that patient's cases

    def estimate(self, group: int, figure: int) -> Estimate:
        """Return the share with its 95 % interval; n is the number of patients.

        Raises:
            ValueError: the group holds no case of the figure.
        """
        cases, hits = int(self.cases[group, figure]), int(self.hits[group, figure])
        if not cases:
            raise ValueError("a share of no case")
        patients = int(self.patients[group, figure])
        low, high = share_limits(hits / cases, self.effective_cases(group, figure))
        return Estimate(value=hits / cases, low=low, high=high, n=patients)

    def variance(self, group: int, figure: int) -> float:
        """Return the variance of the share, at least the binomial one; NaN of fewer than two patients."""
        cases, patients = int(self.cases[group, figure]), int(self.patients[group, figure])
        if patients < 2:
            return math.nan
        share = self.hits[group, figure] / cases
        spread = float(self.squares[group, figure]) * patients / (patients - 1) / cases**2
        return max(spread, float(share * (1 - share)) / cases)

    def effective_cases(self, group: int, figure: int) -> float:
        """Return how many independent cases would carry what these do: at most as many as there are."""
        cases, patients = int(self.cases[group, figure]), int(self.patients[group, figure])
        share = self.hits[group, figure] / cases
        variance = self.variance(group, figure)
        if not 0 < share < 1 or not variance > 0:
            return float(patients)  # nothing tells how alike they are
        degrees = max(patients - 1, _LEAST_DEGREES)
        normal = student_quantile((1 + CONFIDENCE) / 2, 1_000_000)
        few = (normal / student_quantile((1 + CONFIDENCE) / 2, degrees)) ** 2
        return float(share * (1 - share)) / variance * few


def group_counts(
    hits: NDArray[np.bool_],
    cases: NDArray[np.bool_],
    groups: NDArray[np.integer],
    patients: NDArray[np.integer],
    count: int,
) -> GroupCounts:
    """Return what was counted in each group.

    Args:
        hits: (cases, figures); no hit where a case is not one of the figure.
        cases: (cases, figures) or (cases, 1), whether a case is one of the figure.
        groups: (cases,) number of its group, below 0 for none.
        patients: (cases,) number of its patient.
        count: of groups.
    """
    rows = np.flatnonzero(groups >= 0)
    rows = rows[np.lexsort((patients[rows], groups[rows]))]
    shape = (count, hits.shape[1])
    if not len(rows):
        return _nothing(shape)
    starts = _starts(groups[rows], patients[rows])
    owner = groups[rows][starts]  # of each pair of group and patient
    begins = _starts(owner)
    counted = _nothing(shape)
    width = cases.shape[1]
    for first in range(0, hits.shape[1], _BLOCK_FIGURES):  # a million cases are to fit
        block = slice(first, min(first + _BLOCK_FIGURES, hits.shape[1]))
        of = np.add.reduceat(cases[rows, block if width > 1 else slice(None)], starts, axis=0, dtype=np.int32)
        found = np.add.reduceat(hits[rows, block], starts, axis=0, dtype=np.int32)
        _count(counted, block, found, of, owner, begins)
    return counted


def _count(
    counted: GroupCounts,
    block: slice,
    found: NDArray[np.int32],
    of: NDArray[np.int32],
    owner: NDArray[np.integer],
    begins: NDArray[np.intp],
) -> None:
    """Add up the patients of each group for some of the figures."""
    place = owner[begins]
    counted.cases[place, block] = np.add.reduceat(of, begins, axis=0, dtype=np.int64)
    counted.hits[place, block] = np.add.reduceat(found, begins, axis=0, dtype=np.int64)
    counted.patients[place, block] = np.add.reduceat(of > 0, begins, axis=0, dtype=np.int64)
    share = counted.hits[:, block] / np.maximum(counted.cases[:, block], 1)
    counted.squares[place, block] = np.add.reduceat((found - share[owner] * of) ** 2, begins, axis=0)


def pairs(counts: GroupCounts) -> Iterator[tuple[int, int]]:
    """Yield group and figure of everything that was counted."""
    groups, figures = np.nonzero(counts.cases)
    yield from zip(groups.tolist(), figures.tolist(), strict=True)


def _starts(*keys: NDArray[np.integer]) -> NDArray[np.intp]:
    """Return where a new combination begins in sorted keys."""
    new = np.zeros(len(keys[0]), dtype=bool)
    new[0] = True
    for key in keys:
        new[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(new)


def _nothing(shape: tuple[int, int]) -> GroupCounts:
    cases, hits, patients = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    return GroupCounts(cases=cases, hits=hits, patients=patients, squares=np.zeros(shape))
