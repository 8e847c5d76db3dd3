import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.simulation.room import read_all
from evaluation.simulation.timetable import Shift, timetable_of
from tests.evaluation.simulation.queues import always, cases, order

ROUTINE_FIRST = ((0, 1, 10), (1, 1, 10), (2, 0, 10))  # the urgent one, class 0, arrives last


def test_first_in_is_first_out_when_no_class_is_before_another() -> None:
    assert read_all(cases(*ROUTINE_FIRST), always(1), order(ranks=(0, 0))).tolist() == [10, 20, 30]


def test_the_urgent_case_is_read_next_but_interrupts_nothing() -> None:
    assert read_all(cases(*ROUTINE_FIRST), always(1), order()).tolist() == [10, 30, 20]


def test_an_interrupted_reading_is_resumed_where_it_was_left() -> None:
    # read 0-2, interrupted 2-12, its other 8 minutes 12-20, then the second routine case
    assert read_all(cases(*ROUTINE_FIRST), always(1), order(preempt=True)).tolist() == [20, 30, 12]


def test_nothing_is_interrupted_while_a_reader_is_idle() -> None:
    two = cases((0, 1, 10), (2, 0, 10))

    assert read_all(two, always(2), order(preempt=True)).tolist() == [10, 12]


def test_the_least_urgent_and_latest_reading_makes_way() -> None:
    busy = cases((0, 1, 10), (1, 2, 10), (2, 2, 10), (3, 0, 10))

    finished = read_all(busy, always(3), order(ranks=(0, 1, 2), front=(math.inf,) * 3, preempt=True))

    assert finished.tolist() == [10, 11, 19, 13]  # the last one waits from 3 until the first is done at 10


def test_a_case_that_has_waited_its_time_goes_before_more_urgent_ones() -> None:
    # a stream of urgent cases, back to back; the routine case arrived at 1 and may wait 20 minutes
    stream = cases((0, 0, 10), (1, 1, 10), (2, 0, 10), (3, 0, 10), (4, 0, 10))

    uncapped = read_all(stream, always(1), order())
    capped = read_all(stream, always(1), order(front=(math.inf, 20)))

    assert uncapped.tolist() == [10, 50, 20, 30, 40]
    assert capped.tolist() == [10, 40, 20, 30, 50]  # due at 21, while another is read; next at 30


def test_of_cases_at_the_front_the_one_that_came_there_first_is_read_first() -> None:
    # due at 5 (class 1, arrived later) and at 11 (class 0, arrived first)
    waiting = cases((0, 0, 20), (1, 0, 10), (2, 1, 10))

    assert read_all(waiting, always(1), order(front=(10, 3))).tolist() == [20, 40, 30]


def test_a_case_at_the_front_is_not_interrupted() -> None:
    waiting = cases((0, 1, 10), (1, 1, 10), (12, 0, 10))

    assert read_all(waiting, always(1), order(front=(math.inf, 5), preempt=True)).tolist() == [10, 20, 30]


def test_a_reader_finishes_the_case_in_hand_and_takes_no_other_after_the_shift() -> None:
    shift = Shift(days=("mon",), begins=0, ends=15, readers=1)
    week = 7 * 24 * 60

    finished = read_all(cases((0, 0, 10), (0, 0, 10), (0, 0, 10)), timetable_of([shift]), order())

    assert finished.tolist() == [10, 20, week + 10]


def test_a_reader_who_comes_on_duty_begins_at_once() -> None:
    late = Shift(days=("mon",), begins=30, ends=60, readers=1)

    assert read_all(cases((0, 0, 10)), timetable_of([late]), order()).tolist() == [40]


ROWS = st.lists(
    st.tuples(
        st.floats(0, 200).map(lambda minute: round(minute, 2)),
        st.integers(0, 2),
        st.floats(0.1, 30).map(lambda minutes: round(minutes, 2)),
    ),
    min_size=1,
    max_size=40,
)
FRONTS = st.lists(st.one_of(st.just(math.inf), st.floats(0, 60)), min_size=3, max_size=3)


@given(rows=ROWS, front=FRONTS, preempt=st.booleans())
def test_one_reader_is_idle_only_when_nobody_waits_whatever_the_order(rows, front, preempt) -> None:
    given_cases = cases(*sorted(rows))

    finished = read_all(given_cases, always(1), order(ranks=(0, 1, 2), front=front, preempt=preempt))

    # the work in the room depends on no order: it is emptied at the same moments as by first in, first out
    end = 0.0
    for minute, _, minutes in sorted(rows):
        end = max(end, minute) + minutes
    assert finished.max() == pytest.approx(end)
    assert np.all(finished - given_cases.arrived >= given_cases.reading - 1e-6)


@given(rows=ROWS, readers=st.integers(1, 4), front=FRONTS, preempt=st.booleans())
def test_no_more_cases_are_read_at_once_than_there_are_readers(rows, readers, front, preempt) -> None:
    given_cases = cases(*sorted(rows))

    finished = read_all(given_cases, always(readers), order(ranks=(0, 1, 2), front=front, preempt=preempt))

    # all reading done by any moment fits into the readers' time since the first arrival
    for moment in finished:
        done = given_cases.reading[finished <= moment].sum()
        assert done <= readers * (moment - given_cases.arrived[0]) + 1e-6
