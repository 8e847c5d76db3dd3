"""Drift: whether a window of cases differs from a reference window by more than chance.

Cases of one patient within a window are one unit. Every column, such as the share of one view or a mean
score, is compared by its difference of means in standard errors; the largest of all columns has its
distribution under "nothing changed" by exchanging units between the windows (Westfall and Young,
Resampling-Based Multiple Testing, 1993, 2.3: the single-step maximum); the two units of a patient who has
cases in both change places with each other alone. So one false alarm rate holds for all columns of a channel
together, whatever their dependence. An exchange changes how many cases a window has, since patients with
cases in a short window alone have few of them; so the standard error is that of each exchange, with the
variance of both windows together.

Numbers that mean something together only, an embedding, are compared by one distance of the two windows: the
maximum mean discrepancy under a Gaussian kernel, estimated without bias from cases of different patients
(Gretton et al., JMLR 13, 2012, 723-773), whose distribution under "nothing changed" comes from the same
exchanges.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from overread.statistics import CONFIDENCE

Floats = NDArray[np.float64]
LEAST_UNITS = 20
"""Units of each window; fewer say nothing of a column."""

MOST_CASES = 1000
"""Cases of each window that a distance looks at; of more, so many that are drawn by chance."""

_BLOCK = 200  # permutations at a time
_MEDIAN_OF = 1000  # cases, between which the width of the kernel is measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One column in both windows."""

    column: str
    reference: float  # mean; of a distance, what chance alone gives on average
    window: float
    low: float | None  # of window less reference, 95 %; None of a distance
    high: float | None
    reference_units: int
    window_units: int
    p: float  # that chance alone makes any column of the channel differ so much
    is_alarm: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Units:
    sums: Floats  # (units, columns)
    counts: Floats  # (units, columns) of cases that have the column
    in_window: NDArray[np.bool_]  # (units,)
    patients: NDArray[np.intp]  # (units,) ascending, of a patient in both windows the reference first


def changes(
    columns: Sequence[str],
    values: Floats,
    units: tuple[NDArray[np.intp], NDArray[np.bool_]],
    *,
    false_alarms: float,
    permutations: int,
    seed: int,
) -> list[Change]:
    """Return every column that has enough units, those that differ most first.

    Args:
        columns: names.
        values: (cases, columns) NaN where a case lacks the column.
        units: of each case its patient's number and whether it is of the window.
        false_alarms: share of windows like the reference in which any column gives an alarm, in (0, 1).
        permutations: units are exchanged so often; at least 1 / false_alarms.
        seed: of the exchanges.

    Raises:
        ValueError: too few permutations for the false alarm rate.
    """
    if permutations * false_alarms < 1:
        raise ValueError("fewer exchanges than a false alarm rate needs: no alarm could be given")
    gathered = _gathered(values, *units)
    kept = [
        place
        for place in range(len(columns))
        if all(int((gathered.counts[side, place] > 0).sum()) >= LEAST_UNITS for side in _sides(gathered))
    ]
    spread = _spreads(gathered)
    kept = [place for place in kept if spread[place] > 0]
    if not kept:
        return []
    part = replace(gathered, sums=gathered.sums[:, kept], counts=gathered.counts[:, kept])
    most = _largest_by_chance(part, spread[kept], permutations, seed)
    seen = _differences(part, spread[kept], part.in_window[None, :].astype(np.float64))[0]
    found = []
    for number, place in enumerate(kept):
        p = (1 + int((most >= seen[number] - 1e-12).sum())) / (permutations + 1)
        found.append(_change(columns[place], part, number, p, is_alarm=p <= false_alarms))
    return sorted(found, key=lambda change: (change.p, change.column))


