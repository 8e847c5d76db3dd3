"""Notices: which cases, or which drift, somebody is to be told of, and the messages that were made of them.

A message and the note of which cases it tells of are one transaction with its row of the outbox, so that no
case is told twice, and none is forgotten. What a message says is a case's number at most: nothing of the
patient is copied, and an erased case is in no message any more.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, insert, literal, or_, select

from overread.actor import Actor
from overread.case import CaseState
from overread.finding import Actionable
from service.store import locks
from service.store.audit_entries import AuditAction, AuditEntry
from service.store.audit_trail import record_act
from service.store.backlog import DUE
from service.store.claim_tables import reading_claims
from service.store.database import Store
from service.store.drift import DriftLook, latest_look, load_look
from service.store.line import line_of
from service.store.notice_tables import notice_cases, notices
from service.store.policies import policy_in_force
from service.store.result_tables import deliveries
from service.store.schema import cases

PREFIX = "notice:"
"""Start of the name of a destination of notices in the outbox; the name of no other has a colon."""


class Cause(StrEnum):
    """Cause of a notice."""

    WAITING = "WAITING"  # a case waits, and nobody has taken it up
    CAP = "CAP"  # the time that a case may wait is nearly over, or is
    DRIFT = "DRIFT"  # the studies of a window differ from the usual ones
    TEST = "TEST"  # somebody wants to see whether messages arrive


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """Cases that a destination is told of."""

    urgencies: frozenset[Actionable]
    subspecialty: str | None = None  # its own cases and those of nobody in particular; None: anybody's


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Wish of one destination to be told of cases for one cause, or of drift."""

    destination: str  # as the outbox names it
    cause: Cause  # WAITING, CAP or DRIFT
    wants: tuple[Want, ...] = ()  # none of DRIFT, which is of no case
    untaken_seconds: float = 0.0  # for which a case waits before it is told of as WAITING
    cap_share: float = 1.0  # of the allowed wait, after which its end is near, in (0, 1]
    pause_seconds: float = 0.0  # since the message before of the same cause; cases gather meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message as it is made now."""

    notice_id: int
    cause: Cause
    message_id: str  # the same at every attempt
    made_at: datetime
    count: int  # of cases that it tells of, or of channels that drift
    case_ids: tuple[int, ...]  # of the first of them, those whose time is over soonest first
    look: DriftLook | None = None  # that it tells of; None where it tells of cases


