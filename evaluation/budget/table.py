"""The preview of a budget as lines of text."""

from collections.abc import Iterator, Mapping, Sequence

from evaluation.budget.past import Adjudicated, Calendar, Past
from evaluation.budget.preview import (
    RESAMPLES,
    Budget,
    PairPreview,
    one_threshold_benefit,
    preview_pairs,
)
from evaluation.budget.solver import CLOSED, Solution
from overread.statistics import Estimate


def lines_of(
    past: Past,
    calendar: Calendar,
    budget: Budget,
    solution: Solution,
    adjudicated: Adjudicated | None,
) -> Iterator[str]:
    """Yield what the budget would have meant for the past cases, without what was confirmed."""
    yield (
        f"{len(past.cases):,} past cases with {len(past.rows.case):,} rows on {calendar.days:,} days; "
        f"budget: {budget.per_day:g} looks a day"
        + ("" if budget.share_of_days is None else f" on {budget.share_of_days:.0%} of the days")
    )
    yield from _day_lines(calendar, budget, solution)
    yield from _benefit_lines(past, solution)
    yield ""
    yield from _pair_lines(tuple(preview_pairs(past, solution, adjudicated)), calendar, adjudicated)


def confirmed_lines(estimates: Mapping[str, Estimate], adjudicated: Adjudicated) -> Iterator[str]:
    """Yield what the looks would have confirmed."""
    yield (
        f"confirmed, from {len(adjudicated.case):,} adjudicated cases, taken for a fair sample; "
        f"95 % intervals from {RESAMPLES:,} resamples of patients"
    )
    for name, estimate in estimates.items():
        yield f"  {name:48}{estimate.value:9.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _day_lines(calendar: Calendar, budget: Budget, solution: Solution) -> Iterator[str]:
    looks = int(solution.looked_at.sum())
    line = f"looked at: {looks:,} cases, {looks / calendar.days:.1f} a day"
    counts = calendar.per_day(solution.looked_at)
    if counts is None:
        yield line + "; the worst day is not known without --dates"
        return
    above = float((counts > budget.per_day).mean())
    yield line + f"; worst day {int(counts.max())}, more than {budget.per_day:g} on {above:.0%} of the days"


def _benefit_lines(past: Past, solution: Solution) -> Iterator[str]:
    looks = int(solution.looked_at.sum())
    if not solution.ceiling:
        yield "benefit: none; no row has a priority above 0, or there is no look"
        return
    one = one_threshold_benefit(past, looks)
    yield (
        f"expected benefit: {solution.benefit:.1f} points of priority, "
        f"{solution.benefit / max(looks, 1):.2f} a look; one threshold on priority for all: {one:.1f}"
    )
    yield (
        f"  at least {solution.benefit / solution.ceiling:.2%} of the best that any thresholds can do, "
        f"which is at most {solution.ceiling:.1f}"
    )


def _pair_lines(
    pairs: Sequence[PairPreview], calendar: Calendar, adjudicated: Adjudicated | None
) -> Iterator[str]:
    heading = f"{'finding':26}{'kind':32}{'from':>9}{'rows a day':>12}{'alone a day':>13}"
    yield heading + (f"{'confirmed of judged':>22}" if adjudicated else "")
    for pair in pairs:
        finding, kind = pair.pair
        threshold = "never" if pair.threshold == CLOSED else f"{pair.threshold:.4f}"
        line = (
            f"{finding:26}{kind.value:32}{threshold:>9}{pair.rows / calendar.days:>12.2f}"
            f"{pair.alone / calendar.days:>13.2f}"
        )
        yield line + (f"{f'{pair.confirmed} of {pair.judged}':>22}" if adjudicated else "")
