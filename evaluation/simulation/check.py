"""The simulation held against queueing theory, on queues simple enough for it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from evaluation.simulation.cases import triage_probabilities
from evaluation.simulation.outcome import Run, run_scenario
from evaluation.simulation.scenario import Arrivals, CaseClass, Distribution, ReadingTime, Scenario
from evaluation.simulation.theory import Stream, cobham_waits, erlang_c_wait, preemptive_turnarounds
from evaluation.simulation.timetable import DAYS, MINUTES_PER_DAY, Shift, timetable_of
from overread.statistics import Estimate, mean_estimate

RUNS = 40
DAYS_COUNTED = 30
CONFIDENCE = 0.99

_MEAN_MINUTES = 6.0
_FIRST_IN, _PRIORITY = 0, 1  # places in orders_of()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A mean that theory knows, next to the simulated one."""

    queue: str
    theory_minutes: float
    simulated: Estimate

    @property
    def agrees(self) -> bool:
        """Whether the theory lies in the interval."""
        return self.simulated.low <= self.theory_minutes <= self.simulated.high


def first_in_checks(*, seed: int) -> Iterator[Check]:
    """Yield the wait in one list, first in, first out, for one and several readers."""
    for readers, load in ((1, 0.5), (1, 0.8), (3, 0.8), (5, 0.9)):
        scenario = _scenario(readers=readers, load=load)
        theory = erlang_c_wait(_rate(scenario), _MEAN_MINUTES, readers)
        waits = [float(run.waits[_FIRST_IN].mean()) for run in _runs(scenario, seed)]
        yield _check(f"M/M/{readers}, load {load:g}: wait (Erlang C)", theory, waits)


def cobham_checks(distribution: Distribution, *, seed: int) -> Iterator[Check]:
    """Yield the wait of each class where a reading that has begun is finished."""
    scenario = _scenario(distribution=distribution)
    runs = _runs(scenario, seed)
    for number, theory in enumerate(cobham_waits(_streams(scenario))):
        yield _check(
            f"M/{'M' if distribution is Distribution.EXPONENTIAL else 'D'}/1, priority, "
            f"class {number + 1} of 3: wait (Cobham)",
            theory,
            _class_means(runs, number),
        )


def preemptive_checks(*, seed: int) -> Iterator[Check]:
    """Yield the turnaround of each class where a more urgent case interrupts a reading."""
    scenario = replace(_scenario(), preempt=True)
    runs = _runs(scenario, seed)
    for number, theory in enumerate(preemptive_turnarounds(_streams(scenario))):
        yield _check(
            f"M/M/1, interrupted and resumed, class {number + 1} of 3: turnaround",
            theory,
            _class_means(runs, number, turnaround=True),
        )


def erring_triage_checks(*, seed: int) -> Iterator[Check]:
    """Yield the wait of each true class: its cases wait as the classes do in which the triage lists them."""
    perfect = _scenario()
    classes = tuple(replace(kind, sensitivity=0.8, specificity=0.9) for kind in perfect.classes)
    scenario = replace(perfect, classes=classes)
    chances = triage_probabilities(classes)
    listed = chances.T @ np.array([kind.share for kind in classes])
    waits = np.array(cobham_waits(_streams(perfect, tuple(listed.tolist()))))
    runs = _runs(scenario, seed)
    for number, theory in enumerate((chances @ waits).tolist()):
        yield _check(
            f"M/M/1, priority by a triage that errs, class {number + 1} of 3: wait (Cobham)",
            theory,
            _class_means(runs, number),
        )


def _scenario(
    *, readers: int = 1, load: float = 0.8, distribution: Distribution = Distribution.EXPONENTIAL
) -> Scenario:
    """Return a queue that theory knows: constant rate, readers at all times, classes that read alike."""
    reading = ReadingTime(distribution=distribution, mean_minutes=_MEAN_MINUTES, sd_minutes=0.0)
    classes = tuple(
        CaseClass(
            name=f"class {number}",
            share=share,
            reading=reading,
            cap_minutes=math.inf,
            sensitivity=1.0,
            specificity=1.0,
        )
        for number, share in enumerate((0.2, 0.3, 0.5))
    )
    always = Shift(days=DAYS, begins=0, ends=MINUTES_PER_DAY, readers=readers)
    per_day = load * readers / _MEAN_MINUTES * MINUTES_PER_DAY
    return Scenario(
        name="theory",
        days=DAYS_COUNTED,
        warm_up_days=5,
        arrivals=Arrivals(per_day=per_day, hourly=(1.0,) * 24, weekend=1.0),
        classes=classes,
        timetable=timetable_of([always]),
        preempt=False,
        reserve_minutes=0.0,
    )


def _rate(scenario: Scenario) -> float:
    return scenario.arrivals.per_day / MINUTES_PER_DAY


def _streams(scenario: Scenario, shares: tuple[float, ...] | None = None) -> tuple[Stream, ...]:
    shares = shares or tuple(kind.share for kind in scenario.classes)
    constant = scenario.classes[0].reading.distribution is Distribution.CONSTANT
    second = _MEAN_MINUTES**2 * (1 if constant else 2)
    return tuple(
        Stream(rate=_rate(scenario) * share, mean=_MEAN_MINUTES, second_moment=second) for share in shares
    )


def _runs(scenario: Scenario, seed: int) -> tuple[Run, ...]:
    return tuple(islice(run_scenario(scenario, seed=seed), RUNS))


def _class_means(runs: tuple[Run, ...], number: int, *, turnaround: bool = False) -> list[float]:
    return [
        float((run.waits[_PRIORITY] + (run.reading if turnaround else 0.0))[run.truth == number].mean())
        for run in runs
    ]


def _check(queue: str, theory: float, values: list[float]) -> Check:
    simulated = mean_estimate(values, confidence=CONFIDENCE)
    return Check(queue=queue, theory_minutes=theory, simulated=simulated)
