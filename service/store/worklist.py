"""What people look at: the worklist, one case, counts. Nothing here changes anything."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from overread.case import CaseState
from overread.errors import InputError, NotFoundError
from service.store import queries
from service.store.database import Store
from service.store.order import Group, Position, groups_of
from service.store.records import (
    CaseDetail,
    EarlierReport,
    InstanceRecord,
    TriageRecord,
    WorklistPage,
)
from service.store.rows import (
    earlier_of,
    event_of,
    instance_of,
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
    now: datetime,
    states: Collection[CaseState] = (CaseState.LISTED,),
    subspecialty: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> WorklistPage:
    """Return the cases in these states in the order in which they should be looked at.

    First those of the list that waited longer than the policy allows, the one whose time ran out first; then
    the rest by falling priority, among equals the one that was opened first. With `subspecialty`, of the rest
    its own cases come first, then those of nobody in particular and those that nobody else took in time; what
    others may still take is left out.

    `after` is the `next` of the page before, and the order stays that of the moment of the first page. Cases
    that move while pages are read may be seen twice, or not.

    Raises:
        InputError: `after` is not what a page gave, or `limit` is not between 1 and 1000.
    """
    if not 1 <= limit <= _PAGE_MAX:
        raise InputError(f"a page of the worklist has 1 to {_PAGE_MAX} cases, not {limit}")
    position = Position.parsed(after) if after is not None else None
    as_of = position.as_of if position else now
    with store.reading() as connection:
        groups = groups_of(states, as_of=as_of, subspecialty=subspecialty)
        chosen = _first(connection, groups, position, limit + 1)
        numbers = [row.case_id for row in chosen[:limit]]
        lines = {row.case_id: row for row in connection.execute(queries.SUMMARIES, {"case_ids": numbers})}
    return WorklistPage(
        cases=tuple(summary_of(lines[number]) for number in numbers),
        next=Position.of(chosen[limit - 1], as_of).text() if len(chosen) > limit else None,
    )


def list_numbers(
    store: Store, *, now: datetime, states: Collection[CaseState], subspecialty: str | None, limit: int
) -> tuple[int, ...]:
    """Return the numbers of the first cases of the list alone, in the order of `list_worklist`."""
    groups = groups_of(states, as_of=now, subspecialty=subspecialty)
    with store.reading() as connection:
        return tuple(row.case_id for row in _first(connection, groups, None, limit))


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
        triage = _triage(connection, case_id, row.result_revision)
        return CaseDetail(
            summary=summary_of(row),
            patient_id=study.patient_id if study and study.patient_id else row.patient_id,
            study=study,
            instances=tuple(
                instance_of(item, store.files) for item in connection.execute(queries.INSTANCES_OF_STUDY, uid)
            ),
            reports=reports,
            report=next((report for report in reports if report.version == row.report_version), None),
            triage=triage,
            earlier=_known_from(connection, triage),
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


def _first(
    connection: Connection, groups: Sequence[Group], after: Position | None, limit: int
) -> list[Row[Any]]:
    """Return the first cases of the groups after a place, each with its own place."""
    chosen: list[Row[Any]] = []
    for number, group in enumerate(groups):
        if after is not None and number < after.group:
            continue
        start = after if after is not None and number == after.group else None
        room = limit - len(chosen)
        if room > 0:
            chosen += connection.execute(group.first(room, start, number))
    return chosen


def _triage(connection: Connection, case_id: int, revision: int | None) -> TriageRecord | None:
    if revision is None:
        return None
    key = {"case_id": case_id, "revision": revision}
    result = connection.execute(queries.RESULT, key).one()
    return triage_of(result, list(connection.execute(queries.DETECTIONS, key)))


def _known_from(connection: Connection, triage: TriageRecord | None) -> tuple[EarlierReport, ...]:
    """Return the earlier reports by which the latest triage set something aside."""
    known = triage.result.known_before if triage is not None else ()
    named = {(item.study_instance_uid, item.report_version): item.days_before for item in known}
    found = []
    for (uid, version), days in named.items():
        row = connection.execute(
            queries.EARLIER_REPORT, {"study_instance_uid": uid, "version": version}
        ).one_or_none()
        if row is not None:
            found.append(earlier_of(row, days))
    return tuple(found)