def make_notice(store: Store, watch: Watch, *, now: datetime) -> int | None:
    """Put one message about every case that was not told yet into the outbox; return of how many it tells.

    Of drift, one message about the latest look, and the number of channels. None where there is nothing to
    tell, or the pause since the message before is not over.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    if watch.cause is Cause.DRIFT:
        return _make_drift_notice(store, watch.destination, now=now)
    with store.reading() as connection:
        if _is_pausing(connection, watch, now):
            return None
        if not connection.execute(select(exists().where(_to_tell(connection, watch, now)))).scalar_one():
            return None
    with store.writing() as connection:
        notice_id = _add_notice(connection, watch.destination, watch.cause, now)
        told = select(
            literal(watch.destination),
            literal(watch.cause.value),
            cases.c.case_id,
            cases.c.waiting_since,
            literal(notice_id),
        ).where(_to_tell(connection, watch, now))
        names = ("destination", "cause", "case_id", "waiting_since", "notice_id")
        connection.execute(insert(notice_cases).from_select(names, told))
        count = _count_of(connection, notice_id)
        if not count:  # somebody took them meanwhile
            connection.execute(delete(notices).where(notices.c.notice_id == notice_id))
            return None
        _add_delivery(connection, notice_id, watch.destination, now)
        return count


def make_test_notice(store: Store, destination: str, *, now: datetime, actor: Actor) -> int:
    """Put a message about nothing into the outbox, and return the number of its delivery.

    Args:
        store: of the outbox.
        destination: as the outbox names it.
        now: when it is due.
        actor: who wants it, for the audit trail.
    """
    with store.writing() as connection:
        notice_id = _add_notice(connection, destination, Cause.TEST, now)
        act = AuditEntry(
            at=now,
            actor=actor,
            action=AuditAction.CHANGED,
            what="notices",
            subject=destination,
            detail="a test message",
        )
        record_act(connection, act)
        return _add_delivery(connection, notice_id, destination, now)


def load_notice(store: Store, notice_id: int, *, named_max: int) -> Notice:
    """Return a notice with what is left of its cases, of which it names so many at most."""
    of_notice = notice_cases.c.notice_id == notice_id
    named = (
        select(cases.c.case_id)
        .join(notice_cases)
        .where(of_notice)
        .order_by(cases.c.overdue_at, cases.c.case_id)
        .limit(named_max)
    )
    with store.reading() as connection:
        row = connection.execute(select(notices).where(notices.c.notice_id == notice_id)).one()
        look = None if row.look_id is None else load_look(connection, row.look_id)
        return Notice(
            notice_id=notice_id,
            cause=Cause(row.cause),
            message_id=row.message_id,
            made_at=row.made_at,
            count=_count_of(connection, notice_id) if look is None else len(look.alarms),
            look=look,
            case_ids=tuple(connection.execute(named).scalars()),
        )


def _make_drift_notice(store: Store, destination: str, *, now: datetime) -> int | None:
    """Put a message about the latest look into the outbox, if channels differ and it was not told yet."""
    with store.reading() as connection:
        if _untold_look(connection, destination) is None:
            return None
    with store.writing(locks.lease("drift notices")) as connection:
        look = _untold_look(connection, destination)
        if look is None:  # another process told it meanwhile
            return None
        notice_id = _add_notice(connection, destination, Cause.DRIFT, now, look_id=look.look_id)
        _add_delivery(connection, notice_id, destination, now)
        return len(look.alarms)


def _untold_look(connection: Connection, destination: str) -> DriftLook | None:
    look = latest_look(connection)
    if look is None or not look.alarms:
        return None
    told = exists().where(notices.c.destination == destination, notices.c.look_id == look.look_id)
    return None if connection.execute(select(told)).scalar_one() else look


def _count_of(connection: Connection, notice_id: int) -> int:
    of_notice = notice_cases.c.notice_id == notice_id
    return int(connection.execute(select(func.count()).where(of_notice)).scalar_one())


def _is_pausing(connection: Connection, watch: Watch, now: datetime) -> bool:
    """Whether the message before is too young; one that a clock ahead of this one dated is not looked at."""
    found = exists().where(
        notices.c.destination == watch.destination,
        notices.c.cause == watch.cause.value,
        notices.c.made_at > now - timedelta(seconds=watch.pause_seconds),
        notices.c.made_at <= now,
    )
    return bool(connection.execute(select(found)).scalar_one())


def _to_tell(connection: Connection, watch: Watch, now: datetime) -> ColumnElement[bool]:
    """Return which cases a destination is told of now: above the line, wanted, and not told in this wait."""
    line = line_of(connection, None).priority
    told = exists().where(
        notice_cases.c.destination == watch.destination,
        notice_cases.c.cause == watch.cause.value,
        notice_cases.c.case_id == cases.c.case_id,
        notice_cases.c.waiting_since == cases.c.waiting_since,
    )
    return and_(
        cases.c.state == CaseState.LISTED.value,
        cases.c.waiting_since.is_not(None),
        *(() if line is None else (cases.c.priority >= line,)),
        _waits(now, watch) if watch.cause is Cause.WAITING else _is_near(connection, now, watch),
        ~told.correlate(cases),
    )


def _waits(now: datetime, watch: Watch) -> ColumnElement[bool]:
    held = exists().where(reading_claims.c.case_id == cases.c.case_id, reading_claims.c.held_until > now)
    return and_(
        cases.c.waiting_since <= now - timedelta(seconds=watch.untaken_seconds),
        or_(*(_is_wanted(want, want.urgencies) for want in watch.wants)),
        ~held.correlate(cases),
    )


def _is_near(connection: Connection, now: datetime, watch: Watch) -> ColumnElement[bool]:
    hours = policy_in_force(connection).tables.waiting.hours
    return or_(
        *(
            and_(
                _is_wanted(want, {urgency}),
                cases.c.overdue_at <= now + timedelta(hours=hours[urgency] * (1 - watch.cap_share)),
            )
            for want in watch.wants
            for urgency in sorted(want.urgencies)
        )
    )


def _is_wanted(want: Want, urgencies: Collection[Actionable]) -> ColumnElement[bool]:
    is_urgent = cases.c.actionable.in_(sorted(urgency.value for urgency in urgencies))
    if want.subspecialty is None:
        return is_urgent
    return and_(is_urgent, or_(cases.c.subspecialty == want.subspecialty, cases.c.subspecialty.is_(None)))


def _add_notice(
    connection: Connection, destination: str, cause: Cause, now: datetime, *, look_id: int | None = None
) -> int:
    row = {
        "destination": destination,
        "cause": cause.value,
        "message_id": f"msg_{uuid.uuid4().hex}",
        "made_at": now,
        "look_id": look_id,
    }
    number: int = connection.execute(
        insert(notices).values(**row).returning(notices.c.notice_id)
    ).scalar_one()
    return number


def _add_delivery(connection: Connection, notice_id: int, destination: str, now: datetime) -> int:
    row = {
        "notice_id": notice_id,
        "destination": destination,
        "state": DUE,
        "attempts": 0,
        "due_at": now,
        "asked_at": now,
    }
    statement = insert(deliveries).values(**row).returning(deliveries.c.delivery_id)
    number: int = connection.execute(statement).scalar_one()
    return number
