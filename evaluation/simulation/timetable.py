"""Number of readers on duty at each minute of a week that repeats."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MINUTES_PER_HOUR = 60
MINUTES_PER_DAY = 1_440
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_PER_WEEK = len(DAYS) * MINUTES_PER_DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """Readers who are on duty at the same hours of some days."""

    days: tuple[str, ...]  # on which the shift begins
    begins: int  # minute of the day
    ends: int  # minute of the day; not after `begins` means on the next day
    readers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """Readers on duty over the week. Minute 0 is Monday, 00:00."""

    steps: tuple[tuple[int, int], ...]  # (minute of the week, readers from then on), the first at minute 0

    def changes(self) -> Iterator[tuple[float, int]]:
        """Yield (minute, readers from then on) from minute 0, for ever."""
        week = 0
        while True:
            for minute, readers in self.steps:
                yield week + minute, readers
            week += MINUTES_PER_WEEK

    def reader_minutes(self, begins: float, ends: float) -> float:
        """Return how many minutes of reading are on offer between two minutes."""
        total, since, on_duty = 0.0, begins, 0
        for minute, readers in self.changes():
            total += on_duty * (min(max(minute, begins), ends) - since)
            since, on_duty = min(max(minute, begins), ends), readers
            if minute >= ends:
                return total
        return total

    def longest_gap_minutes(self) -> float:
        """Return the longest time in which nobody is on duty; infinite when nobody ever is."""
        if not any(readers for _, readers in self.steps):
            return math.inf
        doubled = [*self.steps, *((minute + MINUTES_PER_WEEK, readers) for minute, readers in self.steps)]
        longest = 0
        since: int | None = None
        for minute, readers in doubled:
            if readers == 0:
                since = minute if since is None else since
            elif since is not None:
                longest, since = max(longest, minute - since), None
        return longest


def timetable_of(shifts: Sequence[Shift]) -> Timetable:
    """Return the timetable in which shifts that overlap add up."""
    gained: dict[int, int] = {0: 0}
    for shift in shifts:
        length = shift.ends - shift.begins + (MINUTES_PER_DAY if shift.ends <= shift.begins else 0)
        for day in shift.days:
            begins = DAYS.index(day) * MINUTES_PER_DAY + shift.begins
            ends = begins + length
            _add(gained, begins, shift.readers)
            _add(gained, ends % MINUTES_PER_WEEK, -shift.readers)
            if ends >= MINUTES_PER_WEEK:  # runs into the next week, which is this one again
                _add(gained, 0, shift.readers)
    steps: list[tuple[int, int]] = []
    readers = 0
    for minute in sorted(gained):
        readers += gained[minute]
        if not steps or readers != steps[-1][1]:
            steps.append((minute, readers))
    return Timetable(steps=tuple(steps))


def _add(gained: dict[int, int], minute: int, readers: int) -> None:
    gained[minute] = gained.get(minute, 0) + readers
