"""The cases as a queue: claim under a lease, renew, conclude, give back.

A lease names the case, its revision, the attempt and the owner. Whoever comes back with a lease that is no
longer the case's gets a LeaseLostError and must drop what was computed.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row

from overread.actor import Actor
from overread.appearance import Appearance
from overread.case import CaseEvent, CaseState, advance
from overread.errors import LeaseLostError, UnreadableRecordError
from overread.observation import Detection, ReportReading
from overread.triage import TriageResult
from service.store import queries
from service.store.cases import case_for_change
from service.store.changes import Entry, change_case, record_claim
from service.store.clock import beyond_reason
from service.store.conclusion import conclude
from service.store.database import Store
from service.store.drift import note_appearance
from service.store.history import earlier_reports, restored_findings
from service.store.json_format import from_json
from service.store.policies import policy_in_force
from service.store.records import CaseRecord, ClaimedCase, Lease, TriageRecord
from service.store.rows import case_of, instance_of

_BATCH = 100
_PAUSE_SECONDS_MAX = 86_400.0


def claim_case(store: Store, *, worker: str, now: datetime) -> ClaimedCase | None:
    """Make the READY case that has been due for longest the worker's; return None if nothing is due."""
    claimed = advance(CaseState.READY, CaseEvent.CLAIMED)
    with store.writing(durable=False) as connection:
        row = connection.execute(
            queries.CLAIM,
            {
                "claimable": CaseState.READY.value,
                "claimed": claimed.value,
                "owner": worker,
                "now": now,
                "beyond": _beyond_reason(store, now),
                "until": now + timedelta(seconds=store.settings.lease_seconds),
            },
        ).one_or_none()
        if row is None:
            return None
        case = case_of(row)
        record_claim(connection, case, Entry(event=CaseEvent.CLAIMED, at=now, actor=Actor.program(worker)))
        return _claimed(store, connection, case, worker)


def peek_case(store: Store, *, now: datetime) -> tuple[Path, ...]:
    """Return the instances of the case that a claim would give now, in its order.

    Empty if nothing is due, or if something would have to be fetched to this machine. It binds nobody: the
    case may be another's a moment later.
    """
    with store.reading() as connection:
        bound = {"claimable": CaseState.READY.value, "now": now, "beyond": _beyond_reason(store, now)}
        rows = connection.execute(queries.PEEK, bound).all()
    found = [store.files.objects.local(row.sha256) for row in rows]
    return tuple(path for path in found if path is not None) if None not in found else ()


def renew_lease(store: Store, lease: Lease, *, now: datetime) -> None:
    """Let the lease run on from now.

    Raises:
        LeaseLostError: the case is no longer the lease's.
    """
    with store.writing(durable=False) as connection:
        renewed = connection.execute(
            queries.RENEW,
            {
                "leased_case": lease.case_id,
                "leased_revision": lease.revision,
                "attempt": lease.attempt,
                "owner": lease.owner,
                "claimed": CaseState.IN_TRIAGE.value,
                "until": now + timedelta(seconds=store.settings.lease_seconds),
            },
        )
        if renewed.rowcount != 1:
            raise _lost(lease)


def complete_case(  # noqa: PLR0913  # what a look gives is kept in parts, and one of them may lack
    store: Store,
    claimed: ClaimedCase,
    result: TriageResult,
    *,
    reading: ReportReading,
    detections: tuple[Detection, ...],
    appearance: Appearance | None = None,
    now: datetime,
) -> None:
    """Store what triage concluded, with its provenance; the case leaves the queue.

    Args:
        store: of the case.
        claimed: the case.
        result: about it.
        reading: of the report.
        detections: of the images.
        appearance: of the first image; None where no detector says.
        now: when.

    Raises:
        LeaseLostError: the case is no longer the lease's; nothing is stored.
    """
    lease = claimed.lease
    record = TriageRecord(
        revision=lease.revision,
        report_version=claimed.report_version,
        instances_sha256=claimed.instances_sha256,
        result=result,
        reading=reading,
        detections=detections,
        worker=lease.owner,
        triaged_at=now,
    )
    with store.writing() as connection:
        conclude(
            connection,
            _leased(connection, lease),
            record,
            claimed.policy,
            actor=Actor.program(lease.owner),
        )
        note_appearance(connection, lease.case_id, appearance, now=now)


def fail_case(store: Store, lease: Lease, reason: str, *, now: datetime) -> None:
    """End the case as FAILED with a reason in words, until a person or a new revision changes its input.

    Raises:
        LeaseLostError: the case is no longer the lease's.
    """
    with store.writing() as connection:
        case = _leased(connection, lease)
        entry = Entry(event=CaseEvent.FAILED, at=now, actor=Actor.program(lease.owner), detail=reason)
        _fail(connection, case, entry)


def release_case(store: Store, lease: Lease, reason: str, *, now: datetime, failed: bool) -> CaseState:
    """Give the case back and return its state.

    A failed attempt is tried again after a pause that doubles each time; after the last one it is FAILED.
    Otherwise, such as when the worker stops, the case is due at once and the attempt is not counted.

    Raises:
        LeaseLostError: the case is no longer the lease's.
    """
    with store.writing() as connection:
        case = _leased(connection, lease)
        if failed:
            return _give_back(store, connection, case, reason, now, event=CaseEvent.RELEASED)
        entry = Entry(event=CaseEvent.RELEASED, at=now, actor=Actor.program(lease.owner), detail=reason)
        return change_case(connection, case, entry, due_at=now, attempts=case.attempts - 1).state


