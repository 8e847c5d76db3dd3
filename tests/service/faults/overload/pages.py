"""Asks for pages from a process of its own: what many senders do in theirs is not the page's time."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue

import httpx

from tests.service.faults.chaos.watch import PAGE_SECONDS, PAGES, PATIENCE_SECONDS


@dataclass(kw_only=True)
class PageWatch:
    """Answers so far, as another process gets them."""

    api: str
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    def start(self) -> None:
        """Ask from now on, until this process ends."""
        context = get_context("spawn")
        answers: SimpleQueue[tuple[str, float]] = context.SimpleQueue()
        context.Process(target=_ask, args=(self.api, answers), daemon=True).start()
        threading.Thread(target=self._note, args=(answers,), daemon=True).start()

    def _note(self, answers: "SimpleQueue[tuple[str, float]]") -> None:
        while True:
            status, seconds = answers.get()
            self.statuses[status] += 1
            self.seconds.append(seconds)


def _ask(api: str, answers: "SimpleQueue[tuple[str, float]]") -> None:
    number = 0
    with httpx.Client(base_url=api, timeout=PATIENCE_SECONDS) as client:
        while True:
            number += 1
            asked = time.monotonic()
            try:
                status = str(client.get(PAGES[number % len(PAGES)]).status_code)
            except httpx.TransportError as error:
                status = type(error).__name__
            answers.put((status, time.monotonic() - asked))
            time.sleep(PAGE_SECONDS)
