from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from evaluation.simulation.cases import UNKNOWN, Recorded, complete_cases, draw_cases, triage_probabilities
from evaluation.simulation.scenario import Arrivals, Distribution, ReadingTime, arrival_minutes
from evaluation.simulation.scenario_file import load_scenario

EXAMPLE = load_scenario(None)


def generator() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize("distribution", Distribution)
def test_reading_times_have_the_mean_and_spread_that_were_asked_for(distribution: Distribution) -> None:
    spread = {Distribution.CONSTANT: 0.0, Distribution.EXPONENTIAL: 5.0, Distribution.LOGNORMAL: 3.0}
    reading = ReadingTime(distribution=distribution, mean_minutes=5.0, sd_minutes=3.0)

    drawn = reading.draw(200_000, generator())

    assert drawn.min() > 0
    assert drawn.mean() == pytest.approx(5.0, rel=0.01)
    assert drawn.std() == pytest.approx(spread[distribution], rel=0.03)


def test_arrivals_follow_the_hours_and_the_weekend() -> None:
    hourly = (0.0,) * 8 + (1.0, 3.0) + (0.0,) * 14
    arrivals = Arrivals(per_day=100, hourly=hourly, weekend=0.5)

    minutes = arrival_minutes(arrivals, 500 * 7 * 1440, generator())

    weekday, of_day = minutes // 1440 % 7, minutes % 1440
    assert all(earlier <= later for earlier, later in pairwise(minutes.tolist()))
    assert set((of_day // 60).tolist()) == {8.0, 9.0}
    assert (of_day >= 9 * 60).mean() == pytest.approx(3 / 4, abs=0.01)
    assert (weekday < 5).sum() / (500 * 5) == pytest.approx(100, rel=0.01)
    assert (weekday >= 5).sum() / (500 * 2) == pytest.approx(50, rel=0.01)
    # the number of a day is Poisson: its variance is its mean
    mondays = np.bincount((minutes[weekday == 0] // (7 * 1440)).astype(int), minlength=500)
    assert mondays.var() == pytest.approx(100, rel=0.2)


def test_a_case_is_listed_in_the_most_urgent_class_that_the_triage_flags() -> None:
    # critical: 0.85, and 1 - 0.95 = 0.05 of the others; urgent: 0.80, and 1 - 0.85 = 0.15 of the others
    expected = [
        [0.85, 0.15 * 0.15, 0.15 * 0.85],
        [0.05, 0.95 * 0.80, 0.95 * 0.20],
        [0.05, 0.95 * 0.15, 0.95 * 0.85],
    ]

    assert triage_probabilities(EXAMPLE.classes) == pytest.approx(np.array(expected))


def test_the_cases_that_are_drawn_are_listed_as_often_as_the_triage_says() -> None:
    cases = draw_cases(replace(EXAMPLE, days=300), generator())

    share = np.bincount(cases.truth) / len(cases.truth)
    assert share == pytest.approx([0.04, 0.26, 0.70], abs=0.01)
    for truth, chances in enumerate(triage_probabilities(EXAMPLE.classes)):
        listed = np.bincount(cases.listed[cases.truth == truth], minlength=3)
        assert listed / listed.sum() == pytest.approx(chances, abs=0.015)
    assert cases.reading[cases.truth == 0].mean() == pytest.approx(6.0, rel=0.03)


def test_days_of_warm_up_lie_before_and_after_the_days_that_count() -> None:
    cases = draw_cases(replace(EXAMPLE, days=14, warm_up_days=7), generator())

    assert (cases.counted_from, cases.counted_to) == (7 * 1440, 21 * 1440)
    assert cases.arrived[0] < 1440
    assert cases.arrived[-1] > 27 * 1440


def test_what_a_recorded_arrival_leaves_open_is_drawn_and_the_rest_is_kept() -> None:
    recorded = Recorded(
        arrived=np.array([5.0, 6.0, 7.0]),
        truth=np.array([2, UNKNOWN, 0]),
        reading=np.array([np.nan, 3.0, 4.0]),
    )

    cases = complete_cases(recorded, EXAMPLE, generator())

    assert cases.arrived.tolist() == [5.0, 6.0, 7.0]
    assert (cases.truth[0], cases.truth[2]) == (2, 0)
    assert cases.truth[1] in {0, 1, 2}
    assert cases.reading[0] > 0
    assert cases.reading[1:].tolist() == [3.0, 4.0]
    assert cases.counted_from <= 5.0
    assert cases.counted_to > 7.0