def expire_leases(store: Store, *, now: datetime) -> int:
    """Give back every case whose lease ran out, and return how many; one tried too often is FAILED."""
    beyond = beyond_reason(now, longest_seconds=store.settings.lease_seconds)
    bound = {"claimed": CaseState.IN_TRIAGE.value, "now": now, "beyond": beyond, "limit": _BATCH}
    with store.reading() as connection:
        if not connection.execute(queries.EXPIRED, bound).all():
            return 0
    with store.writing() as connection:
        expired = connection.execute(queries.EXPIRED_FOR_CHANGE, bound).all()
        for case in map(case_of, expired):
            reason = "its worker ended or hung"
            _give_back(store, connection, case, reason, now, event=CaseEvent.LEASE_EXPIRED)
        return len(expired)


def retry_case(store: Store, case_id: int, *, actor: Actor, now: datetime) -> None:
    """Put a FAILED case back in the queue with a fresh count of attempts.

    Raises:
        NotFoundError: there is no such case.
        TransitionError: the case is not FAILED.
    """
    with store.writing() as connection:
        case = case_for_change(connection, case_id)
        entry = Entry(event=CaseEvent.RETRIED, at=now, actor=actor)
        change_case(connection, case, entry, due_at=now, attempts=0, failure=None)


def _claimed(store: Store, connection: Connection, case: CaseRecord, worker: str) -> ClaimedCase:
    if case.study_instance_uid is None:
        raise TypeError(f"case {case.case_id} became READY without a study")
    report = connection.execute(
        queries.REPORT_VERSION, {"case_id": case.case_id, "version": case.report_version}
    ).one()
    rows = connection.execute(
        queries.INSTANCES_OF_STUDY, {"study_instance_uid": case.study_instance_uid}
    ).all()
    instances_sha256 = _hash_of_set(rows)
    removal = next((gone for row in rows if (gone := instance_of(row, store.files).removal)), None)
    return ClaimedCase(
        lease=Lease(case_id=case.case_id, revision=case.revision, attempt=case.attempts, owner=worker),
        study_instance_uid=case.study_instance_uid,
        report_version=report.version,
        report_text=report.text,
        objects=tuple(row.sha256 for row in rows),
        instances_sha256=instances_sha256,
        earlier=earlier_reports(connection, case),
        restored=restored_findings(connection, case.case_id),
        policy=policy_in_force(connection),
        removal=removal,
        seen=_seen(connection, case, instances_sha256) if removal is not None else (),
        files=store.files,
    )


def _seen(connection: Connection, case: CaseRecord, instances_sha256: str) -> tuple[Detection, ...]:
    """Return what detectors saw of the same images in the latest triage; nothing where it cannot be read."""
    key = {"case_id": case.case_id, "revision": case.result_revision}
    result = connection.execute(queries.RESULT, key).one_or_none()
    if result is None or result.instances_sha256 != instances_sha256:
        return ()
    rows = connection.execute(queries.DETECTIONS, key)
    try:
        return tuple(from_json(Detection, row.detection) for row in rows)
    except UnreadableRecordError:
        return ()


def _hash_of_set(instances: Sequence[Row[Any]]) -> str:
    """Hash of the sorted hashes: the same set of files gives the same value, however it came."""
    return hashlib.sha256("\n".join(sorted(row.sha256 for row in instances)).encode()).hexdigest()


def _leased(connection: Connection, lease: Lease) -> CaseRecord:
    row = connection.execute(queries.CASE_FOR_CHANGE, {"case_id": lease.case_id}).one_or_none()
    case = None if row is None else case_of(row)
    held = case is not None and (
        case.state is CaseState.IN_TRIAGE
        and case.revision == lease.revision
        and case.attempts == lease.attempt
        and case.lease_owner == lease.owner
    )
    if case is None or not held:
        raise _lost(lease)
    return case


def _lost(lease: Lease) -> LeaseLostError:
    return LeaseLostError(
        f"{lease.owner} lost its lease on revision {lease.revision} of case {lease.case_id}; drop the result"
    )


def _give_back(
    store: Store, connection: Connection, case: CaseRecord, reason: str, now: datetime, *, event: CaseEvent
) -> CaseState:
    attempts_max, actor = store.settings.attempts_max, Actor.program(case.lease_owner or "nobody")
    if case.attempts >= attempts_max:
        detail = f"{reason}, in attempt {case.attempts} of {attempts_max}"
        failed = Entry(event=CaseEvent.FAILED, at=now, actor=actor, detail=detail)
        return _fail(connection, case, failed).state
    pause = timedelta(seconds=_pause_seconds(store, case.attempts))
    entry = Entry(event=event, at=now, actor=actor, detail=reason)
    return change_case(connection, case, entry, due_at=now + pause).state


def _pause_seconds(store: Store, attempts: int) -> float:
    return min(store.settings.retry_seconds * 2.0 ** min(attempts - 1, 60), _PAUSE_SECONDS_MAX)


def _beyond_reason(store: Store, now: datetime) -> datetime:
    """Return the time beyond which no READY case was put on purpose."""
    return beyond_reason(now, longest_seconds=_pause_seconds(store, store.settings.attempts_max))


def _fail(connection: Connection, case: CaseRecord, entry: Entry) -> CaseRecord:
    return change_case(connection, case, entry, failure=entry.detail)
