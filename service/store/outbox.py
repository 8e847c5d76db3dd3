"""The outbox: each row one result, or one notice, on its way to one destination.

A row is DUE until the destination has taken it, SENT then; GIVEN_UP after too many refusals, until a
person has it sent again; SUPERSEDED where a later result of the case was made before it left. A sender that
dies between the answer of a destination and the note of it sends the same again, under the same UID or
message id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, func, or_, select, true, update

from overread.actor import Actor
from service.store.audit_entries import AuditAction, AuditEntry
from service.store.audit_trail import record_act
from service.store.backlog import DELAY_SECONDS_MAX
from service.store.clock import beyond_reason
from service.store.database import Store
from service.store.notice_tables import notice_cases, notices
from service.store.notices import PREFIX, Cause
from service.store.result_tables import deliveries, results
from service.store.results import Form
from service.store.schema import cases, instances
from service.store.sight import cases_in_sight, is_unlimited

FIRST_DELAY_SECONDS = 10.0
ATTEMPTS_MAX = 40  # that a destination answered and refused, or broke off; about a day and a half


class DeliveryState(StrEnum):
    """State of a delivery."""

    DUE = "DUE"
    SENT = "SENT"
    GIVEN_UP = "GIVEN_UP"
    SUPERSEDED = "SUPERSEDED"


class Content(StrEnum):
    """Content of a delivery."""

    RESULT = "results"
    NOTICE = "notices"


class Commitment(StrEnum):
    """State of the storage commitment of a delivery."""

    ASKED = "ASKED"
    KEPT = "KEPT"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One result, or one notice, on its way to one destination."""

    delivery_id: int
    result_id: int | None  # None of a notice
    notice_id: int | None  # None of a result
    case_id: int | None  # None of a notice, which may be of many
    destination: str
    form: Form | Cause  # of the result, or of the notice
    state: DeliveryState
    attempts: int
    due_at: datetime
    asked_at: datetime
    concluded_at: datetime | None
    detail: str | None
    commitment: Commitment | None
    withdraws: bool | None  # None of a notice
    message_id: str | None  # of a notice
    study_instance_uid: str | None  # of a DICOM object, as the following
    sop_class_uid: str | None
    sop_instance_uid: str | None
    transfer_syntax_uid: str | None
    sha256: str | None
    size_bytes: int | None
    message: str | None = field(repr=False)  # of HL7 v2, or what is told by FHIR


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which deliveries are meant; None means any."""

    states: tuple[DeliveryState, ...] = ()  # empty: any
    destination: str | None = None
    delivery_ids: tuple[int, ...] = ()  # empty: any
    case_id: int | None = None
    content: Content | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxFigure:
    """Count of the deliveries to one destination in one state."""

    destination: str
    state: DeliveryState
    count: int
    oldest_asked_at: datetime

    @property
    def content(self) -> Content:
        """What goes to this destination."""
        return Content.NOTICE if self.destination.startswith(PREFIX) else Content.RESULT


_JOINED = (
    select(
        deliveries,
        func.coalesce(results.c.form, notices.c.cause).label("form"),
        results.c.withdraws,
        results.c.sop_instance_uid,
        results.c.message,
        notices.c.message_id,
        instances.c.study_instance_uid,
        instances.c.sop_class_uid,
        instances.c.transfer_syntax_uid,
        instances.c.sha256,
        instances.c.size_bytes,
    )
    .outerjoin(results, results.c.result_id == deliveries.c.result_id)
    .outerjoin(notices, notices.c.notice_id == deliveries.c.notice_id)
    .outerjoin(instances, instances.c.sop_instance_uid == results.c.sop_instance_uid)
)

_DUE = (
    _JOINED.where(
        deliveries.c.destination == bindparam("to"),
        deliveries.c.state == DeliveryState.DUE.value,
        or_(deliveries.c.due_at <= bindparam("now"), deliveries.c.due_at > bindparam("beyond")),
    )
    .order_by(deliveries.c.delivery_id)
    .limit(bindparam("limit"))
)
"""What may be sent to a destination now, in the order in which it was made."""

_CHANGE_DUE = update(deliveries).where(
    deliveries.c.delivery_id == bindparam("changed"), deliveries.c.state == DeliveryState.DUE.value
)
_FIGURES = (
    select(
        deliveries.c.destination,
        deliveries.c.state,
        func.count().label("count"),
        func.min(deliveries.c.asked_at).label("oldest_asked_at"),
    )
    .where(deliveries.c.state.in_([DeliveryState.DUE.value, DeliveryState.GIVEN_UP.value]))
    .group_by(deliveries.c.destination, deliveries.c.state)
)
"""What has not left; what has is only ever counted by who sends it."""

_ASKED = (
    select(deliveries.c.delivery_id, deliveries.c.attempts)
    .join(results, results.c.result_id == deliveries.c.result_id)
    .where(
        deliveries.c.transaction_uid == bindparam("transaction"),
        results.c.sop_instance_uid == bindparam("of"),
    )
)
_ANSWER = update(deliveries).where(deliveries.c.delivery_id == bindparam("changed"))


def due_deliveries(store: Store, destination: str, *, limit: int, now: datetime) -> tuple[Delivery, ...]:
    """Return what may be sent to a destination now; the caller holds the lease of the destination."""
    bound = {
        "to": destination,
        "now": now,
        "beyond": beyond_reason(now, longest_seconds=DELAY_SECONDS_MAX),
        "limit": limit,
    }
    with store.reading() as connection:
        return tuple(_delivery_of(row) for row in connection.execute(_DUE, bound))


def note_sent(store: Store, sent: Sequence[tuple[Delivery, str]], *, now: datetime) -> None:
    """Note what a destination has taken, with its answer in words."""
    if not sent:
        return
    rows = [
        {
            "changed": delivery.delivery_id,
            "state": DeliveryState.SENT.value,
            "concluded_at": now,
            "detail": answer,
            "attempts": delivery.attempts + 1,
        }
        for delivery, answer in sent
    ]
    with store.writing() as connection:
        connection.execute(_CHANGE_DUE, rows)


def note_not_sent(store: Store, delivery: Delivery, why: str, *, now: datetime) -> DeliveryState:
    """Note why a destination did not take it; it is sent again after a growing delay, or given up."""
    attempts = delivery.attempts + 1
    after = _after_refusal(attempts, now)
    changed = {"changed": delivery.delivery_id, "attempts": attempts, "detail": why, **after}
    with store.writing() as connection:
        connection.execute(_CHANGE_DUE, changed)
    return DeliveryState(after["state"])


def _after_refusal(attempts: int, now: datetime) -> dict[str, Any]:
    """Return what becomes of a delivery after so many attempts: due after a growing delay, or given up."""
    if attempts >= ATTEMPTS_MAX:
        return {"state": DeliveryState.GIVEN_UP.value, "concluded_at": now}
    seconds = min(FIRST_DELAY_SECONDS * 2.0 ** max(attempts - 1, 0), DELAY_SECONDS_MAX)
    due_at = now + timedelta(seconds=seconds)
    return {"state": DeliveryState.DUE.value, "concluded_at": None, "due_at": due_at}


def note_unreachable(store: Store, delivery: Delivery, why: str, *, now: datetime) -> None:
    """Note beside what waits first that its destination is not there; no attempt is counted."""
    if delivery.detail == why:
        return
    with store.writing(durable=False) as connection:
        connection.execute(_CHANGE_DUE, {"changed": delivery.delivery_id, "detail": why, "due_at": now})


def send_again(store: Store, query: Query, *, now: datetime, actor: Actor | None = None) -> int:
    """Make what a person means due at once, with a fresh count of attempts, and return how many.

    What a later result of the case has replaced is left alone.

    Args:
        store: of the outbox.
        query: what is meant.
        now: when it is due.
        actor: who wants it, for the audit trail; None where no person does.
    """
    states = query.states or (DeliveryState.DUE, DeliveryState.SENT, DeliveryState.GIVEN_UP)
    allowed = [state.value for state in states if state is not DeliveryState.SUPERSEDED]
    fresh = {
        "state": DeliveryState.DUE.value,
        "attempts": 0,
        "due_at": now,
        "concluded_at": None,
        "commitment": None,
        "transaction_uid": None,
    }
    with store.writing() as connection:
        meant = _meant(connection, query) & deliveries.c.state.in_(allowed)
        statement = update(deliveries).where(meant).values(**fresh)
        count = connection.execute(statement).rowcount
        if actor is not None:
            act = AuditEntry(
                at=now,
                actor=actor,
                action=AuditAction.CHANGED,
                what=(query.content or Content.RESULT).value,
                subject=query.destination,
                detail=f"{count} are sent again",
            )
            record_act(connection, act)
        return count


def list_deliveries(store: Store, query: Query, *, limit: int) -> tuple[Delivery, ...]:
    """Return the latest deliveries that are meant, the newest first."""
    with store.reading() as connection:
        meant = _JOINED.where(_meant(connection, query))
        statement = meant.order_by(deliveries.c.delivery_id.desc()).limit(limit)
        return tuple(_delivery_of(row) for row in connection.execute(statement))


def outbox_figures(store: Store) -> tuple[OutboxFigure, ...]:
    """Return how many deliveries wait or were given up, by destination, and since when the oldest of them."""
    with store.reading() as connection:
        return tuple(
            OutboxFigure(**(dict(row._mapping) | {"state": DeliveryState(row.state)}))
            for row in connection.execute(_FIGURES)
        )


def note_commitment_asked(store: Store, sent: Sequence[Delivery], transaction_uid: str) -> None:
    """Note that a destination was asked to keep these objects."""
    ids = [delivery.delivery_id for delivery in sent]
    statement = (
        update(deliveries)
        .where(deliveries.c.delivery_id.in_(ids))
        .values(commitment=Commitment.ASKED.value, transaction_uid=transaction_uid)
    )
    with store.writing(durable=False) as connection:
        connection.execute(statement)


def forget_commitment(store: Store, transaction_uid: str) -> None:
    """Note that a destination did not take the question, so that no answer is waited for."""
    statement = (
        update(deliveries)
        .where(deliveries.c.transaction_uid == transaction_uid)
        .values(commitment=None, transaction_uid=None)
    )
    with store.writing(durable=False) as connection:
        connection.execute(statement)


def note_commitment(
    store: Store, transaction_uid: str, answers: Mapping[str, Commitment], *, now: datetime
) -> int:
    """Note what a destination says of objects that it was asked to keep, and return how many it names.

    What it does not keep is sent again as what it refuses is: after a growing delay, until it is given up.

    Args:
        store: of the outbox.
        transaction_uid: of the request.
        answers: by SOP Instance UID.
        now: when it came.
    """
    count = 0
    with store.writing() as connection:
        for sop_instance_uid, answer in answers.items():
            asked = {"transaction": transaction_uid, "of": sop_instance_uid}
            for row in connection.execute(_ASKED, asked).all():
                changed = {"changed": row.delivery_id, "commitment": answer.value}
                if answer is Commitment.REFUSED:
                    changed |= _after_refusal(row.attempts, now)
                connection.execute(_ANSWER, changed)
                count += 1
    return count


def _meant(connection: Connection, query: Query) -> ColumnElement[bool]:
    """Return which deliveries are meant, of those that whoever asks may see."""
    conditions = [_is_seen(connection)]
    if query.content is not None:
        of_notice = deliveries.c.notice_id.is_not(None)
        conditions.append(of_notice if query.content is Content.NOTICE else ~of_notice)
    if query.states:
        conditions.append(deliveries.c.state.in_([state.value for state in query.states]))
    if query.destination is not None:
        conditions.append(deliveries.c.destination == query.destination)
    if query.delivery_ids:
        conditions.append(deliveries.c.delivery_id.in_(query.delivery_ids))
    if query.case_id is not None:
        told = select(notice_cases.c.notice_id).where(notice_cases.c.case_id == query.case_id)
        conditions.append(or_(deliveries.c.case_id == query.case_id, deliveries.c.notice_id.in_(told)))
    return and_(*conditions)


def _is_seen(connection: Connection) -> ColumnElement[bool]:
    """Return which deliveries may be seen: of a case that may be, or of a notice that tells of one."""
    if is_unlimited(connection):
        return true()
    seen = select(cases.c.case_id).where(cases_in_sight(connection))
    told = select(notice_cases.c.notice_id).where(notice_cases.c.case_id.in_(seen))
    return or_(deliveries.c.case_id.in_(seen), deliveries.c.notice_id.in_(told))


def _delivery_of(row: Row[Any]) -> Delivery:
    values = {name: getattr(row, name) for name in Delivery.__slots__}
    values |= {
        "form": Cause(row.form) if row.notice_id is not None else Form(row.form),
        "state": DeliveryState(row.state),
        "commitment": Commitment(row.commitment) if row.commitment else None,
    }
    return Delivery(**values)
