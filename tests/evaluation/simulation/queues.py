"""Small queues whose course can be followed by hand."""

import math
from collections.abc import Sequence

import numpy as np

from evaluation.simulation.cases import Cases
from evaluation.simulation.room import Order
from evaluation.simulation.timetable import DAYS, MINUTES_PER_DAY, Shift, Timetable, timetable_of


def always(readers: int) -> Timetable:
    return timetable_of([Shift(days=DAYS, begins=0, ends=MINUTES_PER_DAY, readers=readers)])


def cases(*rows: tuple[float, int, float]) -> Cases:
    """Cases of (minute of arrival, class, minutes of reading); the triage is right about all."""
    arrived, truth, reading = zip(*rows, strict=True)
    return Cases(
        arrived=np.array(arrived, dtype=float),
        truth=np.array(truth),
        listed=np.array(truth),
        reading=np.array(reading, dtype=float),
        counted_from=0.0,
        counted_to=math.inf,
    )


def order(
    *, ranks: Sequence[int] = (0, 1), front: Sequence[float] = (math.inf, math.inf), preempt: bool = False
) -> Order:
    return Order(name="under test", ranks=tuple(ranks), front_minutes=tuple(front), preempt=preempt)
