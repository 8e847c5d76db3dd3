"""Claims of second readers: who has taken up which case, until when.

A claim is decided while its case is kept from other writers, so that of two readers who want one case one
gets it. It runs out by the clock alone, and nothing is written for that; the row stays until somebody else
claims the case, so that who was away for a moment goes on where nobody else began.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from overread.actor import Actor
from overread.case import CaseEvent, CaseState
from overread.errors import ClaimedError, TransitionError
from service.store.cases import case_for_change, find_case
from service.store.changes import Entry, change_case
from service.store.claim_tables import reading_claims
from service.store.clock import beyond_reason
from service.store.database import Store
from service.store.records import CaseRecord, actor_columns, actor_of
from service.store.report_authors import wrote_report
from service.store.schema import cases
from service.store.sight import cases_in_sight
from service.store.worklist_records import Claim

_LONGEST = timedelta(days=31)  # that a claim may be held without being renewed, by any setting

_ONE = select(reading_claims).where(reading_claims.c.case_id == bindparam("claimed_case"))
_OF_CASES = (
    select(reading_claims)
    .join(cases)
    .where(
        reading_claims.c.case_id.in_(bindparam("case_ids", expanding=True)),
        reading_claims.c.held_until > bindparam("now"),
    )
)
_ADD = insert(reading_claims)
_CHANGE = update(reading_claims).where(reading_claims.c.case_id == bindparam("changed"))
_END = delete(reading_claims).where(reading_claims.c.case_id == bindparam("ended"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Wish that a reader have a case."""

    holder: Actor
    at: datetime
    seconds: float  # for which it is held, unless it is renewed
    may_take: bool = False  # from another reader who has it
    assigned_by: Actor | None = None  # None: the holder asks


def hold_case(store: Store, case_id: int, hold: Hold) -> Claim:
    """Let a reader have a case, and return the claim; who has it already keeps it for longer.

    Raises:
        NotFoundError: there is no such case.
        TransitionError: it does not wait for a second reader, or the holder wrote its report.
        ClaimedError: another reader has it, and it may not be taken; the message says who.
    """
    with store.writing() as connection:
        return hold_in(connection, case_id, hold)


def hold_in(connection: Connection, case_id: int, hold: Hold) -> Claim:
    """Do the same inside a transaction."""
    case = _waiting_case(connection, case_id)
    if wrote_report(connection, case_id, hold.holder):
        raise TransitionError(f"case {case_id} goes to another reader")
    row = connection.execute(_ONE, {"claimed_case": case_id}).one_or_none()
    standing = None if row is None or _has_run_out(row, hold.at) else claim_of(row)
    is_anothers = standing is not None and standing.holder.identifier != hold.holder.identifier
    if standing is not None and is_anothers and not hold.may_take:
        raise held_by(standing)
    until = hold.at + timedelta(seconds=hold.seconds)
    if standing is not None and not is_anothers:
        until = max(until, standing.held_until)
        connection.execute(_CHANGE, {"changed": case_id, "held_until": until})
        return claim_of(connection.execute(_ONE, {"claimed_case": case_id}).one())
    values = {
        **actor_columns(hold.holder),
        "claimed_at": hold.at,
        "held_until": until,
        "assigned_by": hold.assigned_by.display_name[:256] if hold.assigned_by else None,
    }
    if row is None:
        connection.execute(_ADD, {"case_id": case_id, **values})
    else:
        connection.execute(_CHANGE, {"changed": case_id, **values})
    change_case(connection, case, _entry_of(hold, standing))
    return claim_of(connection.execute(_ONE, {"claimed_case": case_id}).one())


def renew_claim(store: Store, case_id: int, holder: Actor, *, now: datetime, seconds: float) -> Claim:
    """Let a claim run on from now, also one that has run out and that nobody else took; return it.

    Raises:
        NotFoundError: there is no such case.
        ClaimedError: another reader has the case by now; the message says who.
        TransitionError: the holder has not claimed it, or it does not wait for a second reader any more.
    """
    with store.writing(durable=False) as connection:
        find_case(connection, case_id)
        row = connection.execute(_ONE.with_for_update(), {"claimed_case": case_id}).one_or_none()
        if row is None or row.actor_identifier != holder.identifier:
            if row is not None and not _has_run_out(row, now):
                raise held_by(claim_of(row))
            raise TransitionError(f"case {case_id} is not claimed by whoever renews it; claim it first")
        until = now + timedelta(seconds=seconds)
        if _has_run_out(row, now) or row.held_until < until:
            connection.execute(_CHANGE, {"changed": case_id, "held_until": until})
        return claim_of(connection.execute(_ONE, {"claimed_case": case_id}).one())


