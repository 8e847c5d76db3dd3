import math
from itertools import islice

import pytest

from evaluation.simulation.timetable import DAYS, MINUTES_PER_DAY, MINUTES_PER_WEEK, Shift, timetable_of

HOUR = 60


def shift(days: tuple[str, ...], begins: int, ends: int, readers: int = 1) -> Shift:
    return Shift(days=days, begins=begins * HOUR, ends=ends * HOUR, readers=readers)


def test_shifts_that_overlap_add_up() -> None:
    timetable = timetable_of([shift(("mon",), 8, 16, 2), shift(("mon",), 12, 18, 1)])

    hours = [(minute / HOUR, readers) for minute, readers in timetable.steps]
    assert hours == [(0, 0), (8, 2), (12, 3), (16, 1), (18, 0)]


def test_a_shift_that_ends_before_it_begins_ends_on_the_next_day_even_over_the_end_of_the_week() -> None:
    timetable = timetable_of([shift(("sun",), 22, 6)])

    hours = [(minute / HOUR, readers) for minute, readers in timetable.steps]
    assert hours == [(0, 1), (6, 0), (6 * 24 + 22, 1)]


def test_shifts_that_follow_each_other_are_one() -> None:
    timetable = timetable_of([shift(DAYS, 0, 12), shift(DAYS, 12, 24)])

    assert timetable.steps == ((0, 1),)


def test_the_week_repeats() -> None:
    timetable = timetable_of([shift(("mon",), 8, 9)])

    changes = list(islice(timetable.changes(), 6))
    assert changes[3:] == [(minute + MINUTES_PER_WEEK, readers) for minute, readers in changes[:3]]


@pytest.mark.parametrize(
    ("begins", "ends", "minutes"),
    [(0, 24, 8 * HOUR), (10, 12, 2 * HOUR), (0, 4, 0), (12, 12, 0), (7 * 24 + 15, 7 * 24 + 20, HOUR)],
)
def test_the_time_on_offer_is_that_of_readers_on_duty(begins: int, ends: int, minutes: int) -> None:
    timetable = timetable_of([shift(("mon",), 8, 16)])

    assert timetable.reader_minutes(begins * HOUR, ends * HOUR) == minutes


def test_the_longest_gap_may_lie_over_the_end_of_the_week() -> None:
    workdays = timetable_of([shift(("mon", "tue", "wed", "thu", "fri"), 8, 17)])

    assert workdays.longest_gap_minutes() == (7 + 2 * 24 + 8) * HOUR
    assert timetable_of([shift(DAYS, 0, 24)]).longest_gap_minutes() == 0
    assert timetable_of([shift(DAYS, 0, 24, 0)]).longest_gap_minutes() == math.inf
    assert timetable_of([shift(("mon",), 0, 24)]).longest_gap_minutes() == 6 * MINUTES_PER_DAY
