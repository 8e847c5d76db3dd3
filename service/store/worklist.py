"""What people look at: the worklist, one case, the quarantine, counts. Nothing here changes anything."""

import base64
import binascii
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, or_, select, union_all

from overread.case import CaseState
from overread.errors import InputError, NotFoundError
from service.store import queries
from service.store.database import Store
from service.store.records import CaseDetail, InstanceRecord, QuarantineEntry, TriageRecord, WorklistPage
from service.store.rows import (
    event_of,
    instance_of,
    quarantine_of,
    report_of,
    study_of,
    summary_of,
    triage_of,
)
from service.store.schema import cases

_PAGE_MAX = 1000


def list_worklist(
    store: Store,
    *,
    states: Collection[CaseState] = (CaseState.LISTED,),
    after: str | None = None,
    limit: int = 50,
) -> WorklistPage:
    """Return the cases in these states, highest priority first, among equals the one that was opened first.

    `after` is the `next` of the page before. Cases that move while pages are read may be seen twice, or not.

    Raises:
        InputError: `after` is not what a page gave, or `limit` is not between 1 and 1000.
    """
    if not 1 <= limit <= _PAGE_MAX:
        raise InputError(f"a page of the worklist has 1 to {_PAGE_MAX} cases, not {limit}")
    if not states:
        return WorklistPage(cases=(), next=None)
    # One limited walk along the index per state, then a merge, then the lines: the same on a long list.
    walks = [_walk(state, after, limit + 1).subquery() for state in sorted(set(states))]
    merged = union_all(*(select(walk) for walk in walks)).subquery()
    order = (merged.c.priority.desc(), merged.c.opened_at, merged.c.case_id)
    with store.reading() as connection:
        chosen = (
            connection.execute(select(merged.c.case_id).order_by(*order).limit(limit + 1)).scalars().all()
        )
        rows = connection.execute(queries.SUMMARIES, {"case_ids": chosen}).all()
    more = len(rows) > limit
    return WorklistPage(
        cases=tuple(summary_of(row) for row in rows[:limit]),
        next=_position(rows[limit - 1]) if more else None,
    )


def load_case(store: Store, case_id: int) -> CaseDetail:
    """Return everything that is stored about a case.

    Raises:
        NotFoundError: there is no such case.
    """
    with store.reading() as connection:
        row = connection.execute(queries.SUMMARY.where(cases.c.case_id == case_id)).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no case {case_id}")
        uid = {"study_instance_uid": row.study_instance_uid}
        study_row = connection.execute(queries.STUDY, uid).one_or_none()
        study = study_of(study_row) if study_row else None
        versions = connection.execute(queries.REPORT_VERSIONS, {"case_id": case_id}).all()
        reports = tuple(report_of(version) for version in versions)
        return CaseDetail(
            summary=summary_of(row),
            patient_id=study.patient_id if study and study.patient_id else row.patient_id,
            study=study,
            instances=tuple(
                instance_of(item, store.files) for item in connection.execute(queries.INSTANCES_OF_STUDY, uid)
            ),
            reports=reports,
            report=next((report for report in reports if report.version == row.report_version), None),
            triage=_triage(connection, case_id, row.result_revision),
            events=tuple(
                event_of(event) for event in connection.execute(queries.EVENTS, {"case_id": case_id})
            ),
        )


def find_case(store: Store, study_instance_uid: str) -> int:
    """Return the number of the case of a study.

    Raises:
        NotFoundError: no case of this study has been opened.
    """
    with store.reading() as connection:
        row = connection.execute(
            select(cases.c.case_id).where(cases.c.study_instance_uid == study_instance_uid)
        ).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no case of study {study_instance_uid}")
    found: int = row.case_id
    return found


def load_instance(store: Store, sop_instance_uid: str) -> InstanceRecord:
    """Return one stored instance.

    Raises:
        NotFoundError: it has not been received.
    """
    with store.reading() as connection:
        row = connection.execute(queries.INSTANCE, {"sop_instance_uid": sop_instance_uid}).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no instance {sop_instance_uid}")
    return instance_of(row, store.files)


def count_cases(store: Store) -> dict[CaseState, int]:
    """Return how many cases are in each state; states without a case count 0."""
    counts = dict.fromkeys(CaseState, 0)
    with store.reading() as connection:
        for state, count in connection.execute(queries.COUNT_BY_STATE):
            counts[CaseState(state)] = count
    return counts


def list_quarantine(store: Store, *, limit: int = 50, offset: int = 0) -> tuple[QuarantineEntry, ...]:
    """Return what was refused, the latest first."""
    with store.reading() as connection:
        rows = connection.execute(queries.QUARANTINE_PAGE, {"limit": limit, "offset": offset}).all()
    return tuple(quarantine_of(row, store.files) for row in rows)


def count_quarantine(store: Store) -> int:
    """Return how many things were refused."""
    with store.reading() as connection:
        count: int = connection.execute(queries.COUNT_QUARANTINE).scalar_one()
    return count


def ping(store: Store) -> None:
    """Return if the store can be read now; for readiness checks.

    Raises:
        OutOfResourcesError: the database cannot be reached, or the disk is nearly full.
    """
    store.files.require_space()
    with store.reading() as connection:
        connection.execute(queries.PING)


def _triage(connection: Connection, case_id: int, revision: int | None) -> TriageRecord | None:
    if revision is None:
        return None
    key = {"case_id": case_id, "revision": revision}
    result = connection.execute(queries.RESULT, key).one()
    return triage_of(result, list(connection.execute(queries.DETECTIONS, key)))


def _walk(state: CaseState, after: str | None, limit: int) -> Select[Any]:
    """The first cases of one state in the order of the list, from the index alone."""
    statement = select(cases.c.case_id, cases.c.priority, cases.c.opened_at).where(
        cases.c.state == state.value
    )
    if after is not None:
        priority, opened_at, case_id = _parsed(after)
        statement = statement.where(cases.c.priority <= priority).where(
            or_(
                cases.c.priority < priority,
                cases.c.opened_at > opened_at,
                and_(cases.c.opened_at == opened_at, cases.c.case_id > case_id),
            )
        )
    return statement.order_by(cases.c.priority.desc(), cases.c.opened_at, cases.c.case_id).limit(limit)


def _position(row: Row[Any]) -> str:
    plain = f"{row.priority!r} {row.opened_at.isoformat()} {row.case_id}"
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def _parsed(position: str) -> tuple[float, datetime, int]:
    try:
        plain = base64.urlsafe_b64decode(position + "=" * (-len(position) % 4)).decode()
        priority, opened_at, case_id = plain.split(" ")
        parsed = float(priority), datetime.fromisoformat(opened_at), int(case_id)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        parsed = None
    if parsed is None or parsed[1].tzinfo is None:
        raise InputError("the position in the worklist is not one that a page gave; start again without it")
    return parsed
