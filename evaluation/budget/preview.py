"""Effect that a budget would have had on a site's own past cases."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from evaluation.budget.past import Adjudicated, Calendar, Past
from evaluation.budget.solver import CLOSED, Floats, Progress, Solution, silent, solve
from overread.statistics import Estimate, bootstrap_estimate
from overread.thresholds import Pair, Thresholds

RESAMPLES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Number of cases that can be looked at in a time."""

    per_day: float
    share_of_days: float | None  # of the days on which it must suffice; None: it must suffice on average


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPreview:
    """Effect of the threshold of one finding and kind."""

    pair: Pair
    threshold: float  # CLOSED where nothing of it is looked at
    rows: int  # that reach it
    alone: int  # cases that are looked at for it alone
    judged: int  # of these rows, by the second reader
    confirmed: int


def solve_budget(past: Past, calendar: Calendar, budget: Budget, *, progress: Progress = silent) -> Solution:
    """Return the best thresholds that keep the budget on the past cases.

    Raises:
        ValueError: a share of days is asked for, and the days of the cases are not known.
    """
    looks = int(budget.per_day * calendar.days + 1e-9)
    whole = solve(past.rows, looks, progress=progress)
    if budget.share_of_days is None:
        return whole
    if calendar.day_of is None:
        raise ValueError("a share of days needs the days of the cases")
    kept, low, high = solve(past.rows, 0), 0, min(looks, len(past.cases)) + 1
    if _share_within(whole, calendar, budget.per_day) >= budget.share_of_days:
        return whole
    while high - low > 1:
        middle = (low + high) // 2
        tried = solve(past.rows, middle, progress=progress)
        if _share_within(tried, calendar, budget.per_day) >= budget.share_of_days:
            kept, low = tried, middle
        else:
            high = middle
    return kept


def one_threshold_benefit(past: Past, looks: int) -> float:
    """Return the benefit of one threshold on the priority of rows, the same for all findings and kinds."""
    rows = past.rows
    best = np.zeros(rows.cases)
    np.maximum.at(best, rows.case, rows.benefit)
    last = np.sort(best)[::-1]  # of cases; those of equal priority are looked at together or not at all
    above = 0.0 if looks >= len(last) else float(last[looks])
    return float(rows.benefit[rows.benefit > above].sum())


def preview_pairs(past: Past, solution: Solution, adjudicated: Adjudicated | None) -> Iterator[PairPreview]:
    """Yield what each threshold does, the one with most rows first."""
    rows = past.rows
    reached = rows.probability >= solution.thresholds[rows.stratum]
    reasons = np.bincount(rows.case[reached], minlength=len(past.cases))
    counts = np.bincount(rows.stratum[reached], minlength=rows.strata)
    alone = np.bincount(rows.stratum[reached & (reasons[rows.case] == 1)], minlength=rows.strata)
    place = {pair: number for number, pair in enumerate(past.pairs)}
    judged, confirmed = np.zeros(rows.strata, dtype=int), np.zeros(rows.strata, dtype=int)
    if adjudicated is not None:
        flagged = set(zip(rows.case[reached].tolist(), rows.stratum[reached].tolist(), strict=True))
        for counter, pairs_of in ((judged, adjudicated.judged), (confirmed, adjudicated.confirmed)):
            for case, pairs in zip(adjudicated.case.tolist(), pairs_of, strict=True):
                for pair in pairs:
                    if (case, place.get(pair, -1)) in flagged:
                        counter[place[pair]] += 1
    for number in np.argsort(-counts, kind="stable").tolist():
        yield PairPreview(
            pair=past.pairs[number],
            threshold=float(solution.thresholds[number]),
            rows=int(counts[number]),
            alone=int(alone[number]),
            judged=int(judged[number]),
            confirmed=int(confirmed[number]),
        )


def preview_confirmed(
    past: Past, solution: Solution, calendar: Calendar, adjudicated: Adjudicated, *, seed: int
) -> Mapping[str, Estimate]:
    """Return what the looks would have confirmed, by figure in words, as far as the adjudicated cases tell.

    They are taken for a fair sample of the cases looked at. The weight of a confirmed discrepancy is the
    priority that it would have with probability 1.

    Raises:
        ValueError: none of the adjudicated cases is looked at, or none has a confirmed discrepancy.
    """
    looked = solution.looked_at[adjudicated.case]
    found = np.array([len(pairs) for pairs in adjudicated.confirmed], dtype=np.float64)
    weights = _weights(past)
    weighed = np.array([sum(weights.get(pair, 0.0) for pair in pairs) for pairs in adjudicated.confirmed])
    if not (looked & (found > 0)).any():
        raise ValueError("no confirmed discrepancy lies in an adjudicated case that is looked at")
    per_day = float(solution.looked_at.sum()) / calendar.days
    figures: dict[str, Callable[[NDArray[np.intp]], float]] = {
        "share of the looks that confirm a discrepancy": lambda rows: _mean(found[rows] > 0, looked[rows]),
        "confirmed discrepancies a day": lambda rows: per_day * _mean(found[rows], looked[rows]),
        "confirmed weight a day": lambda rows: per_day * _mean(weighed[rows], looked[rows]),
        "share of all confirmed discrepancies": lambda rows: _part(found[rows], looked[rows]),
        "share of all confirmed weight": lambda rows: _part(weighed[rows], looked[rows]),
    }
    return {
        name: bootstrap_estimate(adjudicated.patient, figure, resamples=RESAMPLES, seed=seed)
        for name, figure in figures.items()
    }


def thresholds_of(past: Past, solution: Solution, chosen_on: str) -> Thresholds:
    """Return the solution as the thresholds that a policy can include; the version follows from them."""
    pairs = list(zip(past.pairs, solution.thresholds.tolist(), strict=True))
    digest = sha256(repr(sorted(pairs)).encode()).hexdigest()
    return Thresholds(
        version=digest[:12],
        chosen_on=chosen_on,
        probabilities=MappingProxyType({pair: value for pair, value in pairs if value != CLOSED}),
        never=frozenset(pair for pair, value in pairs if value == CLOSED),
    )


def curve(past: Past, calendar: Calendar, per_day: Sequence[float]) -> Iterator[tuple[Solution, float]]:
    """Yield, for each number of looks a day on average, the solution and the benefit of one threshold."""
    for number in per_day:
        looks = int(number * calendar.days + 1e-9)
        yield solve(past.rows, looks), one_threshold_benefit(past, looks)


def _share_within(solution: Solution, calendar: Calendar, per_day: float) -> float:
    counts = calendar.per_day(solution.looked_at)
    return 1.0 if counts is None else float((counts <= per_day).mean())


def _weights(past: Past) -> dict[Pair, float]:
    """Return the priority at probability 1 of each pair: the median over its rows."""
    rows = past.rows
    known = rows.probability > 0
    ratio = rows.benefit[known] / rows.probability[known]
    return {
        pair: float(np.median(ratio[mine]))
        for number, pair in enumerate(past.pairs)
        if (mine := rows.stratum[known] == number).any()
    }


def _mean(values: NDArray[np.bool_] | Floats, looked: NDArray[np.bool_]) -> float:
    if not looked.any():
        raise ValueError("none is looked at")
    return float(values[looked].mean())


def _part(values: Floats, looked: NDArray[np.bool_]) -> float:
    if not values.sum():
        raise ValueError("nothing to find")
    return float(values[looked].sum() / values.sum())
