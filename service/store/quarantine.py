"""Quarantine entries as a person sees them, and the record of every action on them.

Nothing is deleted here: an entry waits, is resolved (its content is in the store now) or discarded, and each
step stands in a table that only grows.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, select, update

from overread.actor import Actor
from overread.errors import InputError, NotFoundError, TransitionError, UnreadableRecordError
from service.store import locks
from service.store.audit_entries import AuditAction, AuditEntry
from service.store.audit_trail import record_act
from service.store.database import Store
from service.store.json_format import from_json, to_json
from service.store.records import (
    QuarantineEntry,
    QuarantineKind,
    QuarantineState,
    ReportStatus,
    actor_columns,
    actor_of,
)
from service.store.rows import quarantine_of
from service.store.schema import cases, quarantine, quarantine_actions
from service.store.sight import refusals_in_sight

_log = structlog.get_logger("overread.quarantine")

_NEWEST_FIRST = (quarantine.c.received_at.desc(), quarantine.c.quarantine_id.desc())


class QuarantineAction(StrEnum):
    """Action on an entry, of a person or of retention."""

    REPLAYED = "REPLAYED"  # sent it through the intake again as it is
    CORRECTED = "CORRECTED"  # the same, with what was missing or wrong put right, or a contradiction accepted
    DISCARDED = "DISCARDED"
    REMOVED = "REMOVED"  # retention let the bytes go


class ActionOutcome(StrEnum):
    """Outcome of an action."""

    STORED = "STORED"
    ALREADY_STORED = "ALREADY_STORED"
    REFUSED = "REFUSED"  # the intake refused it again; the entry waits as before
    DISCARDED = "DISCARDED"
    REMOVED = "REMOVED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """Corrections by a person; None leaves what was sent."""

    accession_number: str | None = None
    study_instance_uid: str | None = None
    patient_id: str | None = field(default=None, repr=False)
    charset: str | None = None  # of the report's bytes; a name that Python knows
    status: ReportStatus | None = None
    accepts: bool = False  # an image belongs to its study though patient or accession number differ

    @property
    def changes_report(self) -> bool:
        """Whether anything is given that only a report has."""
        return any(
            value is not None
            for value in (
                self.accession_number,
                self.study_instance_uid,
                self.patient_id,
                self.charset,
                self.status,
            )
        )

    def words(self, *, identified: bool) -> str:
        """Return what was put right, in words; the patient id itself only if the patient may be named."""
        given = (
            ("accession number", self.accession_number),
            ("study", self.study_instance_uid),
            ("patient id", self.patient_id),
            ("charset", self.charset),
            ("status", self.status),
        )
        words = [
            name
            if name == "patient id" and value and not identified
            else f"{name} {value}"
            if value
            else f"no {name}"
            for name, value in given
            if value is not None
        ]
        return ", ".join([*words, *(["accepted"] if self.accepts else [])])


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineFilter:
    """Filter of quarantine entries; None: any."""

    kind: QuarantineKind | None = None
    reason: str | None = None
    state: QuarantineState | None = None
    since: datetime | None = None


EVERYTHING = QuarantineFilter()
WAITING = QuarantineFilter(state=QuarantineState.WAITING)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRecord:
    """One thing that a person did with an entry."""

    happened_at: datetime
    action: QuarantineAction
    outcome: ActionOutcome
    actor: Actor
    detail: str | None
    correction: Correction | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAction:
    """Action to be recorded on an entry, and the new state of the entry."""

    action: QuarantineAction
    outcome: ActionOutcome
    actor: Actor
    at: datetime
    detail: str | None = None
    correction: Correction | None = None
    case_id: int | None = None  # that a report now belongs to


_STATES_AFTER = {
    ActionOutcome.STORED: QuarantineState.RESOLVED,
    ActionOutcome.ALREADY_STORED: QuarantineState.RESOLVED,
    ActionOutcome.DISCARDED: QuarantineState.DISCARDED,
}


def list_quarantine(
    store: Store, wanted: QuarantineFilter = EVERYTHING, *, limit: int = 50, offset: int = 0
) -> tuple[QuarantineEntry, ...]:
    """Return what was refused, the latest first."""
    with store.reading() as connection:
        fits = _matches(wanted, connection)
        page = select(quarantine).where(fits).order_by(*_NEWEST_FIRST).limit(limit).offset(offset)
        return tuple(quarantine_of(row, store.files) for row in connection.execute(page))


def count_quarantine(store: Store, wanted: QuarantineFilter = EVERYTHING) -> int:
    """Return how many things were refused."""
    with store.reading() as connection:
        query = select(func.count()).select_from(quarantine).where(_matches(wanted, connection))
        count: int = connection.execute(query).scalar_one()
    return count


def numbers_of(store: Store, wanted: QuarantineFilter) -> tuple[int, ...]:
    """Return the numbers of all such entries, in the order in which they came."""
    numbers = select(quarantine.c.quarantine_id).order_by(quarantine.c.quarantine_id)
    with store.reading() as connection:
        query = numbers.where(_matches(wanted, connection))
        return tuple(connection.execute(query).scalars())


def count_states(store: Store, wanted: QuarantineFilter = EVERYTHING) -> dict[QuarantineState, int]:
    """Return how many of the wanted entries are in each state, whatever state is wanted."""
    any_state = replace(wanted, state=None)
    counts = dict.fromkeys(QuarantineState, 0)
    with store.reading() as connection:
        fits = _matches(any_state, connection)
        query = select(quarantine.c.state, func.count()).where(fits).group_by(quarantine.c.state)
        for state, count in connection.execute(query):
            counts[QuarantineState(state)] = count
    return counts


def known_reasons() -> tuple[str, ...]:
    """Return every reason for which the intake refuses, in alphabetical order."""
    kinds: list[type[InputError]] = [InputError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return tuple(sorted({kind.reason for kind in kinds}))


def load_entry(store: Store, quarantine_id: int) -> QuarantineEntry:
    """Return one entry.

    Raises:
        NotFoundError: there is no such entry.
    """
    with store.reading() as connection:
        return quarantine_of(_row(connection, quarantine_id), store.files)


def list_actions(store: Store, quarantine_id: int) -> tuple[ActionRecord, ...]:
    """Return what was done with an entry, oldest first."""
    query = (
        select(quarantine_actions)
        .where(quarantine_actions.c.quarantine_id == quarantine_id)
        .order_by(quarantine_actions.c.action_id)
    )
    with store.reading() as connection:
        return tuple(_action_of(row) for row in connection.execute(query))


def case_of(store: Store, entry: QuarantineEntry) -> int | None:
    """Return the case that an entry became part of; None while there is none, or it was not resolved."""
    if entry.state is not QuarantineState.RESOLVED or entry.case_id is not None:
        return entry.case_id
    query = select(cases.c.case_id).where(cases.c.study_instance_uid == entry.study_instance_uid)
    with store.reading() as connection:
        found: int | None = connection.execute(query).scalar_one_or_none()
    return found


def record_action(store: Store, quarantine_id: int, new: NewAction) -> None:
    """Record what was done with an entry, and let the entry take the state that follows.

    Raises:
        NotFoundError: there is no such entry.
    """
    with store.writing(locks.quarantine_entry(quarantine_id)) as connection:
        _row(connection, quarantine_id)
        add_action(connection, quarantine_id, new)
    _log.info(
        "quarantine_action",
        quarantine=quarantine_id,
        performed=new.action.value,
        outcome=new.outcome.value,
        case=new.case_id,
    )


def discard(store: Store, quarantine_id: int, *, actor: Actor, because: str, now: datetime) -> None:
    """Mark an entry as of no use, with the reason; its bytes stay where they are.

    Raises:
        NotFoundError: there is no such entry.
        InputError: no reason is given.
        TransitionError: the entry is resolved, or discarded already.
    """
    if not because.strip():
        raise InputError("say why it is discarded")
    with store.writing(locks.quarantine_entry(quarantine_id)) as connection:
        row = _row(connection, quarantine_id)
        if row.state != QuarantineState.WAITING:
            raise TransitionError(f"entry {quarantine_id} of the quarantine is {row.state.lower()} already")
        new = NewAction(
            action=QuarantineAction.DISCARDED,
            outcome=ActionOutcome.DISCARDED,
            actor=actor,
            at=now,
            detail=because.strip(),
        )
        add_action(connection, quarantine_id, new)
    _log.info("quarantine_action", quarantine=quarantine_id, performed=new.action.value)


def _matches(wanted: QuarantineFilter, connection: Connection) -> ColumnElement[bool]:
    columns = quarantine.c
    given = [
        *([columns.kind == wanted.kind.value] if wanted.kind else []),
        *([columns.reason == wanted.reason] if wanted.reason else []),
        *([columns.state == wanted.state.value] if wanted.state else []),
        *([columns.received_at >= wanted.since] if wanted.since else []),
    ]
    return and_(refusals_in_sight(connection), *given)


def _row(connection: Connection, quarantine_id: int) -> Row[Any]:
    is_it = quarantine.c.quarantine_id == quarantine_id
    row = connection.execute(select(quarantine).where(is_it, refusals_in_sight(connection))).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no entry {quarantine_id} of the quarantine")
    return row


def add_action(connection: Connection, quarantine_id: int, new: NewAction) -> None:
    """Add an action to those of an entry, which takes the state that follows."""
    connection.execute(
        insert(quarantine_actions),
        {
            "quarantine_id": quarantine_id,
            "happened_at": new.at,
            "action": new.action.value,
            "outcome": new.outcome.value,
            "detail": new.detail,
            "correction": to_json(new.correction) if new.correction else None,
            **actor_columns(new.actor),
        },
    )
    act = AuditEntry(
        at=new.at,
        actor=new.actor,
        action=AuditAction.CHANGED,
        what="quarantine",
        subject=f"quarantine {quarantine_id}",
        detail=f"{new.action.value}: {new.outcome.value}",
    )
    record_act(connection, act)
    state = _STATES_AFTER.get(new.outcome)
    if state is not None:
        connection.execute(
            update(quarantine)
            .where(quarantine.c.quarantine_id == quarantine_id)
            .values(state=state.value, case_id=new.case_id)
        )


def _action_of(row: Row[Any]) -> ActionRecord:
    """Return the action of a row; where what was put right cannot be read, its detail says so."""
    correction, detail = None, row.detail
    try:
        correction = from_json(Correction, row.correction) if row.correction else None
    except UnreadableRecordError as error:
        detail = "; ".join(filter(None, (detail, str(error))))
    return ActionRecord(
        happened_at=row.happened_at,
        action=QuarantineAction(row.action),
        outcome=ActionOutcome(row.outcome),
        actor=actor_of(row),
        detail=detail,
        correction=correction,
    )
