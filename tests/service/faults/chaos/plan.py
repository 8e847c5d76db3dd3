"""What goes wrong and when, drawn from a seed before anything starts."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

FIRST_SECONDS = 3.0  # of undisturbed load


class Kind(StrEnum):
    """Kind of a disturbance."""

    KILL = "kill a child"
    KILL_SUPERVISOR = "kill the supervisor"
    FREEZE = "freeze a worker"
    FILL = "fill the disk"
    READ_ONLY = "disk read-only"
    DATABASE = "take the database away"
    CLOCK = "step the clock"
    HOSTILE = "send something hostile"
    STORM = "storm of connections"


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Disturbances that follow one another, while those of other streams go on."""

    mean_seconds: float  # between the end of one and the next
    kinds: Mapping[Kind, int]  # with their weights
    longest_seconds: float = 0.0  # of one


STREAMS = {
    "kill": Stream(mean_seconds=8.0, kinds={Kind.KILL: 8, Kind.KILL_SUPERVISOR: 1}),
    "freeze": Stream(mean_seconds=15.0, kinds={Kind.FREEZE: 1}, longest_seconds=8.0),
    "disk": Stream(mean_seconds=40.0, kinds={Kind.FILL: 3, Kind.READ_ONLY: 1}, longest_seconds=8.0),
    "database": Stream(mean_seconds=30.0, kinds={Kind.DATABASE: 1}, longest_seconds=8.0),
    "clock": Stream(mean_seconds=20.0, kinds={Kind.CLOCK: 1}),
    "hostile": Stream(mean_seconds=3.0, kinds={Kind.HOSTILE: 1}),
    "storm": Stream(mean_seconds=25.0, kinds={Kind.STORM: 1}, longest_seconds=5.0),
}


@dataclass(frozen=True, kw_only=True)
class Action:
    """One disturbance."""

    at: float  # seconds since the start
    kind: Kind
    seconds: float  # how long it lasts
    pick: float  # in [0, 1): whom or what it hits, of those that are there then
    amount: float  # in [0, 1): how hard


def plan(
    seed: int, seconds: float, *, streams: Iterable[str] = STREAMS, pace: float = 1.0
) -> dict[str, list[Action]]:
    """Return the actions of each stream in their order; a pace of 2 has them twice as often."""
    return {name: list(_actions(seed, name, seconds, pace)) for name in streams}


def _actions(seed: int, name: str, seconds: float, pace: float) -> Iterable[Action]:
    stream, chance = STREAMS[name], random.Random(f"{name} {seed}")
    at = FIRST_SECONDS
    while True:
        at += chance.expovariate(pace / stream.mean_seconds)
        (kind,) = chance.choices(list(stream.kinds), weights=list(stream.kinds.values()))
        lasts = chance.uniform(min(1.0, stream.longest_seconds), stream.longest_seconds)
        action = Action(
            at=at, kind=kind, seconds=round(lasts, 3), pick=chance.random(), amount=chance.random()
        )
        at += lasts
        if at > seconds:
            return
        yield action
