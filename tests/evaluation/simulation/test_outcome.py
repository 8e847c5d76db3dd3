from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from evaluation.simulation.cases import Recorded
from evaluation.simulation.outcome import (
    Run,
    run_scenario,
    summarise,
    summarise_caps,
)
from evaluation.simulation.scenario import Scenario
from evaluation.simulation.scenario_file import load_scenario
from evaluation.simulation.table import lines_of

EXAMPLE = load_scenario(None)


def test_too_few_runs_give_no_interval_rather_than_a_wrong_one() -> None:
    with pytest.raises(ValueError, match="at least 5 runs"):
        list(summarise(tuple(islice(run_scenario(EXAMPLE, seed=1), 2)), EXAMPLE))


def a_run(*, first_in: tuple[float, ...], by_class: tuple[float, ...]) -> Run:
    """Two critical and two routine cases; the triage lists the second critical one as routine."""
    return Run(
        truth=np.array([0, 0, 2, 2]),
        listed=np.array([0, 2, 2, 2]),
        reading=np.array([1.0, 2.0, 3.0, 4.0]),
        waits=(np.array(first_in), np.array(by_class), np.array(by_class)),
        load=0.5,
    )


def test_rows_speak_of_the_true_class_and_compare_with_first_in_in_pairs() -> None:
    # run by run the critical cases gain 5 minutes in the mean, however different the runs are
    runs = [
        a_run(first_in=(10.0 * n, 20.0 * n, 0, 0), by_class=(10.0 * n - 10, 20.0 * n, 4, 6))
        for n in range(1, 7)
    ]

    critical, critical_by_class = [row for row in summarise(runs, EXAMPLE) if row.case_class == "critical"][
        :2
    ]

    assert critical.cases == 12
    assert critical.gain is None
    assert critical.wait.mean is not None
    assert critical.wait.mean.value == pytest.approx(15 * 3.5)
    assert critical.turnaround.mean is not None
    assert critical.turnaround.mean.value == pytest.approx(15 * 3.5 + 1.5)
    assert critical.wait.longest is not None
    assert critical.wait.longest.value == pytest.approx(20 * 3.5)
    assert critical_by_class.gain is not None
    assert (critical_by_class.gain.low, critical_by_class.gain.high) == pytest.approx((-5.0, -5.0))


def test_a_class_without_cases_has_no_figures() -> None:
    runs = [a_run(first_in=(1, 1, 1, 1), by_class=(1, 1, 1, 1))] * 5

    urgent = next(row for row in summarise(runs, EXAMPLE) if row.case_class == "urgent")

    assert urgent.cases == 0
    assert urgent.wait.mean is None
    assert any("-" in line for line in lines_of(runs, EXAMPLE))


def test_a_cap_is_judged_by_the_class_in_which_the_list_holds_a_case() -> None:
    runs = [a_run(first_in=(500, 500, 1, 1), by_class=(1, 481, 480, 1))] * 5

    rows = {(row.case_class, row.order): row for row in summarise_caps(runs, EXAMPLE)}

    assert rows["critical", "first in, first out"].late == 5  # the one that is listed as critical
    late = rows["routine", "priority, wait cap"]
    assert (late.cases, late.late, late.longest_minutes) == (15, 5, 481)  # 480 is within the cap
    assert late.late_percent is not None
    assert late.late_percent.value == pytest.approx(100 / 3)


def test_the_same_seed_gives_the_same_runs_and_another_seed_others() -> None:
    short = replace(EXAMPLE, days=1, warm_up_days=0)

    first, again, other = (next(run_scenario(short, seed=seed)) for seed in (1, 1, 2))

    assert first.waits[1].tolist() == again.waits[1].tolist()
    assert first.waits[1].tolist() != other.waits[1].tolist()


@pytest.fixture(scope="module")
def busy() -> tuple[Scenario, tuple[Run, ...]]:
    """The example over two weeks, with a cap that the plain priority order breaks."""
    scenario = replace(EXAMPLE, days=14, warm_up_days=3)
    return scenario, tuple(islice(run_scenario(scenario, seed=3), 12))


def test_mean_waits_of_critical_cases_fall_while_missed_ones_wait_longer(busy) -> None:
    # as published: Baltruschat et al., Eur Radiol 2021;31:3837-3845
    scenario, runs = busy
    first_in, by_class, capped = [row for row in summarise(runs, scenario) if row.case_class == "critical"]

    assert by_class.gain is not None
    assert by_class.gain.high < 0
    assert capped.gain is not None
    assert capped.gain.high < 0
    assert first_in.wait.longest is not None
    assert by_class.wait.longest is not None
    assert by_class.wait.longest.value > first_in.wait.longest.value


def test_the_wait_cap_holds_the_longest_wait_that_priority_alone_lets_grow(busy) -> None:
    scenario, runs = busy
    tight = replace(
        scenario,
        classes=tuple(replace(kind, cap_minutes=400.0) for kind in scenario.classes),
        reserve_minutes=120.0,
    )
    runs = tuple(islice(run_scenario(tight, seed=3), 12))

    by_order = {
        row.order: row for row in summarise_caps(runs, tight) if row.case_class == scenario.classes[-1].name
    }

    assert by_order["first in, first out"].late == 0  # so that the cap can be kept at all
    assert by_order["priority"].late > 0
    assert by_order["priority, wait cap"].late == 0


def test_overload_and_hours_without_reader_are_said(busy) -> None:
    scenario, _ = busy
    overloaded = replace(scenario, arrivals=replace(scenario.arrivals, per_day=900), days=3)
    runs = tuple(islice(run_scenario(overloaded, seed=1), 5))

    assert any(line.startswith("OVERLOADED") for line in lines_of(runs, overloaded))


def test_arrivals_that_happened_are_what_is_read() -> None:
    recorded = Recorded(
        arrived=np.array([480.0, 481.0]), truth=np.array([2, 0]), reading=np.array([10.0, 5.0])
    )

    run = next(run_scenario(EXAMPLE, seed=1, recorded=recorded))

    assert run.truth.tolist() == [2, 0]
    assert run.waits[0].tolist() == [0.0, 0.0]  # two readers at eight in the morning
