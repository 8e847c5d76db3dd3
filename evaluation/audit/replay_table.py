"""Tables of a replay: flags, workload and cost of both ways, by month and as a whole; changed cases."""

from collections.abc import Iterator

import numpy as np

from evaluation.audit.replay import Replay
from evaluation.audit.result_folder import Cell, Table
from overread.flag_yield import PartYield, lead, part_yield, reads_per_confirmed, total
from overread.statistics import Estimate

FEW_READS = 20
"""Reads of a part of the list; with fewer the table says on how many its number rests."""
_HEADS = ("before", "before_low", "before_high", "after", "after_low", "after_high")
_LEADS = ("difference", "low", "high", "remark")
_MINUTES = 60


def replay_tables(found: Replay, minutes_per_read: float) -> list[Table]:
    """Return the figures, the months and the cases that one way flags and the other does not.

    Args:
        found: flags of both ways.
        minutes_per_read: what a second read takes, by which the workload is told.
    """
    return [
        Table(
            name="replay",
            meaning="Flags, workload in hours, discrepancies among the flags as estimated from the reads, "
            "and reads and minutes for each of them, with 95 % intervals. That of a difference of "
            "discrepancies is of what one way flags and the other does not; of reads and minutes it takes "
            "both ways for independent, and is wide",
            columns=("figure", *_HEADS, *_LEADS),
            rows=list(_figures(found, minutes_per_read)),
        ),
        Table(
            name="replay_months",
            meaning="Flags of each month, both ways",
            columns=("month", "cases", "before", "after", "both"),
            rows=list(_months(found)),
        ),
        Table(
            name="replay_cases",
            meaning="Cases that one way flags and the other does not, and what a second read said of them",
            columns=("case", "month", "flagged", "read", "confirmed"),
            rows=list(_changed(found)),
        ),
    ]


def _figures(found: Replay, minutes: float) -> Iterator[tuple[Cell, ...]]:
    before, after = int(found.before.sum()), int(found.after.sum())
    both = int((found.before & found.after).sum())
    yield _exact("cases", len(found.cases), len(found.cases))
    yield _exact("flagged", before, after)
    yield _exact("flagged_one_way_only", before - both, after - both)
    yield _exact("hours", before * minutes / _MINUTES, after * minutes / _MINUTES)
    same = part_yield(found.reads, found.before & found.after)
    lost = part_yield(found.reads, found.before & ~found.after)
    gained = part_yield(found.reads, found.after & ~found.before)
    remark = "; ".join(_remarks(same, "both ways")) or None
    own = "; ".join([*_remarks(lost, "before only"), *_remarks(gained, "after only")]) or None
    if lost.confirmed is None or gained.confirmed is None:
        yield ("confirmed_discrepancies", *[None] * 9, own)
        return
    leading = lead(gained.confirmed, lost.confirmed)
    if same.confirmed is None:
        yield (
            "confirmed_discrepancies",
            *[None] * 6,
            *_ends(leading),
            "; ".join(filter(None, (remark, own))),
        )
        return
    sums = total(same.confirmed, lost.confirmed), total(same.confirmed, gained.confirmed)
    said = "; ".join(filter(None, (remark, own))) or None
    yield ("confirmed_discrepancies", *_ends(sums[0]), *_ends(sums[1]), *_ends(leading), said)
    costs = reads_per_confirmed(before, sums[0]), reads_per_confirmed(after, sums[1])
    for name, scale in (("reads_per_confirmed", 1.0), ("minutes_per_confirmed", minutes)):
        yield (name, *_cost(costs[0], scale), *_cost(costs[1], scale), *_cost_lead(costs, scale), None)


def _remarks(part: PartYield, name: str) -> Iterator[str]:
    if part.confirmed is None:
        yield f"none of the {part.cases} cases flagged {name} was read: nothing is known of them"
    elif part.is_alike:
        yield f"the {part.cases - part.read} unread of those flagged {name} are taken to be like those read"
    if part.confirmed is not None and part.read < min(FEW_READS, part.cases):
        yield f"of the {part.cases} flagged {name} {part.read} were read"


def _months(found: Replay) -> Iterator[tuple[Cell, ...]]:
    months = np.array(found.months)
    for month in np.unique(months[months != ""]).tolist():
        rows = months == month
        yield (
            month,
            int(rows.sum()),
            *(int((rows & flags).sum()) for flags in (found.before, found.after, found.before & found.after)),
        )


def _changed(found: Replay) -> Iterator[tuple[Cell, ...]]:
    for place in np.flatnonzero(found.before != found.after).tolist():
        flagged = "after only" if found.after[place] else "before only"
        read = bool(found.reads.read[place])
        confirmed = bool(found.reads.found[place]) if read else None
        yield found.cases[place], found.months[place], flagged, read, confirmed


def _exact(name: str, before: float, after: float) -> tuple[Cell, ...]:
    return (name, before, None, None, after, None, None, after - before, None, None, None)


def _ends(estimate: Estimate) -> tuple[Cell, ...]:
    return estimate.value, estimate.low, estimate.high


def _cost(cost: Estimate, scale: float) -> tuple[Cell, ...]:
    return tuple(_known(scale * value) for value in (cost.value, cost.low, cost.high))


def _cost_lead(costs: tuple[Estimate, Estimate], scale: float) -> tuple[Cell, ...]:
    if not all(np.isfinite([costs[0].value, costs[1].value])):
        return None, None, None
    return tuple(_known(scale * value) for value in _ends(lead(costs[1], costs[0])))  # type: ignore[operator]


def _known(value: float) -> float | None:
    """Return nothing in place of an infinite cost: there may be no discrepancy among the flags."""
    return value if np.isfinite(value) else None
