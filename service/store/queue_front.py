"""Front of the queue: where a worker begins to look for a case that is due.

Each claim leaves a dead entry behind in the index by which cases are found. PostgreSQL passes over it once
and clears it away; but not while anybody holds a snapshot that is older than the claim, such as a backup, a
long question or a session that was forgotten within a transaction. Then every look walks over every claim
since, those of idle workers too. So a worker looks from where it found the last case on.

Hardly anything comes to lie behind: a case is due from the moment in which it becomes READY, or later. What
does, because a transaction took long, another machine's clock is behind, or a claim was undone, is found by
a look from the beginning, which is made now and then.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
_MARGIN = timedelta(seconds=5)  # by which a case may be put down late and is still found at once
_BEGINNING_AGAIN = timedelta(seconds=10)


@dataclass(slots=True)
class QueueFront:
    """Front of the queue as one worker knows it. Not safe to share between threads."""

    _due_at: datetime | None = None  # what was due before it is claimed, as far as this worker knows
    _begun_at: datetime | None = None  # when it last looked from the beginning

    def since(self, now: datetime) -> datetime:
        """Return the time from which on cases have to be due to be looked at now."""
        if self._due_at is None or self._is_beginning(now):
            return _EARLIEST
        return self._due_at - _MARGIN

    def move(self, found: datetime | None, *, now: datetime) -> None:
        """Begin there the next time.

        Args:
            found: since when the case was due that a look `since` this front has found; None: there was none.
            now: the time of that look.
        """
        if self._due_at is None or self._is_beginning(now):
            self._begun_at = now
        self._due_at = now if found is None else min(found, now)

    def _is_beginning(self, now: datetime) -> bool:
        """Whether a look has to start at the beginning; so has one after the clock was set back."""
        return self._begun_at is None or not timedelta(0) <= now - self._begun_at < _BEGINNING_AGAIN
