"""Months of a figure against the first of them: a p-chart and a CUSUM, of the months that may be told."""

from dataclasses import dataclass

import numpy as np

from overread.audit.clustered import LEAST_PATIENTS, GroupCounts
from overread.audit.control_charts import Cusum, binomial_limits, cusum

REFERENCE_MONTHS = 6
LEAST_MONTHS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartedMonth:
    """One month of a chart."""

    group: int  # number of the month among those counted
    cases: int
    effective_cases: float
    value: float
    expected: float  # share in the reference months
    low: float  # between the limits lie 99.8 % of such months, if nothing changed
    high: float
    cusum_up: float
    cusum_down: float  # not above 0
    cusum_limit: float
    cusum_false_alarms: float  # chance of any alarm over all months, if nothing changed
    is_alarm: bool  # of the CUSUM

    @property
    def is_outside(self) -> bool:
        """Whether it lies beyond its limits."""
        return not self.low <= self.value <= self.high


def charted_months(counts: GroupCounts, figure: int, *, seed: int) -> list[ChartedMonth]:
    """Return the months in time, without those of too few patients; none where too few months are left.

    Args:
        counts: of groups that are months, in time.
        figure: which of the figures.
        seed: of the simulation that finds the limit of the CUSUM.
    """
    told = np.flatnonzero(counts.patients[:, figure] >= LEAST_PATIENTS)
    if len(told) < LEAST_MONTHS:
        return []
    units = np.array([counts.effective_cases(int(group), figure) for group in told])
    shares = counts.hits[told, figure] / counts.cases[told, figure]
    chart = cusum(shares * units, units, REFERENCE_MONTHS, seed=seed)
    if chart is None:
        return []
    return [
        _month(counts, (int(group), figure), float(units[place]), chart, place)
        for place, group in enumerate(told)
    ]


def _month(counts: GroupCounts, at: tuple[int, int], units: float, chart: Cusum, place: int) -> ChartedMonth:
    low, high = binomial_limits(chart.expected, max(round(units), 1))
    cases = int(counts.cases[at])
    return ChartedMonth(
        group=at[0],
        cases=cases,
        effective_cases=units,
        value=float(counts.hits[at]) / cases,
        expected=chart.expected,
        low=low,
        high=high,
        cusum_up=float(chart.upwards[place]),
        cusum_down=float(chart.downwards[place]),
        cusum_limit=chart.limit,
        cusum_false_alarms=chart.false_alarms,
        is_alarm=bool(chart.alarms[place]),
    )