def distance(
    column: str,
    values: Floats,
    units: tuple[NDArray[np.intp], NDArray[np.bool_]],
    *,
    false_alarms: float,
    permutations: int,
    seed: int,
) -> Change | None:
    """Return how far the two windows lie apart in all columns together; None where units are too few.

    Args:
        column: name of the distance.
        values: (cases, columns) NaN in a case that is not looked at.
        units: as of `changes`.
        false_alarms: as of `changes`.
        permutations: the same.
        seed: of the exchanges, and of the choice among more than MOST_CASES.

    Raises:
        ValueError: too few permutations for the false alarm rate.
    """
    if permutations * false_alarms < 1:
        raise ValueError("fewer exchanges than a false alarm rate needs: no alarm could be given")
    random = np.random.default_rng(seed)
    known = np.logical_and.reduce(np.isfinite(values), axis=1)
    chosen = _chosen(known, units[1], random)
    keys, numbers = np.unique(units[0][chosen] * 2 + units[1][chosen], return_inverse=True)
    counts = np.bincount(numbers, minlength=len(keys)).astype(np.float64)
    gathered = _Units(
        sums=counts[:, None], counts=counts[:, None], in_window=keys % 2 == 1, patients=keys // 2
    )
    sizes = [int(side.sum()) for side in _sides(gathered)]
    if min(sizes) < LEAST_UNITS:
        return None
    kernel = _joined_kernel(_gaussian_kernel(values[chosen], random), numbers)
    seen, by_chance, p = _beside_exchanges(kernel, gathered, permutations, random)
    return Change(
        column=column,
        reference=float(np.sqrt(np.maximum(by_chance, 0.0)).mean()),
        window=math.sqrt(max(seen, 0.0)),
        low=None,
        high=None,
        reference_units=sizes[0],
        window_units=sizes[1],
        p=p,
        is_alarm=p <= false_alarms,
    )


def _beside_exchanges(
    kernel: Floats, gathered: _Units, permutations: int, random: np.random.Generator
) -> tuple[float, Floats, float]:
    """Return the discrepancy of the windows, (permutations,) those of exchanges, and the p value."""
    seen, own_error = _discrepancies(kernel, gathered, gathered.in_window[None, :].astype(np.float64))
    by_chance, errors = (
        np.concatenate(parts)
        for parts in zip(
            *(
                _discrepancies(kernel, gathered, _exchanged(gathered, count, random))
                for count in _blocks(permutations)
            ),
            strict=True,
        )
    )
    least = seen[0] / own_error[0]
    p = (1 + int((by_chance / errors >= least - 1e-9 * abs(least)).sum())) / (permutations + 1)
    return float(seen[0]), by_chance, p


def _chosen(
    known: NDArray[np.bool_], in_window: NDArray[np.bool_], random: np.random.Generator
) -> NDArray[np.intp]:
    """Return the places of the cases that are looked at, at most MOST_CASES of each window."""
    sides = [np.flatnonzero(side) for side in (known & ~in_window, known & in_window)]
    drawn = [
        side if len(side) <= MOST_CASES else random.choice(side, MOST_CASES, replace=False) for side in sides
    ]
    return np.sort(np.concatenate(drawn))


def _gaussian_kernel(values: Floats, random: np.random.Generator) -> Floats:
    """Return the kernel between all cases, (cases, cases); as wide as the median distance between them."""
    spread = values.std(axis=0)
    scaled = (values[:, spread > 0] - values.mean(axis=0)[spread > 0]) / spread[spread > 0]
    squares = (scaled**2).sum(axis=1)
    apart = np.maximum(squares[:, None] + squares[None, :] - 2 * scaled @ scaled.T, 0.0)
    some = random.permutation(len(values))[:_MEDIAN_OF]
    width = float(np.median(apart[np.ix_(some, some)][np.triu_indices(len(some), 1)])) or 1.0
    kernel: Floats = np.exp(-apart / width)
    return kernel


def _joined_kernel(kernel: Floats, numbers: NDArray[np.intp]) -> Floats:
    """Return the sums of the kernel between units, (units, units); `numbers` is the unit of each case."""
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    ordered = kernel[np.ix_(order, order)]
    joined: Floats = np.add.reduceat(np.add.reduceat(ordered, starts, axis=0), starts, axis=1)
    return joined


def _discrepancies(kernel: Floats, units: _Units, chosen: Floats) -> tuple[Floats, Floats]:
    """Return the squared maximum mean discrepancy for each choice of units, (choices,), and its scale.

    The unbiased estimate varies by chance as 1 / m + 1 / n of the cases of the two windows. Of the kernel
    only pairs of cases of different patients count.
    """
    counts = units.counts[:, 0]
    firsts = _firsts_of_pairs(units)
    between = kernel.copy()
    np.fill_diagonal(between, 0.0)
    between[firsts, firsts + 1] = between[firsts + 1, firsts] = 0.0
    sizes = chosen @ counts
    others = counts.sum() - sizes
    towards = chosen @ between
    within = (towards * chosen).sum(axis=1)
    across = towards.sum(axis=1) - within
    rest = between.sum() - 2 * across - within
    squares = chosen @ counts**2
    found: Floats = (
        within / (sizes**2 - squares)
        + rest / (others**2 - (counts**2).sum() + squares)
        - 2 * across / (sizes * others - (counts[firsts] * counts[firsts + 1]).sum())
    )
    return found, 1 / sizes + 1 / others


