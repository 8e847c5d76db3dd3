"""Backlog of tasks: one process at a time, retried with growing delays, given up in the end."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Row, Table, bindparam, or_, select, update

from service.store.clock import beyond_reason
from service.store.database import Store

DUE = "DUE"
GIVEN_UP = "GIVEN_UP"
ATTEMPTS_MAX = 80  # about three days, at the delays below
DELAY_SECONDS_MAX = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """The rows of a table that has the columns state, attempts, due_at, concluded_at and detail.

    A row that is DUE is claimed, and then ended or postponed. One whose process died meanwhile is claimed
    again; so is one that is due later than any delay, which was put there by a clock that ran ahead.
    """

    table: Table
    number: Column[int]  # its primary key
    first_delay_seconds: float  # doubled with each further attempt, up to DELAY_SECONDS_MAX
    attempt_seconds: float  # after which an attempt that was begun counts as dead

    def claim(self, store: Store, *, now: datetime) -> Row[Any] | None:
        """Make what has been due for longest the caller's, one attempt more; None if nothing is due."""
        columns = self.table.c
        due = (
            select(self.number)
            .where(
                columns.state == DUE,
                or_(columns.due_at <= bindparam("now"), columns.due_at > bindparam("beyond")),
            )
            .order_by(columns.due_at)
            .limit(1)
        )
        longest_seconds = max(DELAY_SECONDS_MAX, self.attempt_seconds)
        bound = {"now": now, "beyond": beyond_reason(now, longest_seconds=longest_seconds)}
        with store.reading() as connection:
            if connection.execute(due, bound).first() is None:
                return None
        claimed = (
            update(self.table)
            .where(self.number == due.with_for_update(skip_locked=True).scalar_subquery())
            .values(attempts=columns.attempts + 1, due_at=now + timedelta(seconds=self.attempt_seconds))
            .returning(self.table)
        )
        with store.writing(durable=False) as connection:
            return connection.execute(claimed, bound).one_or_none()

    def end(self, store: Store, number: int, state: str, detail: str, *, now: datetime) -> None:
        """Note how something that is due ended, and in words what came of it."""
        self._change(store, number, state=state, concluded_at=now, detail=detail)

    def postpone(self, store: Store, number: int, attempts: int, why: str, *, now: datetime) -> bool:
        """Note why it did not succeed, and return whether it will be tried again.

        Without an attempt it is due at once.
        """
        if attempts >= ATTEMPTS_MAX:
            self.end(store, number, GIVEN_UP, why, now=now)
            return False
        doubled = self.first_delay_seconds * 2.0 ** (attempts - 1)
        seconds = min(doubled, DELAY_SECONDS_MAX) if attempts else 0.0
        self._change(store, number, due_at=now + timedelta(seconds=seconds), detail=why)
        return True

    def _change(self, store: Store, number: int, **values: object) -> None:
        statement = update(self.table).where(self.number == number, self.table.c.state == DUE)
        with store.writing(durable=False) as connection:
            connection.execute(statement.values(**values))
