"""How many cases are positive, when readers err and nobody knows the truth: a range, never one number.

Latent classes take every case for positive or negative and each reader for right with a certain share. If
they err independently of one another (Dawid and Skene, Appl Stat 1979;28:20-28) the share of positive cases
can be estimated; if they err together, on the same hard cases, that estimate is wrong, and reads alone hardly
tell the two apart (Albert and Dodd, Biometrics 2004;60:427-435). So two models are fitted: without
dependence, and with a hard-to-easy scale of cases that all readers share within each class (Qu, Tan and
Kutner, Biometrics 1996;52:797-810; logistic in place of probit). The range holds every share that either of
them does not exclude (profile likelihood, 95 %).
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from overread.errors import InputError

Floats = NDArray[np.float64]

GRID = np.concatenate(
    [
        [0.001, 0.002, 0.004, 0.007, 0.01, 0.015, 0.02, 0.03, 0.04, 0.055, 0.07, 0.085],
        np.arange(0.1, 0.2, 0.02),
        np.arange(0.2, 0.5, 0.025),
        np.arange(0.5, 0.91, 0.05),
        [0.95, 0.98],
    ]
).round(3)
"""Shares of positive cases that are tried."""

KNOWN_WITHIN = 0.1
"""A range that is narrower, from end to end, says how many are positive; a wider one does not."""

_CHI_SQUARE = 3.841458820694124  # 95 %, one degree of freedom
_NODES = 13
_ROUNDS = 600
_STARTS = ((0.2, 0.2), (2.5, 0.3), (0.3, 2.5), (2.0, 2.0))  # dependence among positives and negatives
_STEP_MAX = 1.0
_RIDGE_LEVEL, _RIDGE_SPREAD = 0.02, 0.1  # keeps shares off 0 and 1, and dependence finite


@dataclass(frozen=True, slots=True, kw_only=True)
class PrevalenceRange:
    """Shares of positive cases that the reads do not exclude."""

    independent: float  # most likely share, if readers erred independently
    dependent: float  # most likely share, if some cases are hard for all
    low: float
    high: float
    dependence: float  # twice the log likelihood that dependence gains; above 6 it is there

    @property
    def most_uncertain(self) -> float:
        """Share within the range whose estimation takes the most adjudications."""
        return min(max(0.5, self.low), self.high)

    @property
    def is_known(self) -> bool:
        """Whether the range is narrow enough to say how many are positive."""
        return self.high - self.low <= KNOWN_WITHIN


def prevalence_range(reads: Floats) -> PrevalenceRange:
    """Return the range of the share of positive cases.

    It takes for granted that the readers together say yes more often of positive cases than of negative ones,
    and of negative ones less often than not.

    Args:
        reads: (cases, readers) 1 or 0.

    Raises:
        InputError: fewer than three readers, or a read is missing.
    """
    if reads.shape[1] < 3 or np.isnan(reads).any():
        raise InputError("latent classes need three readers or more, each of whom read every case")
    cells, counts = np.unique(reads, axis=0, return_counts=True)
    curves = [_profile(cells, counts.astype(np.float64), dependent=flag) for flag in (False, True)]
    curves[1] = np.maximum(curves[1], curves[0])  # the wider model holds the narrower
    kept = [GRID[curve >= curve.max() - _CHI_SQUARE / 2] for curve in curves]
    return PrevalenceRange(
        independent=float(GRID[curves[0].argmax()]),
        dependent=float(GRID[curves[1].argmax()]),
        low=float(min(shares.min() for shares in kept)),
        high=float(max(shares.max() for shares in kept)),
        dependence=float(2 * (curves[1].max() - curves[0].max())),
    )


def _profile(cells: Floats, counts: Floats, *, dependent: bool) -> Floats:
    """Return the greatest log likelihood at each share of `GRID`, by expectation and maximisation.

    All shares and starts are fitted at once: the first axis of every array.
    """
    starts = _STARTS if dependent else ((0.0, 0.0),)
    problems = list(product(GRID, starts))
    share = np.array([item[0] for item in problems])
    spread = np.array([item[1] for item in problems])  # (problems, 2) positive, negative
    level = np.tile(np.array([1.0, -3.0])[None, :, None], (len(problems), 1, cells.shape[1]))
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES if dependent else 1)
    weights = weights / weights.sum()
    prior = np.stack([share, 1 - share], axis=1)[:, :, None, None] * weights
    for _ in range(_ROUNDS):
        chance = _chance(level, spread, nodes)
        joint = prior * _likelihood(cells, chance)
        part = joint * (counts[:, None] / joint.sum(axis=(1, 3))[:, None, :, None])
        level, spread = _improved(level, spread, (cells, part, chance, nodes), dependent=dependent)
    chance = _chance(level, spread, nodes)
    total = (prior * _likelihood(cells, chance)).sum(axis=(1, 3))
    fit = (counts * np.log(total)).sum(axis=1)
    fit -= _RIDGE_LEVEL / 2 * (level**2).sum(axis=(1, 2)) + _RIDGE_SPREAD / 2 * (spread**2).sum(axis=1)
    means = (chance @ weights).mean(axis=2)  # of all readers, (problems, 2)
    fit[(means[:, 0] <= means[:, 1]) | (means[:, 1] >= 0.5)] = -np.inf
    best: Floats = fit.reshape(len(GRID), len(starts)).max(axis=1)
    return best


def _chance(level: Floats, spread: Floats, nodes: Floats) -> Floats:
    """Return of each reader the chance of a yes, (problems, classes, readers, nodes)."""
    chance: Floats = 1 / (1 + np.exp(-(level[..., None] + spread[:, :, None, None] * nodes)))
    return np.clip(chance, 1e-9, 1 - 1e-9)


def _likelihood(cells: Floats, chance: Floats) -> Floats:
    """Return the chance of each pattern of reads, (problems, classes, patterns, nodes)."""
    logs = cells @ np.log(chance) + (1 - cells) @ np.log1p(-chance)
    likelihood: Floats = np.exp(logs)
    return likelihood


def _improved(
    level: Floats, spread: Floats, now: tuple[Floats, Floats, Floats, Floats], *, dependent: bool
) -> tuple[Floats, Floats]:
    """Return levels and spreads after one Newton step each."""
    cells, part, chance, nodes = now
    total = part.sum(axis=2)[:, :, None, :]  # of each node
    apart = cells.T @ part - total * chance
    bend = total * chance * (1 - chance)
    step = (apart.sum(axis=3) - _RIDGE_LEVEL * level) / (bend.sum(axis=3) + _RIDGE_LEVEL)
    level = level + np.clip(step, -_STEP_MAX, _STEP_MAX)
    if dependent:
        slope = (apart * nodes).sum(axis=(2, 3)) - _RIDGE_SPREAD * spread
        curve = (bend * nodes**2).sum(axis=(2, 3)) + _RIDGE_SPREAD
        spread = spread + np.clip(slope / curve, -_STEP_MAX, _STEP_MAX)
    return level, spread
