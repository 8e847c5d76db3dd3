"""Watches an installation from outside: memory, descriptors, pages, and whether it is as ready as it says."""

import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.service.faults.chaos.processes import family

LOOK_SECONDS = 1.0
PAGE_SECONDS = 0.5
HEALTH_SECONDS = 0.25
PATIENCE_SECONDS = 60.0
PAGES = ("/", "/api/v1/worklist", "/quarantine")


@dataclass(kw_only=True)
class Conditions:
    """Times at which something was certainly not in order, as the one who disturbed it knows."""

    past: list[tuple[str, float, float]] = field(default_factory=list)  # what, since when, until when
    present: dict[str, float] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def wrong(self, what: str) -> Iterator[None]:
        """Something is out of order until the block ends."""
        with self._guard:
            self.present[what] = time.monotonic()
        try:
            yield
        finally:
            with self._guard:
                self.past.append((what, self.present.pop(what), time.monotonic()))

    def during(self, asked: float, answered: float) -> list[str]:
        """Return what was out of order from before a question until after its answer."""
        with self._guard:
            whole = [what for what, since, until in self.past if since <= asked and answered <= until]
            return whole + [what for what, since in self.present.items() if since <= asked]


@dataclass(kw_only=True)
class Watch:
    """What was seen."""

    api: str
    pid: Callable[[], int]
    starts: Callable[[], int]  # of the whole installation, so far
    conditions: Conditions
    over: threading.Event
    peak_megabytes: dict[str, float] = field(default_factory=dict)  # by role
    answers: list[float] = field(default_factory=list)  # seconds
    answers_between_starts: list[float] = field(default_factory=list)  # those that waited for no start of all
    statuses: Counter[str] = field(default_factory=Counter)  # of pages
    health: Counter[str] = field(default_factory=Counter)
    untrue: list[str] = field(default_factory=list)  # said to be ready while it was not

    def start(self) -> None:
        """Watch from now on until it is over."""
        for look in (self._look_at_processes, self._ask_for_pages, self._ask_for_health):
            threading.Thread(target=look, daemon=True).start()

    def _look_at_processes(self) -> None:
        while not self.over.wait(LOOK_SECONDS):
            for process in family(self.pid()):
                known = self.peak_megabytes.get(process.role, 0.0)
                self.peak_megabytes[process.role] = max(known, process.peak_megabytes)

    def _ask_for_pages(self) -> None:
        number = answered_under = 0
        with httpx.Client(base_url=self.api, timeout=PATIENCE_SECONDS) as client:
            while not self.over.wait(PAGE_SECONDS):
                number += 1
                started, asked = self.starts(), time.monotonic()
                try:
                    status = client.get(PAGES[number % len(PAGES)]).status_code
                except httpx.TransportError as error:
                    self.statuses[type(error).__name__] += 1
                    continue
                self.answers.append(time.monotonic() - asked)
                self.statuses[str(status)] += 1
                if answered_under == started == self.starts():  # it had answered since its last start
                    self.answers_between_starts.append(self.answers[-1])
                answered_under = self.starts()

    def _ask_for_health(self) -> None:
        with httpx.Client(base_url=self.api, timeout=PATIENCE_SECONDS) as client:
            while not self.over.wait(HEALTH_SECONDS):
                asked = time.monotonic()
                try:
                    status = client.get("/health/ready").status_code
                except httpx.TransportError as error:
                    self.health[type(error).__name__] += 1
                    continue
                self.health[str(status)] += 1
                if status == 200:
                    self.untrue += self.conditions.during(asked, time.monotonic())


def descriptors(pid: int) -> dict[str, int]:
    """Return the most open files and sockets of a process of each role."""
    found: dict[str, int] = {}
    for process in family(pid):
        found[process.role] = max(found.get(process.role, 0), process.descriptors)
    return found


def percentile_99(seconds: list[float]) -> float:
    """Return the 99th percentile; 0 of fewer than two."""
    return statistics.quantiles(seconds, n=100, method="inclusive")[-1] if len(seconds) > 1 else 0.0
