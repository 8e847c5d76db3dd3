"""A bounded number of child processes for calls from many threads."""

import queue
from collections.abc import Callable
from types import TracebackType
from typing import Concatenate, Generic, Self

from overread.errors import OutOfResourcesError
from service.confined.confined import START_LIMITS, Confined, Params, Result, Tenant
from service.confined.limits import Limits


class ConfinedPool(Generic[Tenant]):
    """Tenants of one kind, a child process each, started when needed. Safe to share between threads."""

    def __init__(
        self,
        make: Callable[[], Tenant],
        *,
        what: str,
        size: int,
        wait_seconds: float = 30.0,
        start_limits: Limits = START_LIMITS,
    ) -> None:
        """Start nothing yet.

        Args:
            make: makes a tenant; see `Confined`.
            what: is done there, for messages.
            size: most children at once.
            wait_seconds: longest wait of a call for a free one.
            start_limits: of the start of a child with its tenant.
        """
        self._what = what
        self._wait_seconds = wait_seconds
        self._all = [Confined(make, what=what, start_limits=start_limits) for _ in range(size)]
        self._free: queue.LifoQueue[Confined[Tenant]] = queue.LifoQueue()  # the last one used is warm
        for confined in reversed(self._all):
            self._free.put(confined)

    def __enter__(self) -> Self:
        """Start nothing yet; the block's end ends the children."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the children."""
        self.close()

    def call(
        self,
        limits: Limits,
        function: Callable[Concatenate[Tenant, Params], Result],
        /,
        *args: Params.args,
        **kwargs: Params.kwargs,
    ) -> Result:
        """Return what the function returns for a tenant and these arguments; see `Confined.call`.

        Raises:
            OutOfResourcesError: every child is busy for longer than a call waits, or none can be started.
            OverLimitError: it took more than the limits allow, and the child was killed.
            LostProcessError: the child ended without an answer.
            Exception: what the function raises.
        """
        try:
            confined = self._free.get(timeout=self._wait_seconds)
        except queue.Empty:
            raise OutOfResourcesError(
                f"all {len(self._all)} processes for {self._what} are busy; try again later"
            ) from None
        try:
            return confined.call(limits, function, *args, **kwargs)
        finally:
            self._free.put(confined)

    def close(self) -> None:
        """End the children, each after the call that it has in hand."""
        for confined in self._all:
            confined.close()
