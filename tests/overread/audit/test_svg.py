import re

import pytest

from overread.audit.svg import Mark, Month, Point, funnel_plot, interval_plot, month_chart, ticks


def numbers(svg: str, tag: str, name: str) -> list[float]:
    return [float(value) for value in re.findall(rf'<{tag} [^>]*\b{name}="([\d.]+)"', svg)]


def test_a_share_is_a_dot_on_its_interval_and_says_what_it_is() -> None:
    marks = [
        Mark(label="mass", value=0.2, low=0.1, high=0.4),
        Mark(label="a < b", value=0.1, low=0.05, high=0.2, stands_out=True),
    ]
    svg = interval_plot(marks, 'Shares "of" all')

    assert "mass: 20 %, 95 % interval 10 % to 40 %" in svg
    assert "a &lt; b" in svg
    assert "a < b" not in svg
    assert 'aria-label="Shares &quot;of&quot; all"' in svg
    first, second = numbers(svg, "circle", "cx")
    zero, tenth = first - 2 * (first - second), second
    assert tenth - zero == pytest.approx(first - second, abs=0.2)  # 0, .1 and .2 lie evenly
    fills = re.findall(r'<circle [^>]*fill="([^"]+)"', svg)
    assert fills[0] != fills[1]


def test_a_month_outside_is_red_and_higher_shares_lie_higher() -> None:
    months = [
        Month(label=f"2026-{n:02d}", value=v, low=0.01, high=0.08, expected=0.05, stands_out=v > 0.08)
        for n, v in enumerate((0.05, 0.06, 0.1), start=1)
    ]
    svg = month_chart(months, "By month")

    assert "2026-03: 10 %, by chance 1 % to 8 %" in svg
    heights = numbers(svg, "circle", "cy")
    assert heights == sorted(heights, reverse=True)
    assert len(set(re.findall(r'<circle [^>]*fill="([^"]+)"', svg))) == 2


def test_a_group_that_stands_out_is_named_beside_its_point() -> None:
    points = [Point(label="r1", size=100, value=0.1), Point(label="r2", size=50, value=0.4, stands_out=True)]
    svg = funnel_plot(points, 0.12, lambda size: (0.12 - 1 / size, 0.12 + 1 / size), "Funnel")

    assert "r2: 40 % of 50" in svg
    assert re.findall(r"<text [^>]*>(r\d)</text>", svg) == ["r2"]
    one, other = numbers(svg, "circle", "cx")
    assert one > other


@pytest.mark.parametrize("top", [0.003, 0.07, 0.45, 0.99, 1.0, 7.0, 350.0, 12_000.0])
def test_ticks_are_round_few_and_within(top) -> None:
    found = ticks(top)

    assert found[0] == 0
    assert found[-1] <= top * (1 + 1e-9)
    assert 4 <= len(found) <= 11
    assert float(f"{found[1]:.1g}") == pytest.approx(found[1])
