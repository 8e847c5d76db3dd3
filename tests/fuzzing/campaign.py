"""Runs one parser on inputs that Hypothesis draws and, where one fails, makes small."""

import time
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzzing.harness import Harness, ViolationError, check
from tests.fuzzing.mutation import contents

BATCH = 200  # inputs of a parser of share 1, drawn from one seed


@dataclass(kw_only=True)
class Tally:
    """What came of one parser."""

    name: str
    executions: int = 0
    seconds: float = 0.0
    failures: dict[str, bytes] = field(default_factory=dict)  # what was wrong -> the smallest input with it


def fuzz(harness: Harness, *, number: int, seconds: float, executions: int) -> Tally:
    """Return what came of so many seconds, or so many executions if they come first.

    A batch that has begun is ended: the same number and executions draw the same inputs.
    """
    tally, begun, batch = Tally(name=harness.name), time.monotonic(), 0
    executions = max(int(executions * harness.share), 1)
    size = max(int(BATCH * harness.share), 1)
    while tally.executions < executions and time.monotonic() - begun < seconds:
        _run_batch(harness, number * 1_000_003 + batch, min(size, executions - tally.executions), tally)
        batch += 1
    tally.seconds = time.monotonic() - begun
    return tally


def _run_batch(harness: Harness, number: int, size: int, tally: Tally) -> None:
    last = b""

    @seed(number)
    @settings(
        max_examples=size,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(content=contents(harness))
    def run(content: bytes) -> None:
        nonlocal last
        tally.executions += 1
        try:
            check(harness, content)
        except ViolationError:
            last = content
            raise

    try:
        run()
    except ViolationError as violation:  # of the smallest input, which was the last to fail
        tally.failures.setdefault(str(violation), last)
