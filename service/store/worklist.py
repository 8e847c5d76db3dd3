"""Worklist, single cases and counts. Nothing here changes anything."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, literal, select

from overread.case import CaseState
from overread.errors import InputError, NotFoundError, UnreadableRecordError
from service.store import queries
from service.store.case_counts import Sides, counts_by_state, listed_sides
from service.store.database import Store
from service.store.line import line_of
from service.store.order import Group, Position, Selection, groups_of, in_state, sides_of
from service.store.reading_claims import claims_of
from service.store.records import (
    CaseDetail,
    CaseSummary,
    EarlierReport,
    InstanceRecord,
    TriageRecord,
)
from service.store.report_versions import report_versions
from service.store.rows import earlier_of, event_of, instance_of, summary_of
from service.store.schema import cases
from service.store.sight import cases_in_sight, instances_in_sight
from service.store.studies import find_study
from service.store.triage_results import triage_result
from service.store.worklist_records import COUNTED_TO, WorklistLine, WorklistPage

EVERYTHING_LISTED = Selection()
_PAGE_MAX = 1000


def list_worklist(
    store: Store,
    selection: Selection = EVERYTHING_LISTED,
    *,
    now: datetime,
    after: str | None = None,
    limit: int = 50,
) -> WorklistPage:
    """Return the cases that are selected, in the order in which they should be looked at.

    What stands above the line comes before what stands below it. Above it first come those that waited longer
    than the policy allows, the one whose time ran out first; then the rest by falling priority, among equals
    the one that was opened first. Below it priority alone decides. With a subspecialty, on either side its
    own cases come before those of nobody in particular and those that nobody else took in time; what others
    may still take is left out.

    `after` is the `next` of the page before; order and line stay those of the moment of the first page. Cases
    that move while pages are read may be seen twice, or not.

    Raises:
        InputError: `after` is not what a page gave, `limit` is not between 1 and 1000, or the share is none.
    """
    if not 1 <= limit <= _PAGE_MAX:
        raise InputError(f"a page of the worklist has 1 to {_PAGE_MAX} cases, not {limit}")
    position = Position.parsed(after) if after is not None else None
    as_of = position.as_of if position else now
    with store.reading() as connection:
        selection = replace(selection, only=selection.only.resolved(connection, now))
        line = position.line if position else _line(connection, selection, as_of)
        groups = _groups(connection, selection, line.priority if line else None, as_of)
        chosen = _first(connection, groups, position, limit + 1)
        numbers = [row.case_id for row in chosen[:limit]]
        lines = {row.case_id: row for row in connection.execute(queries.SUMMARIES, {"case_ids": numbers})}
        claims = claims_of(connection, numbers, now=now)
    return WorklistPage(
        cases=tuple(_summary(lines[number], line.priority if line else None) for number in numbers),
        next=Position.of(chosen[limit - 1], as_of, line).text() if len(chosen) > limit else None,
        line=line,
        claims=claims,
    )


def list_numbers(store: Store, selection: Selection, *, now: datetime, limit: int) -> tuple[int, ...]:
    """Return the numbers of the first cases of the list alone, in the order of `list_worklist`."""
    with store.reading() as connection:
        listed = CaseState.LISTED in selection.states
        line = line_of(connection, selection.share).priority if listed else None
        selection = replace(selection, only=selection.only.resolved(connection, now))
        groups = _groups(connection, selection, line, now)
        return tuple(row.case_id for row in _first(connection, groups, None, limit))


def load_case(store: Store, case_id: int, *, share: float | None = None) -> CaseDetail:
    """Return everything that is stored about a case.

    Args:
        store: where it is.
        case_id: its number.
        share: of the triaged cases that stands above the line; None takes that of the policy.

    Raises:
        NotFoundError: there is no such case.
        InputError: the share is none.
    """
    with store.reading() as connection:
        wanted = queries.SUMMARY.where(cases.c.case_id == case_id, cases_in_sight(connection))
        row = connection.execute(wanted).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no case {case_id}")
        uid = {"study_instance_uid": row.study_instance_uid}
        study = find_study(connection, row.study_instance_uid)
        reports = report_versions(connection, case_id)
        triage, unreadable = _triage(connection, case_id, row.result_revision)
        listed = row.state == CaseState.LISTED.value
        return CaseDetail(
            summary=_summary(row, line_of(connection, share).priority if listed else None),
            patient_id=study.patient_id if study and study.patient_id else row.patient_id,
            study=study,
            instances=tuple(
                instance_of(item, store.files) for item in connection.execute(queries.INSTANCES_OF_STUDY, uid)
            ),
            reports=reports,
            report=next((report for report in reports if report.version == row.report_version), None),
            triage=triage,
            unreadable=unreadable,
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
        of_study = cases.c.study_instance_uid == study_instance_uid
        wanted = select(cases.c.case_id).where(of_study, cases_in_sight(connection))
        row = connection.execute(wanted).one_or_none()
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
        row = connection.execute(
            queries.INSTANCE.where(instances_in_sight(connection)), {"sop_instance_uid": sop_instance_uid}
        ).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no instance {sop_instance_uid}")
    return instance_of(row, store.files)


def count_cases(store: Store) -> dict[CaseState, int]:
    """Return how many cases are in each state; states without a case count 0."""
    counts = dict.fromkeys(CaseState, 0)
    with store.reading() as connection:
        found = counts_by_state(connection, everywhere=False)
    counts |= {CaseState(state): count for state, count in found.items()}
    return counts


def _groups(
    connection: Connection, selection: Selection, line: float | None, as_of: datetime
) -> tuple[Group, ...]:
    on_sqlite = connection.dialect.name == "sqlite"
    return groups_of(selection, line, as_of=as_of, seen=cases_in_sight(connection), hides_finding=on_sqlite)


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


def _line(connection: Connection, selection: Selection, as_of: datetime) -> WorklistLine | None:
    """Return the line with how many cases of the list stand on either side; None where none is LISTED."""
    if CaseState.LISTED not in selection.states:
        return None
    line = line_of(connection, selection.share)
    wanted = selection.only.conditions(as_of)
    counted = selection.only.counted() if selection.subspecialty is None else None
    if counted is not None:  # all that is asked for is what the counts are told apart by
        sides = listed_sides(connection, line.priority, counted=counted, wanted=wanted)
    else:
        seen = cases_in_sight(connection)
        parts = sides_of(line.priority, selection.subspecialty, as_of=as_of)
        listed = in_state(CaseState.LISTED, by_number=selection.only.case_ids is not None)
        above, below = (_count(connection, listed, part, seen, *wanted) for part in parts)
        sides = Sides(above=above, below=below)
    return WorklistLine(
        share=line.share,
        priority=line.priority,
        triaged=line.triaged,
        above=sides.above,
        below=sides.below,
        is_capped=counted is None,
    )


def _count(connection: Connection, *wanted: ColumnElement[bool]) -> int:
    """Return how many cases are wanted; counting ends at one more than `COUNTED_TO`."""
    found = select(literal(1)).where(*wanted).limit(COUNTED_TO + 1)
    count: int = connection.execute(select(func.count()).select_from(found.subquery())).scalar_one()
    return count


def _summary(row: Row[Any], line: float | None) -> CaseSummary:
    listed = row.state == CaseState.LISTED.value
    return summary_of(row, above_line=listed and (line is None or row.priority >= line))


def _triage(
    connection: Connection, case_id: int, revision: int | None
) -> tuple[TriageRecord | None, str | None]:
    """Return the latest triage, or why it cannot be read; neither before the first."""
    if revision is None:
        return None, None
    try:
        return triage_result(connection, case_id, revision), None
    except UnreadableRecordError as error:
        return None, str(error)


def _known_from(connection: Connection, triage: TriageRecord | None) -> tuple[EarlierReport, ...]:
    """Return the earlier reports by which the latest triage set something aside."""
    known = triage.result.known_before if triage is not None else ()
    named = {(item.study_instance_uid, item.report_version): item.days_before for item in known}
    found = []
    for (uid, version), days in named.items():
        row = connection.execute(
            queries.EARLIER_REPORT.where(cases_in_sight(connection)),
            {"study_instance_uid": uid, "version": version},
        ).one_or_none()
        if row is not None:
            found.append(earlier_of(row, days))
    return tuple(found)
