"""Queueing theory for queues simple enough for it; the simulation is held against it.

Rates are per minute, waits in minutes, from arrival to the start of reading unless said otherwise.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Poisson arrivals of one class, most urgent first in a sequence of streams."""

    rate: float
    mean: float  # reading time
    second_moment: float  # of the reading time; 2 mean^2 if it is exponential


def erlang_c_wait(rate: float, mean: float, readers: int) -> float:
    """Return the mean wait with several readers and exponential reading times (Erlang 1917).

    Raises:
        ValueError: more work arrives than the readers do; the wait has no mean.
    """
    offered = rate * mean
    if offered >= readers:
        raise ValueError("the queue is overloaded")
    blocked = 1.0  # Erlang B by its recursion, which does not overflow
    for number in range(1, readers + 1):
        blocked = offered * blocked / (number + offered * blocked)
    waits = blocked / (1 - offered / readers * (1 - blocked))
    return waits * mean / (readers - offered)


def cobham_waits(streams: Sequence[Stream]) -> tuple[float, ...]:
    """Return the mean wait of each class with one reader who finishes a case once begun (Cobham 1954).

    Raises:
        ValueError: the queue is overloaded.
    """
    _check(streams)
    residual = sum(stream.rate * stream.second_moment for stream in streams) / 2
    return tuple(residual / ((1 - before) * (1 - through)) for before, through in _cumulative_loads(streams))


def preemptive_turnarounds(streams: Sequence[Stream]) -> tuple[float, ...]:
    """Return the mean turnaround of each class with one reader whom more urgent cases interrupt.

    Interrupted readings are resumed. Formula: Conway, Maxwell and Miller, Theory of Scheduling, 1967, 8-7.

    Raises:
        ValueError: the queue is overloaded.
    """
    _check(streams)
    turnarounds = []
    residual = 0.0
    for stream, (before, through) in zip(streams, _cumulative_loads(streams), strict=True):
        residual += stream.rate * stream.second_moment / 2
        turnarounds.append(stream.mean / (1 - before) + residual / ((1 - before) * (1 - through)))
    return tuple(turnarounds)


def _cumulative_loads(streams: Sequence[Stream]) -> tuple[tuple[float, float], ...]:
    """Return the load of the classes before each one, and with it."""
    through = [
        math.fsum(other.rate * other.mean for other in streams[: place + 1]) for place in range(len(streams))
    ]
    return tuple(zip([0.0, *through[:-1]], through, strict=True))


def _check(streams: Sequence[Stream]) -> None:
    if math.fsum(stream.rate * stream.mean for stream in streams) >= 1:
        raise ValueError("the queue is overloaded")
