"""Plots as SVG within a page: shares with intervals, funnels, months. No script, no style, no font of theirs.

Presentation attributes alone, so that a strict content security policy lets them be; what every mark says
stands in its title.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 760
_LABEL_MIN, _LABEL_MAX = 200, 400  # pixels for the labels of the rows
_LETTER = 8.2  # pixels of a letter, on average
_MONTHS_NAMED = 8  # at most; more would run into each other
_ROW = 24
_HEIGHT = 320
_LEFT, _BOTTOM, _TOP, _RIGHT = 60, 46, 12, 14
# A page on another ground gives the custom properties; without them the colours are those for paper.
INK, SOFT = "var(--plot-ink, #1b1f24)", "var(--plot-soft, #8a929c)"
BLUE, RED = "var(--plot-mark, #0b5cad)", "var(--plot-alarm, #b3261e)"
_RULE = "var(--plot-rule, #e3e6ea)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A share with its interval, and what it is of."""

    label: str
    value: float
    low: float
    high: float
    stands_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A point of a funnel: a group with its size."""

    label: str
    size: float
    value: float
    stands_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A month of a chart: share, limits, and whether something was noticed."""

    label: str
    value: float
    low: float
    high: float
    expected: float
    stands_out: bool = False


Scale = Callable[[float], float]


def interval_plot(marks: Sequence[Mark], title: str) -> str:
    """Return a row for each share: a dot, and a line from end to end of its interval."""
    top = max((mark.high for mark in marks), default=1.0) or 1.0
    longest = max((len(mark.label) for mark in marks), default=0)
    start = min(max(_LABEL_MIN, longest * _LETTER + 10), _LABEL_MAX)
    across = _scale(0.0, top, start, WIDTH - 90)
    height = _ROW * len(marks) + 40
    parts = [_axis(across, ticks(top), height - 28, vertical_to=4)]
    for row, mark in enumerate(marks):
        y = 18 + row * _ROW
        color = RED if mark.stands_out else BLUE
        words = f"{mark.label}: {_percent(mark.value)}, 95 % interval {_between(mark.low, mark.high)}"
        parts.append(
            f"<g><title>{escape(words)}</title>"
            f"{_text(start - 10, y + 4, mark.label, anchor='end')}"
            f"{_line(across(mark.low), y, across(mark.high), y, color, 3)}"
            f'<circle cx="{across(mark.value):.1f}" cy="{y}" r="5" fill="{color}"/>'
            f"{_text(WIDTH - 80, y + 4, _percent(mark.value))}</g>"
        )
    return _svg(height, title, parts)


def funnel_plot(
    points: Sequence[Point], expected: float, limits: Callable[[float], tuple[float, float]], title: str
) -> str:
    """Return the shares of groups over their size, with the limits between which chance leaves them.

    Args:
        points: groups.
        expected: share of all.
        limits: low and high, of a size.
        title: what is shown, in words.
    """
    largest = max((point.size for point in points), default=1.0) * 1.05
    smallest = max(min((point.size for point in points), default=1.0) * 0.7, 1.0)
    sizes = [smallest + (largest - smallest) * (step / 60) ** 2 for step in range(61)]
    highest = max([point.value for point in points] + [limits(sizes[6])[1]]) * 1.1 or 1.0
    across, up = _scale(0.0, largest, _LEFT, WIDTH - _RIGHT), _scale(0.0, highest, _HEIGHT - _BOTTOM, _TOP)
    parts = [*_axes(up, highest), _ticks_across(across, ticks(largest), "cases that carry it")]
    parts.append(_line(across(smallest), up(expected), across(largest), up(expected), SOFT, 1))
    for end in (0, 1):
        curve = [(across(size), up(min(max(limits(size)[end], 0.0), highest))) for size in sizes]
        parts.append(_path(curve, SOFT, dashed=True))
    for point in points:
        words = f"{point.label}: {_percent(point.value)} of {point.size:.0f}"
        color = RED if point.stands_out else BLUE
        place = f'cx="{across(point.size):.1f}" cy="{up(point.value):.1f}"'
        parts.append(f"<g><title>{escape(words)}</title>")
        parts.append(f'<circle {place} r="5" fill="{color}" fill-opacity="0.75"/>')
        if point.stands_out:
            parts.append(_text(across(point.size) - 8, up(point.value) + 4, point.label, anchor="end"))
        parts.append("</g>")
    return _svg(_HEIGHT, title, parts)


