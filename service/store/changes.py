"""Changes of a case inside a transaction: state, columns and event move together or not at all."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from overread.actor import Actor, ActorKind
from overread.case import SECOND_READ, CaseEvent, CaseState, advance
from service.store import queries
from service.store.audit_entries import AuditAction, AuditEntry
from service.store.audit_trail import record_act
from service.store.ready_cases import announce_ready
from service.store.records import CaseRecord, actor_columns
from service.store.rows import case_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry for the history of a case."""

    event: CaseEvent
    at: datetime
    actor: Actor
    detail: str | None = None


def open_case(connection: Connection, state: CaseState, entry: Entry, **columns: object) -> CaseRecord:
    """Open a case with its first event and return it."""
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
    case = case_of(row)
    _append(connection, case, entry, before=None)
    return case


def change_case(connection: Connection, case: CaseRecord, entry: Entry, **columns: object) -> CaseRecord:
    """Let the event happen to the case and return it as it is then; whoever held a lease on it has lost it.

    Raises:
        TransitionError: the event cannot happen to a case in this state.
    """
    after = advance(case.state, entry.event)
    leaves = {"lease_owner": None, "lease_until": None, "state": after.value}
    changed = describe_case(connection, case, entry.at, **(leaves | columns))
    _append(connection, changed, entry, before=case.state)
    return changed


def revise_case(connection: Connection, case: CaseRecord, entry: Entry, **columns: object) -> CaseRecord:
    """Send a complete case back to triage as a new revision, with a fresh count of attempts.

    One that was judged has waited to its end: its wait begins anew.
    """
    fresh: dict[str, object] = {
        "revision": case.revision + 1,
        "attempts": 0,
        "due_at": entry.at,
        "failure": None,
    }
    if case.state in SECOND_READ:
        fresh["waiting_since"] = None
    return change_case(connection, case, entry, **(fresh | columns))


def describe_case(connection: Connection, case: CaseRecord, at: datetime, **columns: object) -> CaseRecord:
    """Change columns that are no part of the case's state, and return the case as it is then."""
    values = {"changed_case": case.case_id, "updated_at": at, **columns}
    return case_of(connection.execute(queries.CHANGE_CASE, values).one())


def record_claim(connection: Connection, case: CaseRecord, entry: Entry) -> None:
    """Append the event of a claim, whose row has been changed by the claim itself."""
    _append(connection, case, entry, before=CaseState.READY)


def _append(connection: Connection, case: CaseRecord, entry: Entry, *, before: CaseState | None) -> None:
    if case.state is CaseState.READY and case.due_at <= entry.at:
        announce_ready(connection)
    connection.execute(
        queries.ADD_EVENT,
        {
            "case_id": case.case_id,
            "happened_at": entry.at,
            "event": entry.event.value,
            "state_before": before.value if before is not None else None,
            "state_after": case.state.value,
            "revision": case.revision,
            "detail": entry.detail,
            **actor_columns(entry.actor),
        },
    )
    if entry.actor.kind is ActorKind.PERSON:
        act = AuditEntry(
            at=entry.at,
            actor=entry.actor,
            action=AuditAction.CHANGED,
            what="case",
            subject=f"case {case.case_id}",
            detail=entry.event.value if entry.detail is None else f"{entry.event.value}: {entry.detail}",
        )
        record_act(connection, act)
