"""Scenario of a simulation: arrivals, classes of cases, the triage that sorts them, readers and the order."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from evaluation.simulation.timetable import DAYS, MINUTES_PER_HOUR, Timetable

Floats = NDArray[np.float64]


class Distribution(StrEnum):
    """Spread of reading times around their mean."""

    CONSTANT = "constant"
    EXPONENTIAL = "exponential"
    LOGNORMAL = "lognormal"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingTime:
    """Time that it takes to read a case."""

    distribution: Distribution
    mean_minutes: float
    sd_minutes: float  # of the log-normal distribution; the others follow from the mean

    def draw(self, cases: int, generator: np.random.Generator) -> Floats:
        """Return reading times in minutes, shape (cases,)."""
        if self.distribution is Distribution.CONSTANT:
            return np.full(cases, self.mean_minutes)
        if self.distribution is Distribution.EXPONENTIAL:
            return generator.exponential(self.mean_minutes, cases)
        variance = math.log1p((self.sd_minutes / self.mean_minutes) ** 2)
        return generator.lognormal(math.log(self.mean_minutes) - variance / 2, math.sqrt(variance), cases)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseClass:
    """Cases of one urgency."""

    name: str
    share: float  # of all cases, in [0, 1]
    reading: ReadingTime
    cap_minutes: (
        float  # a case listed in this class goes to the front before it has waited longer; inf: never
    )
    sensitivity: float  # of the triage for this class; has no meaning for the last class
    specificity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """Poisson arrivals whose rate depends on the hour of the day and on the day."""

    per_day: float  # expected on a weekday
    hourly: tuple[float, ...]  # 24 relative weights
    weekend: float  # rate on Saturday and Sunday, relative to a weekday

    def hourly_rates(self) -> Floats:
        """Return the expected arrivals of each hour of a week, shape (168,), Monday first."""
        day = np.array(self.hourly) * (self.per_day / sum(self.hourly))
        return np.concatenate([day * (self.weekend if name in {"sat", "sun"} else 1.0) for name in DAYS])


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """All that a simulation needs besides a seed."""

    name: str
    days: int  # in which arriving cases count
    warm_up_days: int  # simulated before and after these, so that no counted case meets an empty room
    arrivals: Arrivals
    classes: tuple[CaseClass, ...]  # most urgent first; the last holds what the triage does not flag
    timetable: Timetable
    preempt: bool  # whether a more urgent arrival interrupts a reading, which is resumed later
    reserve_minutes: float  # how long before its cap a case goes to the front


def arrival_minutes(arrivals: Arrivals, minutes: float, generator: np.random.Generator) -> Floats:
    """Return Poisson arrivals in [0, minutes) in order; minute 0 is Monday, 00:00.

    Within an hour the rate is constant: the number is Poisson, the moments are uniform.
    """
    hours = math.ceil(minutes / MINUTES_PER_HOUR)
    rates = np.resize(arrivals.hourly_rates(), hours) if hours else np.zeros(0)
    counts = generator.poisson(rates)
    begins = np.repeat(np.arange(hours) * float(MINUTES_PER_HOUR), counts)
    moments = np.sort(begins + generator.uniform(0, MINUTES_PER_HOUR, len(begins)))
    return moments[moments < minutes]
