"""Tables of rates: of all cases and of each circumstance, and how groups and months compare."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.audit.audited_cases import DIMENSIONS, RADPEER, AuditedCases, Dimension
from evaluation.audit.figures import ANY, CONFIRMED, DISAGREEMENT, FLAGGED, FigureTable
from evaluation.audit.pooling import false_discovery, pool, two_sided
from evaluation.audit.result_folder import Cell, Table
from overread.audit.clustered import LEAST_PATIENTS, GroupCounts, group_counts
from overread.audit.control_charts import funnel_limits, overdispersion
from overread.audit.months import LEAST_MONTHS, REFERENCE_MONTHS, charted_months

Floats = NDArray[np.float64]

ALL = "all"
COMPARED = (DISAGREEMENT, FLAGGED, CONFIRMED)
_CALLED = 0.05  # false discovery rate


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counted:
    """What was counted by one circumstance."""

    name: str
    levels: tuple[str, ...]
    figures: tuple[tuple[str, str], ...]
    counts: GroupCounts

    def told(self, group: int, figure: int) -> bool:
        """Return whether the group is large enough to be told of."""
        return self.name == ALL or bool(self.counts.patients[group, figure] >= LEAST_PATIENTS)


def counted(cases: AuditedCases, figures: FigureTable, patients: NDArray[np.integer]) -> list[Counted]:
    """Return the counts of all cases, then by each circumstance of which something is known."""
    ordered = cases.arrays.ordered
    found = [_counted(ALL, Dimension(levels=(ALL,), codes=np.where(ordered, 0, -1)), figures, patients)]
    for name in DIMENSIONS:
        dimension = cases.dimensions[name]
        codes = np.where(ordered, dimension.codes, -1)
        if (codes >= 0).any():
            found.append(_counted(name, Dimension(levels=dimension.levels, codes=codes), figures, patients))
    return found


def rates_table(found: Sequence[Counted]) -> Table:
    """Return every share with its interval."""
    return Table(
        name="rates",
        meaning="Shares of cases with 95 % intervals, of all and by circumstance; groups of fewer than "
        f"{LEAST_PATIENTS} patients are left blank",
        columns=(
            "dimension", "level", "finding", "figure", "cases", "hits", "patients", "value", "low", "high",
            "effective_cases",
        ),
        rows=[row for item in found for row in _rates(item)],
    )  # fmt: skip


def comparisons_table(found: Sequence[Counted]) -> Table:
    """Return how the groups of each circumstance compare with all others of it."""
    return Table(
        name="comparisons",
        meaning="Groups against all others of the same circumstance: share, the share drawn towards all "
        "where little is known, funnel limits (99.8 %), p, and the false discovery rate at which it would be "
        "called",
        columns=(
            "dimension", "level", "figure", "cases", "effective_cases", "value", "low", "high", "pooled",
            "pooled_low", "pooled_high", "expected", "funnel_low", "funnel_high", "p", "q", "stands_out",
        ),
        rows=[
            row
            for item in found
            if item.name not in (ALL, "month")
            for figure in _compared(item)
            for row in _comparison(item, figure)
        ],
    )  # fmt: skip


def months_table(found: Sequence[Counted], *, seed: int) -> Table:
    """Return the p-chart and the CUSUM of each compared figure over the months."""
    months = [item for item in found if item.name == "month" and len(item.levels) >= LEAST_MONTHS]
    return Table(
        name="months",
        meaning=f"Months against the first {REFERENCE_MONTHS}: limits between which 99.8 % of months lie, "
        "and a CUSUM with the stated chance of a false alarm over all months together",
        columns=(
            "figure", "month", "cases", "effective_cases", "value", "expected", "limit_low", "limit_high",
            "outside", "cusum_up", "cusum_down", "cusum_limit", "cusum_false_alarms", "alarm",
        ),
        rows=[
            row for item in months for figure in _compared(item) for row in _months(item, figure, seed)
        ],
    )  # fmt: skip


def radpeer_table(cases: AuditedCases, patients: NDArray[np.integer]) -> Table:
    """Return the shares of RADPEER scores, of the cases that were scored."""
    scores = cases.dimensions[RADPEER]
    scored = cases.arrays.ordered & (scores.codes >= 0)
    hits = np.column_stack(
        [scored & (scores.codes == place) for place in range(len(scores.levels))] or [scored]
    )
    counts = group_counts(hits, scored[:, None], np.where(scored, 0, -1), patients, 1)
    rows: list[tuple[Cell, ...]] = []
    for place, level in enumerate(scores.levels):
        share = counts.estimate(0, place)
        numbers = int(counts.hits[0, place]), int(counts.cases[0, place]), share.n
        rows.append((level, *numbers, share.value, share.low, share.high))
    return Table(
        name="radpeer",
        meaning="RADPEER scores (2016) of the cases that were scored; these are mostly flagged ones, so that "
        "the shares are not those of all reports",
        columns=("score", "hits", "cases", "patients", "value", "low", "high"),
        rows=rows,
    )


def _counted(name: str, dimension: Dimension, figures: FigureTable, patients: NDArray[np.integer]) -> Counted:
    counts = group_counts(figures.hits, figures.cases, dimension.codes, patients, len(dimension.levels))
    return Counted(name=name, levels=dimension.levels, figures=figures.names, counts=counts)


def _rates(item: Counted) -> Iterator[tuple[Cell, ...]]:
    counts = item.counts
    for group, level in enumerate(item.levels):
        for figure, (finding, name) in enumerate(item.figures):
            if not counts.cases[group, figure]:
                continue
            place = (item.name, level, finding, name)
            if not item.told(group, figure):
                yield (*place, *(None,) * 7)
                continue
            share = counts.estimate(group, figure)
            numbers = (
                counts.cases[group, figure],
                counts.hits[group, figure],
                counts.patients[group, figure],
            )
            yield (
                *place,
                *(int(number) for number in numbers),
                share.value,
                share.low,
                share.high,
                counts.effective_cases(group, figure),
            )


def _compared(item: Counted) -> list[int]:
    return [
        number for number, (finding, name) in enumerate(item.figures) if finding == ANY and name in COMPARED
    ]


def _comparison(item: Counted, figure: int) -> Iterator[tuple[Cell, ...]]:
    counts = item.counts
    told = [group for group in range(len(item.levels)) if item.told(group, figure)]
    if len(told) < 2:
        return
    units = np.array([counts.effective_cases(group, figure) for group in told])
    shares = np.array([counts.hits[group, figure] / counts.cases[group, figure] for group in told])
    expected = float(counts.hits[told, figure].sum() / counts.cases[told, figure].sum())
    if not 0 < expected < 1:
        return
    pooled = pool(shares * units, units)
    spread = overdispersion(shares, units, expected)
    low, high = funnel_limits(expected, units, spread)[1]
    found = np.array([counts.hits[group, figure] for group in told])
    of = np.array([counts.cases[group, figure] for group in told])
    p_values = _against_rest(found, of, units)
    q_values = false_discovery(p_values)
    for place, group in enumerate(told):
        share = counts.estimate(group, figure)
        drawn = (math.nan,) * 3
        if pooled is not None:
            drawn = (pooled[1][place].value, pooled[1][place].low, pooled[1][place].high)
        yield (
            item.name, item.levels[group], item.figures[figure][1], int(counts.cases[group, figure]),
            float(units[place]), share.value, share.low, share.high, *drawn, expected, float(low[place]),
            float(high[place]), p_values[place], q_values[place], bool(q_values[place] <= _CALLED),
        )  # fmt: skip


def _against_rest(hits: Floats, cases: Floats, units: Floats) -> list[float]:
    """Return p of each group against all others, by the effective cases of both sides.

    The variance is that of the common share, as if there were no difference; NaN where there is none.
    """
    rest = (hits.sum() - hits) / (cases.sum() - cases)
    rest_units = units.sum() - units
    common = (hits / cases * units + rest * rest_units) / (units + rest_units)
    variance = common * (1 - common) * (1 / units + 1 / rest_units)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = np.where(variance > 0, (hits / cases - rest) / np.sqrt(variance), np.nan)
    return [two_sided(float(score)) for score in scores]


def _months(item: Counted, figure: int, seed: int) -> Iterator[tuple[Cell, ...]]:
    for month in charted_months(item.counts, figure, seed=seed):
        yield (
            item.figures[figure][1],
            item.levels[month.group],
            month.cases,
            month.effective_cases,
            month.value,
            month.expected,
            month.low,
            month.high,
            month.is_outside,
            month.cusum_up,
            month.cusum_down,
            month.cusum_limit,
            month.cusum_false_alarms,
            month.is_alarm,
        )