def _blocks(permutations: int) -> list[int]:
    """Return how many exchanges to make at a time."""
    return [min(_BLOCK, permutations - start) for start in range(0, permutations, _BLOCK)]


def _gathered(values: Floats, patients: NDArray[np.intp], in_window: NDArray[np.bool_]) -> _Units:
    """Return sums by patient and window: what is alike stays together."""
    keys, numbers = np.unique(patients * 2 + in_window, return_inverse=True)
    known = np.isfinite(values)
    sums = np.zeros((len(keys), values.shape[1]))
    counts = np.zeros_like(sums)
    np.add.at(sums, numbers, np.where(known, values, 0.0))
    np.add.at(counts, numbers, known.astype(np.float64))
    return _Units(sums=sums, counts=counts, in_window=keys % 2 == 1, patients=keys // 2)


def _sides(units: _Units) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    return ~units.in_window, units.in_window


def _spreads(units: _Units) -> Floats:
    """Return the standard deviation of a case in each column, as far as its units tell."""
    total = np.maximum(units.counts.sum(axis=0), 1)
    apart = units.sums - units.counts * (units.sums.sum(axis=0) / total)
    squares = (apart**2).sum(axis=0)
    spread: Floats = np.sqrt(squares / total)
    return spread


def _differences(units: _Units, spread: Floats, chosen: Floats) -> Floats:
    """Return how far window and reference lie apart for each choice of units, (choices, columns).

    In standard errors; NaN where one of them has no case of a column.
    """
    sums, counts = chosen @ units.sums, chosen @ units.counts
    rest, others = units.sums.sum(axis=0) - sums, units.counts.sum(axis=0) - counts
    with np.errstate(invalid="ignore", divide="ignore"):
        errors = spread * np.sqrt(1 / counts + 1 / others)
        apart: Floats = np.abs(sums / counts - rest / others) / errors
    return apart


def _largest_by_chance(units: _Units, spread: Floats, permutations: int, seed: int) -> Floats:
    random = np.random.default_rng(seed)
    found = []
    for count in _blocks(permutations):
        apart = _differences(units, spread, _exchanged(units, count, random))
        found.append(np.nanmax(apart, axis=1, initial=0.0))
    return np.concatenate(found)


def _firsts_of_pairs(units: _Units) -> NDArray[np.intp]:
    """Return the places of units whose patient has the next one, too."""
    return np.flatnonzero(units.patients[1:] == units.patients[:-1])


def _exchanged(units: _Units, count: int, random: np.random.Generator) -> Floats:
    """Return which units are of the window after each exchange, (count, units)."""
    firsts = _firsts_of_pairs(units)
    alone = np.ones(len(units.patients), dtype=bool)
    alone[firsts] = alone[firsts + 1] = False
    chosen = np.zeros((count, len(units.patients)))
    chosen[:, alone] = random.permuted(np.tile(units.in_window[alone], (count, 1)), axis=1)
    turned = random.random((count, len(firsts))) < 0.5
    chosen[:, firsts], chosen[:, firsts + 1] = turned, ~turned
    return chosen


def _change(column: str, units: _Units, place: int, p: float, *, is_alarm: bool) -> Change:
    means, errors, sizes = [], [], []
    for side in _sides(units):
        sums, counts = units.sums[side, place], units.counts[side, place]
        own, total = int((counts > 0).sum()), float(counts.sum())
        mean = float(sums.sum()) / total
        variance = float(((sums - counts * mean) ** 2).sum()) * own / (own - 1) / total**2
        means.append(mean)
        errors.append(variance)
        sizes.append(own)
    lead = means[1] - means[0]
    half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * math.sqrt(sum(errors))
    return Change(
        column=column,
        reference=means[0],
        window=means[1],
        low=lead - half,
        high=lead + half,
        reference_units=sizes[0],
        window_units=sizes[1],
        p=p,
        is_alarm=is_alarm,
    )
