"""Refusals: the bytes go to the quarantine folder, the reason and the sender to a row."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import Connection

from overread.errors import OutOfResourcesError
from service.store import locks, queries
from service.store.database import Store
from service.store.files import IncomingFile
from service.store.quarantine_room import require_room
from service.store.records import QuarantineKind
from service.store.removal import restore_refused

_log = structlog.get_logger("overread.quarantine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Refusal with its reason, and the names that are known; enough to correct and send it again."""

    kind: QuarantineKind
    reason: str  # `reason` of the error class
    detail: str  # in words, without patient data
    source: str
    received_at: datetime
    study_instance_uid: str | None = None
    sop_instance_uid: str | None = None
    accession_number: str | None = None
    patient_id: str | None = field(default=None, repr=False)
    site: str | None = None
    report_status: str | None = None
    report_issued_at: datetime | None = None
    report_charset: str | None = None


def refuse(store: Store, incoming: IncomingFile, refusal: Refusal, *, has_sender: bool = True) -> None:
    """Move an incoming file into quarantine; it is durable when this returns.

    Args:
        store: where it goes.
        incoming: the file.
        refusal: why.
        has_sender: whether somebody waits to be told, who will send it again if there is no room.

    Raises:
        OutOfResourcesError: it cannot be kept or recorded now; the sender should try again.
    """
    sha256, size_bytes = incoming.sha256, incoming.size_bytes
    if has_sender:
        _require_room(store, refusal, sha256, size_bytes)
    store.files.set_aside(incoming)
    with store.writing() as connection:
        _record(store, connection, refusal, sha256, size_bytes)


def refuse_within(store: Store, connection: Connection, incoming: IncomingFile, refusal: Refusal) -> None:
    """Move an incoming file into quarantine, and record it in the caller's transaction.

    Raises:
        OutOfResourcesError: it cannot be kept or recorded now.
    """
    sha256, size_bytes = incoming.sha256, incoming.size_bytes
    store.files.set_aside(incoming)
    _record(store, connection, refusal, sha256, size_bytes)


def refuse_kept(store: Store, sha256: str, size_bytes: int, refusal: Refusal) -> None:
    """Move an object that was kept already into quarantine; it is durable when this returns.

    Raises:
        OutOfResourcesError: it cannot be kept or recorded now; the sender should try again.
    """
    store.files.set_aside_kept(sha256)
    with store.writing() as connection:
        _record(store, connection, refusal, sha256, size_bytes)


def _require_room(store: Store, refusal: Refusal, sha256: str, size_bytes: int) -> None:
    """Return if there is room for what is not in quarantine already."""
    with store.reading() as connection:
        if connection.execute(queries.QUARANTINED, {"fingerprint": _fingerprint(refusal, sha256)}).first():
            return
        try:
            require_room(store, connection, size_bytes)
        except OutOfResourcesError:
            _log.warning(
                "quarantine_full", kind=refusal.kind.value, reason=refusal.reason, source=refusal.source
            )
            raise


def _record(store: Store, connection: Connection, refusal: Refusal, sha256: str, size_bytes: int) -> None:
    """Record a refusal whose bytes are in quarantine already; the same thing again is no second entry."""
    locks.take_locks(connection, [locks.refused_bytes(sha256)])
    restore_refused(store, connection, sha256, now=refusal.received_at)
    fingerprint = _fingerprint(refusal, sha256)
    if connection.execute(queries.QUARANTINED, {"fingerprint": fingerprint}).first():
        return
    connection.execute(
        queries.ADD_QUARANTINE,
        {
            "kind": refusal.kind.value,
            "reason": refusal.reason,
            "detail": refusal.detail,
            "source": refusal.source,
            "received_at": refusal.received_at,
            "sha256": sha256,
            "size_bytes": size_bytes,
            "study_instance_uid": refusal.study_instance_uid,
            "sop_instance_uid": refusal.sop_instance_uid,
            "accession_number": refusal.accession_number,
            "patient_id": refusal.patient_id,
            "site": refusal.site,
            "report_status": refusal.report_status,
            "report_issued_at": refusal.report_issued_at,
            "report_charset": refusal.report_charset,
            "fingerprint": fingerprint,
        },
    )
    _log.warning(
        "quarantined",
        kind=refusal.kind.value,
        reason=refusal.reason,
        sha256=sha256,
        source=refusal.source,
        study_instance_uid=refusal.study_instance_uid,
    )


def _fingerprint(refusal: Refusal, sha256: str) -> str:
    parts = (
        refusal.kind,
        refusal.reason,
        sha256,
        refusal.study_instance_uid or "",
        refusal.sop_instance_uid or "",
        refusal.accession_number or "",
        refusal.patient_id or "",
    )
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
