"""From the rows of the database to the records that the store gives out."""

from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from overread.case import CaseEvent, CaseState
from overread.errors import UnreadableRecordError
from overread.finding import Actionable
from overread.observation import Detection, ReportReading
from overread.triage import Outcome, TriageResult
from service.store.files import ObjectFiles
from service.store.headline import Headline
from service.store.json_format import from_json
from service.store.records import (
    CaseRecord,
    CaseSummary,
    EarlierReport,
    EventRecord,
    InstanceRecord,
    QuarantineEntry,
    QuarantineKind,
    QuarantineState,
    ReportStatus,
    ReportVersion,
    StudyRecord,
    TriageRecord,
    actor_of,
)


def study_of(row: Row[Any]) -> StudyRecord:
    """Return the study of a row of `studies`."""
    return StudyRecord(**_columns(row, StudyRecord))


def case_of(row: Row[Any]) -> CaseRecord:
    """Return the case of a row of `cases`."""
    return CaseRecord(**_columns(row, CaseRecord, without={"state"}), state=CaseState(row.state))


def instance_of(row: Row[Any], files: ObjectFiles) -> InstanceRecord:
    """Return the instance of a row of `instances`."""
    return InstanceRecord(**_columns(row, InstanceRecord, without={"files"}), files=files)


def report_of(row: Row[Any], *, resent_at: tuple[datetime, ...]) -> ReportVersion:
    """Return the version of a row of `report_versions`, with the times of `report_resends`."""
    values = _columns(row, ReportVersion, without={"status", "resent_at"})
    return ReportVersion(**values, status=ReportStatus(row.status), resent_at=resent_at)


def earlier_of(row: Row[*tuple[Any, ...]], days_before: float) -> EarlierReport:
    """Return the report of a row of EARLIER_REPORTS or EARLIER_REPORT."""
    return EarlierReport(
        case_id=row.case_id,
        study_instance_uid=row.study_instance_uid,
        study_date=row.study_date,
        report_version=row.version,
        days_before=days_before,
        text=row.text,
    )


def event_of(row: Row[Any]) -> EventRecord:
    """Return the event of a row of `events`."""
    values = _columns(row, EventRecord, without={"event", "state_before", "state_after", "actor"})
    return EventRecord(
        **values,
        event=CaseEvent(row.event),
        actor=actor_of(row),
        state_before=CaseState(row.state_before) if row.state_before else None,
        state_after=CaseState(row.state_after),
    )


def summary_of(row: Row[Any], *, above_line: bool) -> CaseSummary:
    """Return the line of the worklist of a row of the query SUMMARY.

    Where reasons and headline cannot be read, the line says so in place of the reasons.
    """
    try:
        reasons = from_json(tuple[str, ...], row.reasons) if row.reasons else ()
        headline = from_json(Headline, row.headline) if row.headline else None
    except UnreadableRecordError as error:
        reasons, headline = (f"what triage concluded is not shown: {error}",), None
    made = {"state", "outcome", "actionable", "reasons", "headline", "above_line"}
    values = _columns(row, CaseSummary, without=made)
    return CaseSummary(
        **values,
        state=CaseState(row.state),
        outcome=Outcome(row.outcome) if row.outcome else None,
        actionable=Actionable(row.actionable) if row.actionable else None,
        reasons=reasons,
        headline=headline,
        above_line=above_line,
    )


def triage_of(row: Row[Any], detections: list[Row[Any]]) -> TriageRecord:
    """Return the conclusion of a row of `triage_results` and its rows of `triage_detections`.

    Raises:
        UnreadableRecordError: it is stored in a form that this release does not know.
    """
    values = _columns(row, TriageRecord, without={"result", "reading", "detections"})
    return TriageRecord(
        **values,
        result=from_json(TriageResult, row.result),
        reading=from_json(ReportReading, row.reading),
        detections=tuple(from_json(Detection, item.detection) for item in detections),
    )


def quarantine_of(row: Row[Any], files: ObjectFiles) -> QuarantineEntry:
    """Return the entry of a row of `quarantine`."""
    values = _columns(row, QuarantineEntry, without={"kind", "state", "files"})
    return QuarantineEntry(
        **values,
        kind=QuarantineKind(row.kind),
        state=QuarantineState(row.state),
        files=files,
    )


def _columns(row: Row[Any], kind: type, without: frozenset[str] | set[str] = frozenset()) -> dict[str, Any]:
    """Return the columns that are fields of the same name and type."""
    return {field.name: getattr(row, field.name) for field in fields(kind) if field.name not in without}
