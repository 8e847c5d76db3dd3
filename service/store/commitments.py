"""Storage commitments (PS3.4 annex J): what was asked, whether it is kept, what is to be reported."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from overread.errors import ContradictionError
from service.store import locks
from service.store.backlog import DUE, GIVEN_UP, Backlog
from service.store.database import Store
from service.store.schema import commitments, instances

NO_SUCH_INSTANCE = 0x0112  # No such object instance, PS3.4 section J.3.3.1.1.3 and PS3.3 section C.14.1.1
OTHER_CLASS = 0x0119  # Class/Instance conflict, the same
_BATCH = 500
_BACKLOG = Backlog(
    table=commitments,
    number=commitments.c.commitment_id,
    first_delay_seconds=10.0,
    attempt_seconds=120.0,
)


class CommitmentState(StrEnum):
    """State of a commitment."""

    DUE = DUE  # to be reported
    REPORTED = "REPORTED"
    GIVEN_UP = GIVEN_UP  # nobody took the report


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencedInstance:
    """One object of a request."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentRequest:
    """Request of an application entity to keep objects."""

    transaction_uid: str
    requestor: str  # its AE title
    called: str  # the AE title by which it called us
    instances: tuple[ReferencedInstance, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """A request that has been recorded and has to be reported."""

    commitment_id: int
    request: CommitmentRequest
    attempts: int  # reports that were begun


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentResult:
    """Objects that are kept, and the reasons why the others are not."""

    kept: tuple[ReferencedInstance, ...]
    failed: tuple[tuple[ReferencedInstance, int], ...]  # with the failure reason


_KNOWN = select(commitments).where(
    commitments.c.requestor == bindparam("requestor"),
    commitments.c.transaction_uid == bindparam("transaction_uid"),
)
"""The commitment of a transaction, if it has been asked for before."""

_ADD = insert(commitments).returning(commitments)

_STATE = select(commitments.c.state).where(commitments.c.commitment_id == bindparam("commitment_id"))
"""Where one commitment stands."""

_ASK_AGAIN = update(commitments).where(commitments.c.commitment_id == bindparam("asked_again"))

_ROWS = select(instances).where(instances.c.sop_instance_uid.in_(bindparam("uids", expanding=True)))
"""Those of these instances that are recorded."""


def record_commitment(
    store: Store, request: CommitmentRequest, *, due_at: datetime, now: datetime
) -> Commitment:
    """Record what is asked; it is durable when this returns. The same request again is to be reported again.

    Raises:
        ContradictionError: the transaction has been asked for before, with other objects.
        OutOfResourcesError: it cannot be recorded now.
    """
    asked = json.dumps([[item.sop_class_uid, item.sop_instance_uid] for item in request.instances])
    key = {"requestor": request.requestor, "transaction_uid": request.transaction_uid}
    fresh = {"state": CommitmentState.DUE.value, "attempts": 0, "due_at": due_at, "concluded_at": None}
    with store.writing(locks.commitment(request.requestor, request.transaction_uid)) as connection:
        row = connection.execute(_KNOWN, key).one_or_none()
        if row is None:
            new = {**key, "called": request.called, "instances": asked, "requested_at": now, **fresh}
            return _commitment_of(connection.execute(_ADD, new).one())
        if row.instances != asked:
            raise ContradictionError(
                f"transaction {request.transaction_uid} has been asked for with other objects; "
                "a request needs a Transaction UID of its own"
            )
        connection.execute(_ASK_AGAIN, {"asked_again": row.commitment_id, **fresh})
        return _commitment_of(row)


def claim_commitment(store: Store, *, now: datetime) -> Commitment | None:
    """Return the commitment that has been due for longest, for the caller to report; None if none is due."""
    row = _BACKLOG.claim(store, now=now)
    return None if row is None else _commitment_of(row)


def is_due(store: Store, commitment: Commitment) -> bool:
    """Whether the report is still to be made: another process may have made it."""
    with store.reading() as connection:
        row = connection.execute(_STATE, {"commitment_id": commitment.commitment_id}).one_or_none()
    return row is not None and row.state == DUE


def check_commitment(store: Store, request: CommitmentRequest) -> CommitmentResult:
    """Return which objects are kept: recorded under the class that is named, and their bytes on the disk."""
    known: dict[str, Row[Any]] = {}
    uids = sorted({item.sop_instance_uid for item in request.instances})
    with store.reading() as connection:
        for start in range(0, len(uids), _BATCH):
            rows = connection.execute(_ROWS, {"uids": uids[start : start + _BATCH]})
            known.update((row.sop_instance_uid, row) for row in rows)
    kept: list[ReferencedInstance] = []
    failed: list[tuple[ReferencedInstance, int]] = []
    for item in request.instances:
        row = known.get(item.sop_instance_uid)
        if row is None or store.files.objects.size_of(row.sha256) != row.size_bytes:
            failed.append((item, NO_SUCH_INSTANCE))
        elif row.sop_class_uid != item.sop_class_uid:
            failed.append((item, OTHER_CLASS))
        else:
            kept.append(item)
    return CommitmentResult(kept=tuple(kept), failed=tuple(failed))


def conclude_commitment(
    store: Store, commitment: Commitment, result: CommitmentResult, *, now: datetime
) -> None:
    """Note that the requester has taken the report."""
    detail = f"{len(result.kept)} kept, {len(result.failed)} not"
    _BACKLOG.end(store, commitment.commitment_id, CommitmentState.REPORTED.value, detail, now=now)


def postpone_commitment(store: Store, commitment: Commitment, why: str, *, now: datetime) -> CommitmentState:
    """Note why nobody took the report; it is tried again after a growing delay, or given up."""
    again = _BACKLOG.postpone(store, commitment.commitment_id, commitment.attempts, why, now=now)
    return CommitmentState.DUE if again else CommitmentState.GIVEN_UP


def _commitment_of(row: Row[Any]) -> Commitment:
    pairs: Sequence[Sequence[str]] = json.loads(row.instances)
    request = CommitmentRequest(
        transaction_uid=row.transaction_uid,
        requestor=row.requestor,
        called=row.called,
        instances=tuple(
            ReferencedInstance(sop_class_uid=sop_class, sop_instance_uid=sop_instance)
            for sop_class, sop_instance in pairs
        ),
    )
    return Commitment(commitment_id=row.commitment_id, request=request, attempts=row.attempts)
