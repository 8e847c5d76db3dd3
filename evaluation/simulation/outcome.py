"""Results of a simulation: waiting and turnaround per class and order, with intervals over its runs."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from evaluation.simulation.cases import Numbers, Recorded, complete_cases, draw_cases
from evaluation.simulation.room import Order, orders_of, read_all
from evaluation.simulation.scenario import Floats, Scenario
from overread.statistics import LEAST_VALUES, Estimate, mean_estimate

_MEASURES: tuple[Callable[[Floats], float], ...] = (
    lambda minutes: float(minutes.mean()),
    lambda minutes: float(np.percentile(minutes, 95)),
    lambda minutes: float(minutes.max()),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run: the same cases read in every order. Counted cases only, shape (cases,) each."""

    truth: Numbers
    listed: Numbers
    reading: Floats  # minutes
    waits: tuple[Floats, ...]  # minutes from arrival in which the case was not being read; an entry per order
    load: float  # minutes of reading that arrive over minutes of readers on duty


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Mean, 95th percentile and maximum of a run, in minutes; None where too few runs had such a case."""

    mean: Estimate | None
    high: Estimate | None
    longest: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Effect of an order on the cases of a class."""

    case_class: str
    cases: int  # in all runs together
    order: str
    wait: Spread
    turnaround: Spread
    gain: Estimate | None  # mean wait less that of the first order, in pairs; None for the first order


@dataclass(frozen=True, slots=True, kw_only=True)
class CapRow:
    """Keeping of the cap of a class. The class is the listed one: a cap knows what the list knows."""

    case_class: str
    cap_minutes: float
    order: str
    cases: int  # in all runs together
    late: int  # that waited longer than the cap
    late_percent: Estimate | None  # of the cases of a run
    longest_minutes: float  # wait in all runs together


def run_scenario(scenario: Scenario, *, seed: int, recorded: Recorded | None = None) -> Iterator[Run]:
    """Yield independent runs, for ever; the same seed yields the same runs.

    Args:
        scenario: what is simulated.
        seed: of the random numbers.
        recorded: arrivals that happened, in place of the scenario's.
    """
    orders = orders_of(scenario)
    for number in count():
        generator = np.random.default_rng([seed, number])
        cases = (
            draw_cases(scenario, generator)
            if recorded is None
            else complete_cases(recorded, scenario, generator)
        )
        kept = (cases.arrived >= cases.counted_from) & (cases.arrived < cases.counted_to)
        on_duty = scenario.timetable.reader_minutes(cases.counted_from, cases.counted_to)
        finished = [read_all(cases, scenario.timetable, order) for order in orders]
        yield Run(
            truth=cases.truth[kept],
            listed=cases.listed[kept],
            reading=cases.reading[kept],
            waits=tuple(np.maximum(end - cases.arrived - cases.reading, 0.0)[kept] for end in finished),
            load=float(cases.reading[kept].sum()) / on_duty if on_duty else math.inf,
        )


def summarise(runs: Sequence[Run], scenario: Scenario) -> Iterator[Row]:
    """Yield a row for each class, and for all cases together, in each order.

    Raises:
        ValueError: there are fewer than LEAST_VALUES runs.
    """
    if len(runs) < LEAST_VALUES:
        raise ValueError(f"an interval needs at least {LEAST_VALUES} runs")
    groups = [(kind.name, number) for number, kind in enumerate(scenario.classes)]
    for name, number in [*groups, ("all", None)]:
        chosen = [np.full(len(run.truth), True) if number is None else run.truth == number for run in runs]
        yield from _rows(name, runs, chosen, orders_of(scenario))


def summarise_caps(runs: Sequence[Run], scenario: Scenario) -> Iterator[CapRow]:
    """Yield a row for each class that has a cap, in each order."""
    for number, kind in enumerate(scenario.classes):
        if math.isinf(kind.cap_minutes):
            continue
        for place, order in enumerate(orders_of(scenario)):
            waits = [run.waits[place][run.listed == number] for run in runs]
            late = [int((wait > kind.cap_minutes).sum()) for wait in waits]
            yield CapRow(
                case_class=kind.name,
                cap_minutes=kind.cap_minutes,
                order=order.name,
                cases=sum(map(len, waits)),
                late=sum(late),
                late_percent=_mean(
                    [100 * part / len(wait) for part, wait in zip(late, waits, strict=True) if len(wait)]
                ),
                longest_minutes=max((float(wait.max()) for wait in waits if len(wait)), default=0.0),
            )


def _mean(values: Sequence[float]) -> Estimate | None:
    """Return the mean of one value per run; None where too few runs have one."""
    return mean_estimate(values) if len(values) >= LEAST_VALUES else None


def _rows(
    name: str, runs: Sequence[Run], chosen: Sequence[NDArray[np.bool_]], orders: Sequence[Order]
) -> Iterator[Row]:
    kept = [(run, mask) for run, mask in zip(runs, chosen, strict=True) if mask.any()]
    first = [float(run.waits[0][mask].mean()) for run, mask in kept]
    for place, order in enumerate(orders):
        waits = [run.waits[place][mask] for run, mask in kept]
        gains = [float(wait.mean()) - before for wait, before in zip(waits, first, strict=True)]
        yield Row(
            case_class=name,
            cases=sum(map(len, waits)),
            order=order.name,
            wait=_spread(waits),
            turnaround=_spread([run.waits[place][mask] + run.reading[mask] for run, mask in kept]),
            gain=_mean(gains) if place else None,
        )


def _spread(minutes: Sequence[Floats]) -> Spread:
    mean, high, longest = (_mean([measure(part) for part in minutes]) for measure in _MEASURES)
    return Spread(mean=mean, high=high, longest=longest)