def month_chart(months: Sequence[Month], title: str) -> str:
    """Return the shares of months, with the limits between which chance leaves each."""
    highest = max(max(month.value, month.high) for month in months) * 1.1 or 1.0
    across = _scale(0, max(len(months) - 1, 1), _LEFT + 20, WIDTH - _RIGHT - 20)
    up = _scale(0.0, highest, _HEIGHT - _BOTTOM, _TOP)
    parts = _axes(up, highest)
    every = -(-len(months) // _MONTHS_NAMED)
    for ends in ([month.low for month in months], [month.high for month in months]):
        parts.append(_path([(across(n), up(end)) for n, end in enumerate(ends)], SOFT, dashed=True))
    parts.append(_path([(across(n), up(month.expected)) for n, month in enumerate(months)], SOFT))
    parts.append(_path([(across(n), up(month.value)) for n, month in enumerate(months)], BLUE))
    for number, month in enumerate(months):
        color = RED if month.stands_out else BLUE
        words = f"{month.label}: {_percent(month.value)}, by chance {_between(month.low, month.high)}"
        place = f'cx="{across(number):.1f}" cy="{up(month.value):.1f}" r="5" fill="{color}"'
        parts.append(f"<g><title>{escape(words)}</title><circle {place}/></g>")
        if number % every == 0:
            parts.append(_text(across(number), _HEIGHT - 26, month.label, anchor="middle"))
    return _svg(_HEIGHT, title, parts)


def ticks(top: float) -> list[float]:
    """Return round values from 0 to at most the top, some four to eight of them."""
    step = 10.0 ** (len(f"{int(top)}") if top >= 1 else 0)
    while top / step < 4:
        for smaller in (0.5, 0.4, 0.5):  # 10, 5, 2, 1
            step *= smaller
            if top / step >= 4:
                break
    return [step * number for number in range(int(top / step + 1e-9) + 1)]


def _axes(up: Scale, highest: float) -> list[str]:
    parts = [_line(_LEFT, _HEIGHT - _BOTTOM, WIDTH - _RIGHT, _HEIGHT - _BOTTOM, INK, 1)]
    for value in ticks(highest):
        y = up(value)
        parts.append(_line(_LEFT - 4, y, _LEFT, y, INK, 1))
        parts.append(_text(_LEFT - 8, y + 4, _percent(value), anchor="end"))
    return parts


def _axis(across: Scale, values: Sequence[float], y: float, vertical_to: float) -> str:
    marks = [
        _line(across(value), y, across(value), vertical_to, _RULE, 1)
        + _text(across(value), y + 18, _percent(value), anchor="middle")
        for value in values
    ]
    return "".join(marks)


def _ticks_across(across: Scale, values: Sequence[float], words: str) -> str:
    marks = [_text(across(value), _HEIGHT - 28, f"{value:g}", anchor="middle") for value in values]
    return "".join(marks) + _text(WIDTH - _RIGHT, _HEIGHT - 8, words, anchor="end")


def _scale(low: float, high: float, start: float, end: float) -> Scale:
    return lambda value: start + (value - low) / ((high - low) or 1.0) * (end - start)


def _percent(share: float) -> str:
    return f"{share:.3g}" if share > 1.5 else f"{100 * share:.3g} %"


def _between(low: float, high: float) -> str:
    return f"{_percent(low)} to {_percent(high)}"


def _line(x1: float, y1: float, x2: float, y2: float, color: str, width: float) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" '
        f'stroke-width="{width}"/>'
    )


def _path(points: Sequence[tuple[float, float]], color: str, *, dashed: bool = False) -> str:
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<polyline points="{places}" fill="none" stroke="{color}" stroke-width="1.5"{dashes}/>'


def _text(x: float, y: float, words: str, *, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="15" fill="{INK}">'
        f"{escape(words)}</text>"
    )


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title, quote=True)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )
