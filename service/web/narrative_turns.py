"""Turns of requests that bring reports: to read a PDF takes seconds, for which no page should wait."""

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter
from starlette.requests import Request

from service.web.archive_threads import run
from service.web.budget import Budget
from service.web.settings import WebSettings

Result = TypeVar("Result")


class NarrativeTurns:
    """The turns and threads of one application."""

    def __init__(self, settings: WebSettings) -> None:
        """Give nothing yet."""
        self.turns = Budget(
            settings.narratives_at_once,
            waiting_max=settings.narratives_waiting_max,
            what="reports to be read",
        )
        self._threads = CapacityLimiter(settings.narratives_at_once)

    async def run(self, work: Callable[[], Result]) -> Result:
        """Return what the work gives, done in a thread when its turn has come.

        Raises:
            OutOfResourcesError: too many requests wait.
            Exception: what the work raises.
        """
        with await self.turns.take(1):
            return await run(self._threads, work)


def narratives_of(request: Request) -> NarrativeTurns:
    """Return the turns of the application that answers the request."""
    narratives: NarrativeTurns = request.app.state.narratives
    return narratives
