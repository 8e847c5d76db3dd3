"""Budgets of one process, such as bytes for pictures: shares are given in the order of asking."""

from collections import deque
from types import TracebackType
from typing import Self

from anyio import Event

from overread.errors import OutOfResourcesError


class Share:
    """Part of a budget. It is held until it is given back: as a context manager at the end of the block."""

    def __init__(self, budget: "Budget", amount: int) -> None:
        """Note what was taken; better call `Budget.take`."""
        self._budget = budget
        self.amount = amount

    def __enter__(self) -> Self:
        """Hold it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back."""
        self.keep(0)

    def keep(self, amount: int) -> None:
        """Give back all but so much; nothing where that is more than is held."""
        returned = max(self.amount - amount, 0)
        self.amount -= returned
        self._budget.give_back(returned)


class Budget:
    """A budget of which requests take shares. For one event loop; not safe to use from other threads.

    Who asks for more than is left waits, and whoever asks later waits behind: a large request is not
    overtaken for ever by small ones.
    """

    def __init__(self, total: int, *, waiting_max: int, what: str) -> None:
        """Give nothing yet.

        Args:
            total: of all shares at once.
            waiting_max: requests that may wait; further ones are turned away.
            what: is being waited for, for messages, such as "pictures".
        """
        self.total = total
        self.free = total  # of it, not in any share
        self._waiting_max = waiting_max
        self._what = what
        self._waiting: deque[tuple[int, Event]] = deque()

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    async def take(self, amount: int, *, under_way: bool = False) -> Share:
        """Return a share, at once or after a wait.

        Args:
            amount: of it.
            under_way: whether the answer has begun, so that it is too late to turn the request away.

        Raises:
            ValueError: it is more than the whole budget.
            OutOfResourcesError: too many wait already.
        """
        if amount > self.total:
            raise ValueError(f"{amount} is more than the whole budget of {self.total}")
        if self._waiting or amount > self.free:
            if len(self._waiting) >= self._waiting_max and not under_way:
                raise OutOfResourcesError(f"too many requests wait for {self._what}; try again later")
            await self._wait(amount)
        else:
            self.free -= amount
        return Share(self, amount)

    def give_back(self, amount: int) -> None:
        """Take back so much of what was given, and let in who waits; better call `Share.keep`."""
        self.free += amount
        while self._waiting and self._waiting[0][0] <= self.free:
            wanted, turn = self._waiting.popleft()
            self.free -= wanted
            turn.set()

    async def _wait(self, amount: int) -> None:
        place = (amount, Event())
        self._waiting.append(place)
        taken = False
        try:
            await place[1].wait()
            taken = True
        finally:
            if not taken:  # the request was given up, in the queue or in the moment of its turn
                self._leave(place)

    def _leave(self, place: tuple[int, Event]) -> None:
        if place[1].is_set():
            self.give_back(place[0])
        else:
            self._waiting.remove(place)
            self.give_back(0)
