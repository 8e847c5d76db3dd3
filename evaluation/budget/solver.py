"""Pairs of finding and kind that are worth a look, when only so many cases can be looked at.

Every stratum (a finding and a kind) gets one threshold, from which on its rows are asked about. A case with
such a row is looked at, and costs one look however many of its rows are asked about. The benefit is that of
the rows asked about: what is found by chance is not counted on. Sought are the thresholds with the highest
benefit within a number of looks.

Where every case has one row, the strata are independent: lowering all thresholds until the next case of each
is worth the same (the Lagrange multiplier, the price of a look) is exact (Everett, Operations Research
1963;11:399). Cases with several rows couple the strata, and the problem is one of covering, for which no fast
exact method is known. There, each stratum in turn is set to its best while the others stay, until none can be
bettered. The result comes with a ceiling that no thresholds exceed: the lower of the best cases picked one by
one, and of the Lagrangian dual in which only a case's best row pays for the look.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]

Progress = Callable[[str, int], None]  # what is being done, and how many of it are


def silent(_what: str, _count: int) -> None:
    """Take no note of what is being done."""


CLOSED = np.inf
"""Threshold of a stratum of which nothing is looked at."""

_PRICES = 48  # halvings of the interval of prices
_ROUNDS_MAX = 50  # of settling the strata one after the other; it ends long before


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of ranked cases, at most one for a case and stratum. Arrays have shape (rows,)."""

    case: Numbers  # number of the case
    stratum: Numbers  # number of the stratum
    probability: Floats  # orders a stratum
    benefit: Floats  # expected of asking about the row, 0 or more
    cases: int
    strata: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """Thresholds within a number of looks."""

    thresholds: Floats  # probability from which a row is asked about, CLOSED for none; shape (strata,)
    looked_at: NDArray[np.bool_]  # shape (cases,)
    benefit: float  # of all rows asked about
    ceiling: float  # no thresholds have more within the same looks


def solve(rows: Rows, looks: int, *, progress: Progress = silent) -> Solution:
    """Return thresholds that use at most `looks` looks.

    Raises:
        ValueError: `looks` is negative, or a benefit is.
    """
    if looks < 0 or (rows.benefit < 0).any():
        raise ValueError("looks and benefits cannot be negative")
    strata = [_Stratum(rows, number) for number in range(rows.strata)]
    best = np.zeros(rows.strata, dtype=np.intp)
    for tried, price in enumerate(_prices(rows, strata, looks, progress)):
        progress("prices of a look weighed", tried)
        taken = _filled(rows, strata, _settled(rows, strata, price), looks)
        if taken is not None and _benefit(strata, taken) > _benefit(strata, best):
            best = taken
    return Solution(
        thresholds=np.array(
            [part.threshold(taken) for part, taken in zip(strata, best.tolist(), strict=True)]
        ),
        looked_at=_coverage(rows, strata, best) > 0,
        benefit=_benefit(strata, best),
        ceiling=_ceiling(rows, strata, looks),
    )


def looked_at(rows: Rows, thresholds: Floats) -> NDArray[np.bool_]:
    """Return which cases have a row that reaches the threshold of its stratum, shape (cases,)."""
    chosen = np.zeros(rows.cases, dtype=np.bool_)
    chosen[rows.case[rows.probability >= thresholds[rows.stratum]]] = True
    return chosen


class _Stratum:
    """The rows of one stratum, most probable first. A threshold takes a number of its first rows."""

    def __init__(self, rows: Rows, number: int) -> None:
        mine = np.flatnonzero(rows.stratum == number)
        mine = mine[np.argsort(-rows.probability[mine], kind="stable")]
        self.rows = mine
        self.case = rows.case[mine]
        self.benefit = rows.benefit[mine]
        self._probability = rows.probability[mine]
        # rows of equal probability are taken together: the numbers that a threshold can take
        self.ends = (
            np.flatnonzero(np.r_[self._probability[1:] != self._probability[:-1], True][: len(mine)]) + 1
        )

    def threshold(self, taken: int) -> float:
        return float(self._probability[taken - 1]) if taken else CLOSED

    def sums(self, worth: Floats) -> Floats:
        """Return the worth of as many first rows as a threshold can take: none, then up to each of `ends`."""
        return np.concatenate([np.zeros(1), np.cumsum(worth)[self.ends - 1]])

    def best(self, worth: Floats) -> int:
        """Return how many first rows have the highest sum of worth; the fewest of equals."""
        return int(np.r_[0, self.ends][np.argmax(self.sums(worth))])


