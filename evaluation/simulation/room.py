"""The reading room: one run of the clock over given cases, readers and an order."""

import heapq
import math
from dataclasses import dataclass

import numpy as np

from evaluation.simulation.cases import Cases
from evaluation.simulation.scenario import Floats, Scenario
from evaluation.simulation.timetable import Timetable

FIRST_IN = "first in, first out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Rule that picks the waiting case to read next."""

    name: str
    ranks: tuple[int, ...]  # of each class in which a case can be listed; the lowest is read first
    front_minutes: tuple[float, ...]  # waiting time after which a case of the class goes to the front
    preempt: bool


def orders_of(scenario: Scenario) -> tuple[Order, ...]:
    """Return the orders that are compared: first in first out, by class, and by class with a wait cap.

    The cap is that of Baltruschat et al., Eur Radiol 2021;31:3837-3845: a case that has waited for so long
    becomes the most urgent.
    """
    classes = range(len(scenario.classes))
    never = tuple(math.inf for _ in classes)
    by_class = Order(name="priority", ranks=tuple(classes), front_minutes=never, preempt=scenario.preempt)
    first_in = Order(name=FIRST_IN, ranks=tuple(0 for _ in classes), front_minutes=never, preempt=False)
    front = tuple(max(0.0, kind.cap_minutes - scenario.reserve_minutes) for kind in scenario.classes)
    if front == never:
        return first_in, by_class
    capped = Order(
        name="priority, wait cap", ranks=tuple(classes), front_minutes=front, preempt=scenario.preempt
    )
    return first_in, by_class, capped


def read_all(cases: Cases, timetable: Timetable, order: Order) -> Floats:
    """Return when each case has been read, in minutes, shape (cases,).

    A reader is never idle while a case waits. A reader whose shift ends finishes the case in hand.
    """
    room = _Room(cases, order)
    arrivals = [*cases.arrived.tolist(), math.inf]
    changes = timetable.changes()
    change_at, on_duty = next(changes)
    change_at, next_on_duty = next(changes)
    arriving = 0
    while room.unread:
        now = min(arrivals[arriving], change_at, room.next_end())
        if now == room.next_end():
            room.finish()
        elif now == change_at:
            on_duty = next_on_duty
            change_at, next_on_duty = next(changes)
        else:
            room.admit(arriving, now, on_duty)
            arriving += 1
        room.fill(now, on_duty)
    return np.array(room.finished)


class _Room:
    """Cases that wait and cases that are being read."""

    def __init__(self, cases: Cases, order: Order) -> None:
        listed = cases.listed.tolist()
        arrived = cases.arrived.tolist()
        self._preempt = order.preempt
        self._rank = [order.ranks[kind] for kind in listed]
        self._front_at = [
            moment + order.front_minutes[kind] for moment, kind in zip(arrived, listed, strict=True)
        ]
        self._left = cases.reading.tolist()  # minutes of reading still to do
        self._waits = [False] * len(listed)
        self._by_rank: list[tuple[int, int]] = []  # (rank, case); cases are numbered as they arrive
        self._by_front: list[tuple[float, int]] = []  # (when it goes to the front, case)
        self._ends: list[tuple[float, int]] = []  # (when it is read, case); may hold interrupted readings
        self._reading: dict[int, float] = {}  # case -> when it is read
        self.finished = [math.nan] * len(listed)
        self.unread = len(listed)

    def next_end(self) -> float:
        """Return when the next reading ends; never, if nothing is being read."""
        while self._ends and self._reading.get(self._ends[0][1]) != self._ends[0][0]:
            heapq.heappop(self._ends)
        return self._ends[0][0] if self._ends else math.inf

    def finish(self) -> None:
        """End the reading that `next_end` speaks of."""
        end, case = heapq.heappop(self._ends)
        del self._reading[case]
        self.finished[case] = end
        self.unread -= 1

    def admit(self, case: int, now: float, on_duty: int) -> None:
        """Put an arriving case on the list; where the order preempts, a less urgent reading makes way."""
        self._wait(case)
        if not self._preempt or not on_duty or len(self._reading) < on_duty:
            return
        least = max(self._reading, key=lambda other: (self._urgency(other, now), other))
        if self._urgency(least, now) > self._rank[case]:
            self._left[least] = self._reading.pop(least) - now
            self._wait(least)
            self._waits[case] = False
            self._start(case, now)

    def fill(self, now: float, on_duty: int) -> None:
        """Give every idle reader on duty the case that is next."""
        while len(self._reading) < on_duty and (case := self._take(now)) is not None:
            self._start(case, now)

    def _wait(self, case: int) -> None:
        self._waits[case] = True
        heapq.heappush(self._by_rank, (self._rank[case], case))
        if self._front_at[case] < math.inf:
            heapq.heappush(self._by_front, (self._front_at[case], case))

    def _take(self, now: float) -> int | None:
        """Take the next case off the list: who has been at the front the longest, else by rank."""
        while self._by_front and not self._waits[self._by_front[0][1]]:
            heapq.heappop(self._by_front)
        while self._by_rank and not self._waits[self._by_rank[0][1]]:
            heapq.heappop(self._by_rank)
        if self._by_front and self._by_front[0][0] <= now:
            case = heapq.heappop(self._by_front)[1]
        elif self._by_rank:
            case = heapq.heappop(self._by_rank)[1]
        else:
            return None
        self._waits[case] = False
        return case

    def _start(self, case: int, now: float) -> None:
        self._reading[case] = now + self._left[case]
        heapq.heappush(self._ends, (self._reading[case], case))

    def _urgency(self, case: int, now: float) -> int:
        return -1 if self._front_at[case] <= now else self._rank[case]
