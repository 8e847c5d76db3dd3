"""Stores what was concluded about a case, with its place in the order; inside the caller's transaction."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from overread.actor import Actor
from overread.case import CaseEvent
from overread.observation import Detection
from overread.priority import Policy
from overread.triage import Outcome, TriageResult
from service.store import queries
from service.store.audit_draws import list_if_drawn
from service.store.changes import Entry, change_case
from service.store.headline import headline_of
from service.store.json_format import to_json
from service.store.records import CaseRecord, TriageRecord
from service.store.result_occasions import Moment, add_occasion, has_occasion
from service.store.studies import find_study

_EVENTS = {
    Outcome.DISCREPANT: CaseEvent.FOUND_DISCREPANT,
    Outcome.CONCORDANT: CaseEvent.FOUND_CONCORDANT,
    Outcome.NOT_APPLICABLE: CaseEvent.FOUND_NOT_APPLICABLE,
}


def conclude(
    connection: Connection, case: CaseRecord, record: TriageRecord, policy: Policy, *, actor: Actor
) -> CaseRecord:
    """Store a result and let the case, which is in triage, end where it leads; return it as it is then."""
    connection.execute(queries.ADD_RESULT, _result_row(case.case_id, record))
    details = [
        _detection_row(case.case_id, record.revision, position, item)
        for position, item in enumerate(record.detections)
    ]
    if details:
        connection.execute(queries.ADD_DETECTION, details)
    if record.result.outcome is Outcome.DISCREPANT or has_occasion(connection, case.case_id):
        revision, at = record.revision, record.triaged_at
        add_occasion(connection, case.case_id, moment=Moment.TRIAGE, revision=revision, now=at)
    concluded = change_case(
        connection,
        case,
        Entry(event=_EVENTS[record.result.outcome], at=record.triaged_at, actor=actor),
        priority=record.result.priority,
        result_revision=record.revision,
        failure=None,
        modality=_modality_of(connection, case),
        **place_of(record.result, policy, since=case.waiting_since or record.triaged_at),
    )
    if record.result.outcome is not Outcome.CONCORDANT:
        return concluded
    return list_if_drawn(connection, concluded, record, policy, since=case.waiting_since or record.triaged_at)


def place_of(result: TriageResult, policy: Policy, *, since: datetime) -> dict[str, object]:
    """Return the columns of a case that place it on the list and tell it apart; it waits `since` then."""
    waiting = policy.tables.waiting
    allowed = timedelta(hours=waiting.hours[result.actionable])
    listed = result.outcome is Outcome.DISCREPANT
    headline = headline_of(result) if listed else None
    return {
        "waiting_since": since if listed else None,
        "overdue_at": since + allowed if listed else None,
        "open_to_all_at": since + waiting.open_share * allowed if listed else None,
        "subspecialty": result.subspecialty,
        "policy_version": policy.version,
        "finding": None if headline is None else headline.finding,
        "kind": None if headline is None else headline.kind.value,
        "actionable": result.actionable.value if listed else None,
    }


def _modality_of(connection: Connection, case: CaseRecord) -> str | None:
    study = None if case.study_instance_uid is None else find_study(connection, case.study_instance_uid)
    return None if study is None else study.modality


def _result_row(case_id: int, record: TriageRecord) -> dict[str, object]:
    result, observer = record.result, record.reading.observer
    headline = headline_of(result)
    return {
        "case_id": case_id,
        "revision": record.revision,
        "report_version": record.report_version,
        "instances_sha256": record.instances_sha256,
        "outcome": result.outcome.value,
        "priority": result.priority,
        "actionable": result.actionable.value,
        "subspecialty": result.subspecialty,
        "policy_version": result.policy_version,
        "observer_name": observer.name,
        "observer_version": observer.version,
        "observer_sha256": observer.sha256,
        "reasons": to_json(result.reasons),
        "headline": None if headline is None else to_json(headline),
        "result": to_json(result),
        "reading": to_json(record.reading),
        "worker": record.worker,
        "triaged_at": record.triaged_at,
    }


def _detection_row(case_id: int, revision: int, position: int, detection: Detection) -> dict[str, object]:
    return {
        "case_id": case_id,
        "revision": revision,
        "position": position,
        "detector_name": detection.detector.name,
        "detector_version": detection.detector.version,
        "detector_sha256": detection.detector.sha256,
        "operating_point": detection.operating_point,
        "detection": to_json(detection),
    }
