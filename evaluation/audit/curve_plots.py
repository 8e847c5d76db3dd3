"""Curves as SVG: ROC, precision over recall, reliability and free response, with bands and single points."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from overread.audit.svg import INK, SOFT

_SIDE, _LEFT, _BOTTOM, _TOP, _ROW = 380, 56, 44, 10, 20
COLORS = ("#0b5cad", "#b3261e", "#2e7d32", "#6a1b9a", "#9a6700", "#00695c")
"""Of observers in turn; more than there are take the first again, and the legend's marks tell them apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A curve with its band; of one point alone, such as a reader, the ends are its intervals."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]  # of y
    high: Sequence[float]
    is_point: bool = False  # single points with bars in place of a curve
    x_ends: tuple[float, float] | None = None  # interval of x of a single point


def curve_plot(
    lines: Sequence[Line], title: str, axes: tuple[str, str], *, diagonal: bool, right: float = 1.0
) -> str:
    """Return curves between 0 and 1, up, and 0 and `right`, across.

    Args:
        lines: in the order of the legend.
        title: what is shown, in words.
        axes: names of across and up.
        diagonal: whether to draw where both are equal.
        right: end of the axis across.
    """
    height = _TOP + _SIDE + _BOTTOM + _ROW * len(lines)
    parts = _frame(axes, right)
    if diagonal:
        parts.append(_stroke([(0, 0), (right, right)], right, SOFT, dashed=True))
    for number, line in enumerate(lines):
        color = COLORS[number % len(COLORS)]
        parts += _points(line, right, color) if line.is_point else _curve(line, right, color)
        y = _TOP + _SIDE + _BOTTOM + _ROW * number + 10
        parts.append(f'<rect x="{_LEFT}" y="{y - 9}" width="14" height="8" fill="{color}"/>')
        parts.append(_label(_LEFT + 22, y, line.label, "start"))
    return (
        f'<svg viewBox="0 0 {_LEFT + _SIDE + 20} {height}" role="img" '
        f'aria-label="{escape(title, quote=True)}" xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def _curve(line: Line, right: float, color: str) -> list[str]:
    there = list(zip(line.x, line.high, strict=True)) + list(zip(line.x, line.low, strict=True))[::-1]
    band = " ".join(_place(x, y, right) for x, y in there)
    return [
        f'<polygon points="{band}" fill="{color}" fill-opacity="0.13"/>',
        _stroke(list(zip(line.x, line.y, strict=True)), right, color),
    ]


def _points(line: Line, right: float, color: str) -> list[str]:
    parts = []
    for x, y, low, high in zip(line.x, line.y, line.low, line.high, strict=True):
        parts.append(_stroke([(x, low), (x, high)], right, color))
        if line.x_ends:
            parts.append(_stroke([(line.x_ends[0], y), (line.x_ends[1], y)], right, color))
        place = _place(x, y, right).split(",")
        words = f"{line.label}: {x:.3g}, {y:.3g} [{low:.3g}, {high:.3g}]"
        parts.append(
            f'<g><title>{escape(words)}</title><circle cx="{place[0]}" cy="{place[1]}" r="4" '
            f'fill="{color}"/></g>'
        )
    return parts


def _frame(axes: tuple[str, str], right: float) -> list[str]:
    parts = []
    for step in range(6):
        share = step / 5
        x, y = _LEFT + share * _SIDE, _TOP + (1 - share) * _SIDE
        across = f'x1="{_LEFT}" y1="{y}" x2="{_LEFT + _SIDE}" y2="{y}"'
        upward = f'x1="{x}" y1="{_TOP}" x2="{x}" y2="{_TOP + _SIDE}"'
        parts += [f'<line {ends} stroke="#e3e6ea"/>' for ends in (across, upward)]
        parts.append(_label(x, _TOP + _SIDE + 16, f"{share * right:.3g}", "middle"))
        parts.append(_label(_LEFT - 6, y + 4, f"{share:.3g}", "end"))
    parts.append(_label(_LEFT + _SIDE / 2, _TOP + _SIDE + 33, axes[0], "middle"))
    middle = _TOP + _SIDE / 2
    parts.append(
        f'<text x="14" y="{middle}" transform="rotate(-90 14 {middle})" text-anchor="middle" font-size="13" '
        f'fill="{INK}">{escape(axes[1])}</text>'
    )
    return parts


def _stroke(points: Sequence[tuple[float, float]], right: float, color: str, *, dashed: bool = False) -> str:
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    places = " ".join(_place(x, y, right) for x, y in points)
    return f'<polyline points="{places}" fill="none" stroke="{color}" stroke-width="1.6"{dashes}/>'


def _place(x: float, y: float, right: float) -> str:
    return f"{_LEFT + min(x / right, 1) * _SIDE:.1f},{_TOP + (1 - y) * _SIDE:.1f}"


def _label(x: float, y: float, words: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="13" fill="{INK}">'
        f"{escape(words)}</text>"
    )
