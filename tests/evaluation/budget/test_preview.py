from pathlib import Path

import pytest

from evaluation.budget.past import (
    Adjudicated,
    Calendar,
    Past,
    load_adjudicated,
    load_calendar,
    load_past,
)
from evaluation.budget.preview import (
    Budget,
    one_threshold_benefit,
    preview_confirmed,
    preview_pairs,
    solve_budget,
    thresholds_of,
)
from evaluation.budget.solver import CLOSED
from overread.discrepancy import DiscrepancyKind
from overread.priority import default_policy
from tests.evaluation.budget.past_cases import VOCABULARY, write

MISS, OVERCALL = DiscrepancyKind.POSSIBLE_MISS, DiscrepancyKind.POSSIBLE_OVERCALL


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return load_past(write(tmp_path)["rows"], VOCABULARY, default_policy())


@pytest.fixture
def calendar(tmp_path: Path, past: Past) -> Calendar:
    return load_calendar(tmp_path / "dates.csv", past.cases)


@pytest.fixture
def adjudicated(tmp_path: Path, past: Past) -> Adjudicated:
    return load_adjudicated(tmp_path / "adjudicated.jsonl", past.cases, VOCABULARY)


def names(past: Past, looked_at) -> set[str]:
    return {case for case, looked in zip(past.cases, looked_at, strict=True) if looked}


def test_a_budget_is_kept_on_average(past: Past, calendar: Calendar) -> None:
    # 3 looks on 4 days; on the first of them all three are used
    solution = solve_budget(past, calendar, Budget(per_day=0.75, share_of_days=None))

    assert names(past, solution.looked_at) == {"a", "b", "c"}
    counts = calendar.per_day(solution.looked_at)
    assert counts is not None
    assert counts.tolist() == [3, 0, 0, 0]


def test_a_budget_can_be_kept_on_a_share_of_the_days(past: Past, calendar: Calendar) -> None:
    every_day = solve_budget(past, calendar, Budget(per_day=1, share_of_days=1.0))
    most_days = solve_budget(past, calendar, Budget(per_day=1, share_of_days=0.75))

    assert names(past, every_day.looked_at) == {"a"}
    assert names(past, most_days.looked_at) == {"a", "b", "c", "e"}  # 4 looks on 4 days, 3 on the first


def test_a_share_of_the_days_cannot_be_kept_without_knowing_them(past: Past) -> None:
    with pytest.raises(ValueError, match="needs the days"):
        solve_budget(past, Calendar(days=4, day_of=None), Budget(per_day=1, share_of_days=0.9))


def test_each_threshold_is_shown_with_what_is_looked_at_for_it(
    past: Past, calendar: Calendar, adjudicated: Adjudicated
) -> None:
    solution = solve_budget(past, calendar, Budget(per_day=0.75, share_of_days=None))

    shown = {row.pair: row for row in preview_pairs(past, solution, adjudicated)}

    opacity = shown["opacity", MISS]
    # b and c for opacity; a, which is looked at for pneumothorax, may be asked about opacity for nothing
    assert (opacity.threshold, opacity.rows, opacity.alone) == (0.1, 3, 2)
    assert (opacity.judged, opacity.confirmed) == (2, 1)
    assert (shown["pneumothorax", MISS].judged, shown["pneumothorax", MISS].confirmed) == (1, 1)
    assert shown["opacity", OVERCALL].threshold == CLOSED


def test_what_was_confirmed_is_counted_in_the_cases_looked_at(
    past: Past, calendar: Calendar, adjudicated: Adjudicated
) -> None:
    solution = solve_budget(past, calendar, Budget(per_day=0.75, share_of_days=None))

    estimates = preview_confirmed(past, solution, calendar, adjudicated, seed=1)

    # a and b confirmed, c not; d, which is not looked at, confirmed. Weights: pneumothorax 100, opacity 20
    assert estimates["share of the looks that confirm a discrepancy"].value == pytest.approx(2 / 3)
    assert estimates["confirmed discrepancies a day"].value == pytest.approx(0.75 * 2 / 3)
    assert estimates["confirmed weight a day"].value == pytest.approx(0.75 * 120 / 3)
    assert estimates["share of all confirmed discrepancies"].value == pytest.approx(2 / 3)
    assert estimates["share of all confirmed weight"].value == pytest.approx(120 / 220)
    for one in estimates.values():
        assert one.low <= one.value <= one.high
    share = estimates["share of the looks that confirm a discrepancy"]
    assert (share.low, share.high) == (0.0, 1.0)  # three cases say little


def test_nothing_is_said_where_no_adjudicated_case_is_looked_at(
    past: Past, calendar: Calendar, adjudicated: Adjudicated
) -> None:
    nothing = solve_budget(past, calendar, Budget(per_day=0.1, share_of_days=None))

    with pytest.raises(ValueError, match="no confirmed discrepancy"):
        preview_confirmed(past, nothing, calendar, adjudicated, seed=1)


@pytest.mark.parametrize(("looks", "benefit"), [(0, 0), (1, 80), (2, 98), (4, 114), (5, 121), (9, 121)])
def test_one_threshold_asks_about_the_rows_of_highest_priority(
    past: Past, looks: int, benefit: float
) -> None:
    assert one_threshold_benefit(past, looks) == pytest.approx(benefit)


def test_the_version_of_the_thresholds_follows_from_them(past: Past, calendar: Calendar) -> None:
    three, again, four = (
        thresholds_of(past, solve_budget(past, calendar, Budget(per_day=looks, share_of_days=None)), "test")
        for looks in (0.75, 0.76, 1.0)
    )

    assert three.version == again.version
    assert three.version != four.version
    assert three.probabilities == {("pneumothorax", MISS): 0.8, ("opacity", MISS): 0.1}
    assert three.never == {("opacity", OVERCALL)}
