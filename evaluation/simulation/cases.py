"""The cases of one run: when they arrive, what they are, how the triage lists them, how long they take."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.simulation.scenario import CaseClass, Floats, Scenario, arrival_minutes
from evaluation.simulation.timetable import MINUTES_PER_DAY

Numbers = NDArray[np.intp]

UNKNOWN = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """Cases in the order of their arrival; every array has shape (cases,)."""

    arrived: Floats  # minutes since Monday, 00:00; ascending
    truth: Numbers  # class that the case is of
    listed: Numbers  # class that the triage lists it in
    reading: Floats  # minutes
    counted_from: float  # minute from which arriving cases count
    counted_to: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Arrivals that happened, as a file records them; every array has shape (cases,)."""

    arrived: Floats  # minutes since 00:00 of the Monday before the first; ascending
    truth: Numbers  # UNKNOWN where the file names no class
    reading: Floats  # minutes; NaN where the file gives none


def draw_cases(scenario: Scenario, generator: np.random.Generator) -> Cases:
    """Return the cases of one run of a scenario, with warm-up before and after the days that count."""
    begins = scenario.warm_up_days * MINUTES_PER_DAY
    ends = begins + scenario.days * MINUTES_PER_DAY
    arrived = arrival_minutes(scenario.arrivals, ends + begins, generator)
    unknown = np.full(len(arrived), UNKNOWN)
    nothing = np.full(len(arrived), np.nan)
    recorded = Recorded(arrived=arrived, truth=unknown, reading=nothing)
    return _completed(recorded, (begins, ends), scenario.classes, generator)


def complete_cases(recorded: Recorded, scenario: Scenario, generator: np.random.Generator) -> Cases:
    """Return recorded arrivals with what the file leaves open drawn from the scenario; all count."""
    counted = (float(recorded.arrived[0]), math.nextafter(float(recorded.arrived[-1]), math.inf))
    return _completed(recorded, counted, scenario.classes, generator)


def triage_probabilities(classes: Sequence[CaseClass]) -> Floats:
    """Return the probability that a case of one class is listed in another, shape (true, listed).

    Each class but the last has a detector of its own; errors are independent. A case is listed in the most
    urgent class that is flagged, in the last where none is.
    """
    flagged: Floats = np.array(
        [
            [detector.sensitivity if truth is detector else 1 - detector.specificity for detector in classes]
            for truth in classes
        ]
    )
    flagged[:, -1] = 1.0
    passed = np.ones_like(flagged)  # by every more urgent detector
    passed[:, 1:] = np.cumprod(1 - flagged, axis=1)[:, :-1]
    return flagged * passed


def _completed(
    recorded: Recorded,
    counted: tuple[float, float],
    classes: Sequence[CaseClass],
    generator: np.random.Generator,
) -> Cases:
    number = len(recorded.arrived)
    drawn = generator.choice(len(classes), number, p=[kind.share for kind in classes])
    truth = np.where(recorded.truth == UNKNOWN, drawn, recorded.truth)
    chance = np.cumsum(triage_probabilities(classes), axis=1)
    listed = (generator.uniform(size=(number, 1)) >= chance[truth][:, :-1]).sum(axis=1)
    times = np.stack([kind.reading.draw(number, generator) for kind in classes])
    reading = np.where(np.isnan(recorded.reading), times[truth, np.arange(number)], recorded.reading)
    return Cases(
        arrived=recorded.arrived,
        truth=truth,
        listed=listed.astype(np.intp),
        reading=reading,
        counted_from=counted[0],
        counted_to=counted[1],
    )
