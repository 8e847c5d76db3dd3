"""Occasions on which a result may have to be told to other systems: written with what happened, made later.

A triage writes its occasion in its own transaction, as a judgement does, so that none is lost and none comes
twice. What is made of it, and where that goes, is decided by `service.results`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, bindparam, exists, insert, select

from service.store.backlog import DUE, GIVEN_UP, Backlog
from service.store.database import Store, Transaction
from service.store.result_tables import result_occasions

DONE = "DONE"
BACKLOG = Backlog(
    table=result_occasions,
    number=result_occasions.c.occasion_id,
    first_delay_seconds=10.0,
    attempt_seconds=60.0,
)

_ADD = insert(result_occasions)
_KNOWN_CASE = select(exists().where(result_occasions.c.case_id == bindparam("case_id")))
_OCCASION = select(result_occasions).where(result_occasions.c.occasion_id == bindparam("occasion_id"))


class Moment(StrEnum):
    """Moment in the life of a case."""

    TRIAGE = "TRIAGE"
    JUDGEMENT = "JUDGEMENT"  # a second reader has judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """One thing that happened to a case."""

    occasion_id: int
    case_id: int
    moment: Moment
    revision: int  # of the triage result that it is about
    judgement_id: int | None  # None but for a judgement
    happened_at: datetime
    attempts: int  # at making results of it


def add_occasion(
    transaction: Transaction,
    case_id: int,
    *,
    moment: Moment,
    revision: int,
    now: datetime,
    judgement_id: int | None = None,
) -> None:
    """Write down what happens in this transaction, for the sender of results.

    Args:
        transaction: of what happens.
        case_id: to which case.
        moment: of its life.
        revision: of the triage result that it is about.
        now: when.
        judgement_id: of the judgement, for that moment.
    """
    row = {
        "case_id": case_id,
        "moment": moment.value,
        "revision": revision,
        "judgement_id": judgement_id,
        "happened_at": now,
        "state": DUE,
        "attempts": 0,
        "due_at": now,
    }
    transaction.execute(_ADD, row)


def has_occasion(transaction: Transaction, case_id: int) -> bool:
    """Whether something of a case may have been told, so that what follows may have to be told too."""
    return bool(transaction.execute(_KNOWN_CASE, {"case_id": case_id}).scalar_one())


def claim_occasion(store: Store, *, now: datetime) -> Occasion | None:
    """Return the occasion that has been due for longest, for the caller to make results; None if none is."""
    row = BACKLOG.claim(store, now=now)
    return None if row is None else _occasion_of(row)


def require_occasion(store: Store, occasion_id: int) -> Occasion:
    """Return one occasion, which is there."""
    with store.reading() as connection:
        return _occasion_of(connection.execute(_OCCASION, {"occasion_id": occasion_id}).one())


def pass_over(store: Store, occasion: Occasion, why: str, *, now: datetime) -> None:
    """Note that nothing is made of it, and why."""
    BACKLOG.end(store, occasion.occasion_id, DONE, why, now=now)


def postpone_occasion(store: Store, occasion: Occasion, why: str, *, now: datetime) -> bool:
    """Note why nothing could be made yet, and return whether it is tried again, after a growing delay."""
    return BACKLOG.postpone(store, occasion.occasion_id, occasion.attempts, why, now=now)


def give_up_occasion(store: Store, occasion: Occasion, why: str, *, now: datetime) -> None:
    """Note that nothing can be made of it, and why."""
    BACKLOG.end(store, occasion.occasion_id, GIVEN_UP, why, now=now)


def _occasion_of(row: Row[Any]) -> Occasion:
    values = {name: getattr(row, name) for name in Occasion.__slots__ if name != "moment"}
    return Occasion(moment=Moment(row.moment), **values)
