"""Changes of a case inside a transaction: state, columns and event move together or not at all."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from overread.actor import Actor
from overread.case import CaseEvent, CaseState, advance
from service.store import queries
from service.store.records import actor_columns

CaseRow = Row[Any]
"""A row of the table `cases`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry for the history of a case."""

    event: CaseEvent
    at: datetime
    actor: Actor
    detail: str | None = None


def open_case(connection: Connection, state: CaseState, entry: Entry, **columns: object) -> CaseRow:
    """Open a case with its first event and return its row."""
    row = connection.execute(
        queries.ADD_CASE,
        {
            "state": state.value,
            "revision": 1,
            "priority": 0.0,
            "attempts": 0,
            "due_at": entry.at,
            "opened_at": entry.at,
            "updated_at": entry.at,
            **columns,
        },
    ).one()
    _append(connection, row, entry, before=None)
    return row


def change_case(connection: Connection, case: CaseRow, entry: Entry, **columns: object) -> CaseRow:
    """Let the event happen to the case and return its new row; whoever held a lease on it has lost it.

    Raises:
        TransitionError: the event cannot happen to a case in this state.
    """
    after = advance(CaseState(case.state), entry.event)
    leaves = {"lease_owner": None, "lease_until": None, "state": after.value}
    row = describe_case(connection, case, entry.at, **(leaves | columns))
    _append(connection, row, entry, before=case.state)
    return row


def revise_case(connection: Connection, case: CaseRow, entry: Entry, **columns: object) -> CaseRow:
    """Send a complete case back to triage as a new revision, with a fresh count of attempts."""
    fresh = {"revision": case.revision + 1, "attempts": 0, "due_at": entry.at, "failure": None}
    return change_case(connection, case, entry, **(fresh | columns))


def describe_case(connection: Connection, case: CaseRow, at: datetime, **columns: object) -> CaseRow:
    """Change columns that are no part of the case's state, and return the new row."""
    return connection.execute(
        queries.CHANGE_CASE, {"changed_case": case.case_id, "updated_at": at, **columns}
    ).one()


def record_claim(connection: Connection, case: CaseRow, entry: Entry) -> None:
    """Append the event of a claim, whose row has been changed by the claim itself."""
    _append(connection, case, entry, before=CaseState.READY)


def _append(connection: Connection, row: CaseRow, entry: Entry, *, before: str | None) -> None:
    connection.execute(
        queries.ADD_EVENT,
        {
            "case_id": row.case_id,
            "happened_at": entry.at,
            "event": entry.event.value,
            "state_before": before,
            "state_after": row.state,
            "revision": row.revision,
            "detail": entry.detail,
            **actor_columns(entry.actor),
        },
    )