def _ceiling(rows: Rows, strata: Sequence[_Stratum], looks: int) -> float:
    """Return a benefit that no thresholds within the looks exceed.

    At any price of a look, the benefit of affordable thresholds is at most what is bought at that price plus
    the price of all looks. If only the best row of a case pays, the look is paid once at most, and the strata
    are independent.
    """
    pays = np.zeros(len(rows.case), dtype=np.bool_)
    leading = np.lexsort((-rows.benefit, rows.case))
    pays[leading[np.flatnonzero(np.diff(rows.case[leading], prepend=-1))]] = True
    whole = np.bincount(rows.case, rows.benefit, rows.cases)
    picked = float(np.sort(whole)[::-1][:looks].sum())

    def bought(price: float) -> float:
        return price * looks + sum(
            float(part.sums(part.benefit - price * pays[part.rows]).max()) for part in strata
        )

    low, high = 0.0, float(whole.max(initial=0.0))
    for _ in range(_PRICES):  # convex in the price
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, right) if bought(left) <= bought(right) else (left, high)
    return min(picked, bought(high))


def _prices(rows: Rows, strata: Sequence[_Stratum], looks: int, progress: Progress) -> Sequence[float]:
    """Return prices of a look around the one at which the settled strata use just the looks there are."""
    low, high = 0.0, float(np.bincount(rows.case, rows.benefit).max(initial=0.0))
    prices = [low, high]
    for tried in range(_PRICES):
        progress("prices of a look tried", tried)
        price = (low + high) / 2
        used = int((_coverage(rows, strata, _settled(rows, strata, price)) > 0).sum())
        prices.append(price)
        low, high = (price, high) if used > looks else (low, price)
        if high - low <= 1e-9 * high:
            break
    return prices


def _settled(rows: Rows, strata: Sequence[_Stratum], price: float) -> Numbers:
    """Return rows to take of each stratum, where no stratum alone can better benefit less price."""
    cover = np.zeros(rows.cases, dtype=np.intp)
    taken = np.zeros(len(strata), dtype=np.intp)
    for _ in range(_ROUNDS_MAX):
        before = taken.copy()
        for number, part in enumerate(strata):
            cover[part.case[: taken[number]]] -= 1
            taken[number] = part.best(part.benefit - np.where(cover[part.case] == 0, price, 0.0))
            cover[part.case[: taken[number]]] += 1
        if (taken == before).all():
            break
    return taken


def _filled(rows: Rows, strata: Sequence[_Stratum], taken: Numbers, looks: int) -> Numbers | None:
    """Return the rows taken with what the looks left over still allow; None if there are too many already."""
    taken = taken.copy()
    while True:
        cover = _coverage(rows, strata, taken)
        left = looks - int((cover > 0).sum())
        if left < 0:
            return None
        gained = 0.0
        for number, part in enumerate(strata):
            new = cover[part.case] == 0
            new[: taken[number]] = False
            within = part.ends[np.cumsum(new)[part.ends - 1] <= left]
            end = int(within[-1]) if len(within) else 0
            gain = float(part.benefit[taken[number] : end].sum())
            if gain > gained:
                gained, choice, last = gain, number, end
        if not gained:
            return taken
        taken[choice] = last


def _coverage(rows: Rows, strata: Sequence[_Stratum], taken: Numbers) -> Numbers:
    cover = np.zeros(rows.cases, dtype=np.intp)
    for part, number in zip(strata, taken, strict=True):
        cover[part.case[:number]] += 1
    return cover


def _benefit(strata: Sequence[_Stratum], taken: Numbers) -> float:
    return sum(float(part.benefit[:number].sum()) for part, number in zip(strata, taken, strict=True))
