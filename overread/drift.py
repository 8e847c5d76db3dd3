"""Drift: whether a window of cases differs from a reference window by more than chance.

Cases of one patient within a window are one unit. Every column, such as the share of one view or a mean
score, is compared by its difference of means over a fixed standard error; the largest of all columns has its
distribution under "nothing changed" by exchanging units between the windows (Westfall and Young,
Resampling-Based Multiple Testing, 1993, 2.3: the single-step maximum); the two units of a patient who has
cases in both change places with each other alone. So one false alarm rate holds for all
columns of a channel together, whatever their dependence.
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

_BLOCK = 200  # permutations at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One column in both windows."""

    column: str
    reference: float  # mean
    window: float
    low: float  # of window less reference, 95 %
    high: float
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
    spread = _standard_errors(gathered)
    kept = [place for place in kept if spread[place] > 0]
    if not kept:
        return []
    part = replace(gathered, sums=gathered.sums[:, kept], counts=gathered.counts[:, kept])
    scale = spread[kept]
    most = _largest_by_chance(part, scale, permutations, seed)
    seen = np.abs(_differences(part, part.in_window[None, :].astype(np.float64))[0]) / scale
    found = []
    for number, place in enumerate(kept):
        p = (1 + int((most >= seen[number] - 1e-12).sum())) / (permutations + 1)
        found.append(_change(columns[place], part, number, p, is_alarm=p <= false_alarms))
    return sorted(found, key=lambda change: (change.p, change.column))


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


def _standard_errors(units: _Units) -> Floats:
    """Return the standard error of the difference where both windows are drawn from all units together."""
    total = np.maximum(units.counts.sum(axis=0), 1)
    apart = units.sums - units.counts * (units.sums.sum(axis=0) / total)
    squares = (apart**2).sum(axis=0)
    inverse = [1 / np.maximum(units.counts[side].sum(axis=0), 1) for side in _sides(units)]
    errors: Floats = np.sqrt(squares / total * (inverse[0] + inverse[1]))
    return errors


def _differences(units: _Units, chosen: Floats) -> Floats:
    """Return window less reference for each choice of units, (choices, columns); NaN without either."""
    sums, counts = chosen @ units.sums, chosen @ units.counts
    rest, others = units.sums.sum(axis=0) - sums, units.counts.sum(axis=0) - counts
    with np.errstate(invalid="ignore", divide="ignore"):
        apart: Floats = sums / counts - rest / others
    return apart


def _largest_by_chance(units: _Units, scale: Floats, permutations: int, seed: int) -> Floats:
    random = np.random.default_rng(seed)
    found = []
    for start in range(0, permutations, _BLOCK):
        count = min(_BLOCK, permutations - start)
        apart = _differences(units, _exchanged(units, count, random))
        found.append(np.nanmax(np.abs(apart) / scale, axis=1, initial=0.0))
    return np.concatenate(found)


def _exchanged(units: _Units, count: int, random: np.random.Generator) -> Floats:
    """Return which units are of the window after each exchange, (count, units)."""
    firsts = np.flatnonzero(units.patients[1:] == units.patients[:-1])
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