def release_claim(store: Store, case_id: int, *, by: Actor, now: datetime, may_take: bool = False) -> None:
    """Put a case back, so that anybody may claim it; nothing where nobody has it.

    Raises:
        NotFoundError: there is no such case.
        TransitionError: it does not wait for a second reader.
        ClaimedError: another reader has it, and it may not be taken.
    """
    with store.writing() as connection:
        case = _waiting_case(connection, case_id)
        row = connection.execute(_ONE, {"claimed_case": case_id}).one_or_none()
        if row is None:
            return
        standing = claim_of(row)
        if standing.holder.identifier != by.identifier and not _has_run_out(row, now) and not may_take:
            raise held_by(standing)
        connection.execute(_END, {"ended": case_id})
        if not _has_run_out(row, now):
            is_own = standing.holder.identifier == by.identifier
            detail = None if is_own else f"was with {standing.holder.display_name}"
            change_case(
                connection, case, Entry(event=CaseEvent.READ_RELEASED, at=now, actor=by, detail=detail)
            )


def end_claim(connection: Connection, case_id: int) -> None:
    """Let nobody have a case, inside the transaction in which it leaves the list."""
    connection.execute(_END, {"ended": case_id})


def find_claim(store: Store, case_id: int, *, now: datetime) -> Claim | None:
    """Return who has a case; None where nobody does.

    Raises:
        NotFoundError: there is no such case.
    """
    with store.reading() as connection:
        find_case(connection, case_id)
        return claims_of(connection, (case_id,), now=now).get(case_id)


def find_claims(store: Store, case_ids: Collection[int], *, now: datetime) -> Mapping[int, Claim]:
    """Return who has each of these cases; what nobody has is left out."""
    with store.reading() as connection:
        return claims_of(connection, case_ids, now=now)


def claims_of(connection: Connection, case_ids: Collection[int], *, now: datetime) -> dict[int, Claim]:
    """Return the same inside a transaction."""
    wanted = _OF_CASES.where(cases_in_sight(connection))
    rows = connection.execute(wanted, {"case_ids": list(case_ids), "now": now})
    return {row.case_id: claim_of(row) for row in rows if not _has_run_out(row, now)}


def claim_of(row: Row[Any]) -> Claim:
    """Return the claim of a row of `reading_claims`."""
    return Claim(
        case_id=row.case_id,
        holder=actor_of(row),
        claimed_at=row.claimed_at,
        held_until=row.held_until,
        assigned_by=row.assigned_by,
    )


def held_by(claim: Claim) -> ClaimedError:
    """Return what somebody is told who wants a case that another reader has."""
    return ClaimedError(
        f"{claim.holder.display_name} has case {claim.case_id}, since {claim.claimed_at:%H:%M} and until "
        f"{claim.held_until:%H:%M} UTC unless it is read on"
    )


def _waiting_case(connection: Connection, case_id: int) -> CaseRecord:
    case = case_for_change(connection, case_id)
    if case.state is not CaseState.LISTED:
        raise TransitionError(f"case {case_id} does not wait for a second reader; it is {case.state}")
    return case


def _has_run_out(row: Row[Any], now: datetime) -> bool:
    """Whether nobody has the case any more; a time that no setting puts so far ahead counts as past."""
    until: datetime = row.held_until
    return not now < until <= beyond_reason(now, longest_seconds=_LONGEST.total_seconds())


def _entry_of(hold: Hold, standing: Claim | None) -> Entry:
    """Return what the history of the case is told."""
    taken = None if standing is None else f"from {standing.holder.display_name}"
    if hold.assigned_by is None:
        event = CaseEvent.READ_CLAIMED if standing is None else CaseEvent.READ_TAKEN_OVER
        return Entry(event=event, at=hold.at, actor=hold.holder, detail=taken)
    detail = f"to {hold.holder.display_name}" + (f", {taken}" if taken else "")
    return Entry(event=CaseEvent.READ_ASSIGNED, at=hold.at, actor=hold.assigned_by, detail=detail)
