"""Plots of the page of an audit, from its tables."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from overread.audit.control_charts import FUNNEL_LIMITS, funnel_limits
from overread.audit.svg import Mark, Month, Point, funnel_plot, interval_plot, month_chart

Row = Mapping[str, str]
Tables = Mapping[str, Sequence[Row]]

_BY_FINDING = {
    "seen_not_reported": "Seen by the detector, neither stated nor considered by the report",
    "reported_not_seen": "Stated by the report, not seen by the detector",
    "stated": "Stated by the report",
    "confirmed_miss": "Confirmed as missed, of the cases that were read for it",
}
_BARS_MAX = 40  # groups with intervals; more are a funnel
_LEAST_FUNNEL = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A plot, and the table that it shows."""

    title: str
    svg: str
    table: str
    note: str = ""


def plots_of(tables: Tables) -> list[Plot]:
    """Return the plots in the order of the page; what has no numbers has none."""
    return [*_findings(tables), *_months(tables), *_groups(tables)]


def _findings(tables: Tables) -> Iterator[Plot]:
    for figure, title in _BY_FINDING.items():
        rows = [
            row
            for row in tables["rates"]
            if row["dimension"] == "all" and row["figure"] == figure and row["finding"] != "any"
        ]
        if rows:
            marks = [_mark(row, row["finding"]) for row in rows]
            marks.sort(key=lambda mark: -mark.value)
            yield Plot(title=title, svg=interval_plot(marks, title), table="rates")


def _months(tables: Tables) -> Iterator[Plot]:
    for figure in dict.fromkeys(row["figure"] for row in tables["months"]):
        rows = [row for row in tables["months"] if row["figure"] == figure]
        months = [
            Month(
                label=row["month"],
                value=float(row["value"]),
                low=float(row["limit_low"]),
                high=float(row["limit_high"]),
                expected=float(row["expected"]),
                stands_out="True" in (row["outside"], row["alarm"]),
            )
            for row in rows
        ]
        title = f"{figure.capitalize()} by month"
        false_alarms = 100 * float(rows[0]["cusum_false_alarms"])
        yield Plot(
            title=title,
            svg=month_chart(months, title),
            table="months",
            note="Dashed: between these lie 99.8 % of such months, if nothing changed. Red: outside, or an "
            f"alarm of the CUSUM, which gives a false one in {false_alarms:.2g} % of such series.",
        )


def _groups(tables: Tables) -> Iterator[Plot]:
    kinds = dict.fromkeys((row["dimension"], row["figure"]) for row in tables["comparisons"])
    for dimension, figure in kinds:
        rows = [
            row for row in tables["comparisons"] if (row["dimension"], row["figure"]) == (dimension, figure)
        ]
        name = dimension.replace("_", " ")
        title = f"{figure.capitalize()} by {name}"
        if len(rows) >= _LEAST_FUNNEL and dimension not in ("age", "sex", "view"):
            yield Plot(title=title, svg=_funnel(rows, title), table="comparisons", note=_FUNNEL_NOTE)
        elif len(rows) <= _BARS_MAX:
            marks = [_mark(row, row["level"], stands_out=row["stands_out"] == "True") for row in rows]
            yield Plot(title=title, svg=interval_plot(marks, title), table="comparisons")


_FUNNEL_NOTE = (
    f"Dashed: between these lie {100 * FUNNEL_LIMITS[1]:g} % of groups that do not differ more than groups "
    "of this kind do. Red: called different at a false discovery rate of 5 %. A group may see other patients "
    "than the others: red is a question, no verdict."
)


def _funnel(rows: Sequence[Row], title: str) -> str:
    expected = float(rows[0]["expected"])
    points = [
        Point(
            label=row["level"],
            size=float(row["effective_cases"]),
            value=float(row["value"]),
            stands_out=row["stands_out"] == "True",
        )
        for row in rows
    ]
    spread = _spread(rows[-1], expected)

    def limits(size: float) -> tuple[float, float]:
        low, high = funnel_limits(expected, np.array([size]), spread)[1]
        return float(low[0]), float(high[0])

    return funnel_plot(points, expected, limits, title)


def _spread(row: Row, expected: float) -> float:
    """Return how many times the limits' variance is that of chance, from the limits of one group."""
    size = float(row["effective_cases"])
    by_chance = [float(end[0]) for end in funnel_limits(expected, np.array([size]))[1]]
    low, high = float(row["funnel_low"]), float(row["funnel_high"])
    if low > 0:
        return ((expected - low) / (expected - by_chance[0])) ** 2 if by_chance[0] > 0 else 1.0
    return ((high - expected) / (by_chance[1] - expected)) ** 2


def _mark(row: Row, label: str, *, stands_out: bool = False) -> Mark:
    return Mark(
        label=label.replace("_", " "),
        value=float(row["value"]),
        low=float(row["low"]),
        high=float(row["high"]),
        stands_out=stands_out,
    )
