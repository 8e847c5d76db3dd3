"""The formulas against figures worked out by hand, and the simulation against the formulas."""

import math
from collections.abc import Iterator

import numpy as np
import pytest

from evaluation.simulation.check import (
    Check,
    cobham_checks,
    erring_triage_checks,
    first_in_checks,
    preemptive_checks,
)
from evaluation.simulation.room import read_all
from evaluation.simulation.scenario import Arrivals, Distribution, arrival_minutes
from evaluation.simulation.theory import Stream, cobham_waits, erlang_c_wait, preemptive_turnarounds
from tests.evaluation.simulation.queues import always, cases, order

SEED = 1


def test_the_formulas_give_the_textbook_figures() -> None:
    # M/M/1: rho / (mu - lambda) = 0.8 / (1 - 0.8)
    assert erlang_c_wait(0.8, 1.0, 1) == pytest.approx(4.0)
    # M/M/2 at load 0.5 each: a third waits, for 1 / (2 - 1)
    assert erlang_c_wait(1.0, 1.0, 2) == pytest.approx(1 / 3)
    halves = [Stream(rate=0.4, mean=1.0, second_moment=2.0), Stream(rate=0.4, mean=1.0, second_moment=2.0)]
    # W0 = 0.8; 0.8 / 0.6 and 0.8 / (0.6 x 0.2)
    assert cobham_waits(halves) == pytest.approx((4 / 3, 20 / 3))
    # the first class knows nothing of the second: M/M/1 at load 0.4; both together are M/M/1 at load 0.8
    first, second = preemptive_turnarounds(halves)
    assert first == pytest.approx(1 / 0.6)
    assert (first + second) / 2 == pytest.approx(5.0)


def test_an_overloaded_queue_has_no_mean_wait() -> None:
    whole = [Stream(rate=1.0, mean=1.0, second_moment=2.0)]

    for formula in (lambda: erlang_c_wait(2.0, 1.0, 2), lambda: cobham_waits(whole)):
        with pytest.raises(ValueError, match="overloaded"):
            formula()
    with pytest.raises(ValueError, match="overloaded"):
        preemptive_turnarounds(whole)


@pytest.mark.parametrize(
    "compared",
    [
        pytest.param(first_in_checks(seed=SEED), id="M/M/c, first in first out: Erlang C"),
        pytest.param(cobham_checks(Distribution.EXPONENTIAL, seed=SEED), id="M/M/1, priority: Cobham"),
        pytest.param(cobham_checks(Distribution.CONSTANT, seed=SEED), id="M/D/1, priority: Cobham"),
        pytest.param(preemptive_checks(seed=SEED), id="M/M/1, interrupted and resumed"),
        pytest.param(erring_triage_checks(seed=SEED), id="M/M/1, priority by a triage that errs"),
    ],
)
def test_the_simulation_agrees_with_theory_within_its_interval(compared: Iterator[Check]) -> None:
    for check in compared:
        assert check.agrees, f"{check.queue}: {check.theory_minutes:.3f}, {check.simulated}"
        # and the interval says something: at most 12 % to either side
        assert check.simulated.high - check.simulated.low < 0.24 * check.theory_minutes


def test_the_mean_number_in_the_room_is_the_arrival_rate_times_the_mean_turnaround() -> None:
    # Little 1961, with the room looked at on a grid that knows nothing of the cases
    generator = np.random.default_rng(SEED)
    minutes = 100_000.0
    arrivals = Arrivals(per_day=0.8 / 6 * 1440, hourly=(1.0,) * 24, weekend=1.0)
    arrived = arrival_minutes(arrivals, minutes, generator)
    reading = generator.exponential(6.0, len(arrived))
    classes = generator.integers(0, 2, len(arrived))
    queue = cases(*zip(arrived.tolist(), classes.tolist(), reading.tolist(), strict=True))

    finished = read_all(queue, always(1), order(front=(math.inf, 30), preempt=True))

    looks = np.arange(0.5, minutes, 1.0)
    in_the_room = np.searchsorted(arrived, looks) - np.searchsorted(np.sort(finished), looks)
    assert in_the_room.min() >= 0
    rate = len(arrived) / minutes
    assert in_the_room.mean() == pytest.approx(rate * (finished - arrived).mean(), rel=0.01)
