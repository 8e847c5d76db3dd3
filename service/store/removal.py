"""Bytes that are removed on purpose, while the rows and all that was decided stay.

The row says so first, in a transaction of its own; then the bytes go, under the lock of the instance. Whoever
sends the same object again takes that lock too, so that what is acknowledged again has its bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select, update

from overread.actor import Actor
from overread.case import CaseState
from overread.errors import OutOfResourcesError
from service.store import locks, queries
from service.store.audit_entries import AuditAction, AuditEntry
from service.store.audit_trail import record_act
from service.store.cases import case_of_study
from service.store.database import Store
from service.store.quarantine import ActionOutcome, NewAction, QuarantineAction, add_action
from service.store.records import QuarantineState
from service.store.schema import instances, quarantine
from service.store.studies import require_study

RETENTION = Actor.program("retention")
_WHY_MAX = 256

_MARK_INSTANCE = (
    update(instances)
    .where(instances.c.sop_instance_uid == bindparam("marked"), instances.c.removed_at.is_(None))
    .values(removed_at=bindparam("at"), removed_why=bindparam("why"))
)
_RESTORE_INSTANCE = (
    update(instances)
    .where(instances.c.sop_instance_uid == bindparam("restored"))
    .values(removed_at=None, removed_why=None, received_at=bindparam("at"))
)
_MARK_REFUSED = (
    update(quarantine)
    .where(
        quarantine.c.quarantine_id == bindparam("marked"),
        quarantine.c.removed_at.is_(None),
        quarantine.c.state != QuarantineState.WAITING.value,
    )
    .values(removed_at=bindparam("at"), removed_why=bindparam("why"))
)
_RESTORE_REFUSED = (
    update(quarantine)
    .where(quarantine.c.sha256 == bindparam("restored"), quarantine.c.removed_at.is_not(None))
    .values(removed_at=None, removed_why=None, received_at=bindparam("at"))
)
_KEPT_REFUSALS = (
    select(func.count())
    .select_from(quarantine)
    .where(quarantine.c.sha256 == bindparam("sha256"), quarantine.c.removed_at.is_(None))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """Time and reason of a removal of bytes."""

    at: datetime
    why: str  # in words, at most 256 characters, without patient data
    state: CaseState | None = None  # of the case whose pixels go; None for what was refused
    by: Actor = RETENTION


def mark_removed(
    store: Store, study_instance_uid: str, sop_instance_uids: Sequence[str], removal: Removal
) -> int:
    """Record that the bytes of instances of one study go, and return of how many; they are still there then.

    None go of a study that is open again, or whose case is no longer in the state that the removal is for.
    """
    objects = map(locks.instance, sop_instance_uids)
    with store.writing(locks.study(study_instance_uid), *objects) as connection:
        case = case_of_study(connection, study_instance_uid)
        is_open = require_study(connection, study_instance_uid).closed_at is None
        if is_open or case is None or case.state != removal.state:
            return 0
        bound = {"at": removal.at, "why": removal.why[:_WHY_MAX]}
        count = sum(
            connection.execute(_MARK_INSTANCE, {"marked": each, **bound}).rowcount
            for each in sop_instance_uids
        )
        if count:
            record_act(connection, _act(removal, f"study {study_instance_uid}", f"pixels of {count} objects"))
        return count


def drop_removed(store: Store, sop_instance_uid: str) -> bool:
    """Remove the bytes of an instance that is marked, and return whether they were removed.

    One that was sent again meanwhile keeps them.
    """
    with store.writing(locks.instance(sop_instance_uid), durable=False) as connection:
        row = connection.execute(queries.INSTANCE, {"sop_instance_uid": sop_instance_uid}).one_or_none()
        if row is None or row.removed_at is None:
            return False
        store.files.objects.remove(row.sha256)
        return True


def restore_instance(store: Store, sop_instance_uid: str, *, now: datetime) -> None:
    """Record that the bytes of a removed instance are there again; they are on the shelf already.

    Raises:
        OutOfResourcesError: they were removed in this very moment; the sender should try again.
    """
    with store.writing(locks.instance(sop_instance_uid)) as connection:
        row = connection.execute(queries.INSTANCE, {"sop_instance_uid": sop_instance_uid}).one()
        if row.removed_at is None:
            return
        if store.files.objects.size_of(row.sha256) is None:
            raise OutOfResourcesError(f"instance {sop_instance_uid} is being removed; try again later")
        connection.execute(_RESTORE_INSTANCE, {"restored": sop_instance_uid, "at": now})


def restore_refused(store: Store, connection: Connection, sha256: str, *, now: datetime) -> None:
    """Record that refused bytes that had been removed are there again, because they were sent again.

    Raises:
        OutOfResourcesError: they were removed in this very moment; the sender should try again.
    """
    if connection.execute(_RESTORE_REFUSED, {"restored": sha256, "at": now}).rowcount == 0:
        return
    if store.files.quarantine.size_of(sha256) is None:
        raise OutOfResourcesError("what was refused before is being removed; try again later")


def remove_refused(store: Store, quarantine_id: int, sha256: str, removal: Removal) -> bool:
    """Remove the bytes of a refused thing, record it, and return whether they may go and had not gone before.

    They stay while the entry waits for a person, or another entry needs them.
    """
    with store.writing(locks.refused_bytes(sha256)) as connection:
        bound = {"marked": quarantine_id, "at": removal.at, "why": removal.why[:_WHY_MAX]}
        if connection.execute(_MARK_REFUSED, bound).rowcount != 1:
            return False
        removed = NewAction(
            action=QuarantineAction.REMOVED,
            outcome=ActionOutcome.REMOVED,
            actor=removal.by,
            at=removal.at,
            detail=removal.why,
        )
        add_action(connection, quarantine_id, removed)
        record_act(connection, _act(removal, f"quarantine {quarantine_id}", "refused bytes"))
    drop_refused(store, sha256)
    return True


def _act(removal: Removal, subject: str, what_went: str) -> AuditEntry:
    return AuditEntry(
        at=removal.at,
        actor=removal.by,
        action=AuditAction.REMOVED,
        what="bytes",
        subject=subject,
        detail=f"{what_went}: {removal.why}",
    )


def drop_refused(store: Store, sha256: str) -> None:
    """Remove refused bytes that no entry needs any more."""
    with store.writing(locks.refused_bytes(sha256), durable=False) as connection:
        if connection.execute(_KEPT_REFUSALS, {"sha256": sha256}).scalar_one() == 0:
            store.files.quarantine.remove(sha256)
