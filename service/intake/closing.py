"""Closes studies: after a quiet period, or at an explicit word, the images count as complete."""

from datetime import datetime, timedelta

import structlog

from overread.actor import Actor
from overread.case import CaseEvent, CaseState
from overread.errors import ContradictionError, NotFoundError
from service.intake.matching import case_for_study, locks_of_case
from service.store.cases import case_of_study
from service.store.changes import Entry, change_case, describe_case, open_case, revise_case
from service.store.clock import beyond_reason
from service.store.database import Store, Transaction
from service.store.records import CaseRecord, QuarantineKind, StudyRecord
from service.store.refusals import Refusal, refuse_within
from service.store.report_versions import report_versions
from service.store.studies import change_study, quiet_studies, require_study
from service.tracing import Step, traces

_log = structlog.get_logger("overread.intake")
_ACTOR = Actor.program("intake")
_BATCH = 100


def close_quiet_studies(store: Store, *, now: datetime) -> int:
    """Close studies that have had no new image for the quiet period, and return how many."""
    before = now - timedelta(seconds=store.settings.quiet_seconds)
    quiet = quiet_studies(store, before=before, beyond=beyond_reason(now), limit=_BATCH)
    return sum(_close(store, uid, now=now, quiet_since=before) is not None for uid in quiet)


def close_study(store: Store, study_instance_uid: str, *, now: datetime) -> CaseState:
    """Close a study and return the state that its case came to by it: READY if a report that counts is there.

    A study that is closed already stays as it is. One that a further image had opened again sends its case
    back to triage.

    Raises:
        NotFoundError: no image of this study has been received.
    """
    closed = _close(store, study_instance_uid, now=now, quiet_since=None)
    if closed is not None:
        return closed.state
    with store.reading() as connection:
        case = case_of_study(connection, study_instance_uid)
    if case is None:  # only documents came, which are no images
        raise NotFoundError(f"no image of study {study_instance_uid} has been received")
    return case.state


def _close(
    store: Store, study_instance_uid: str, *, now: datetime, quiet_since: datetime | None
) -> CaseRecord | None:
    """Close an open study without an image after `quiet_since`; return its case, None if it was not so."""
    case = None
    with store.reading() as connection:
        accession = require_study(connection, study_instance_uid).accession_number
    with store.writing(*locks_of_case(study_instance_uid, accession)) as connection:
        study = require_study(connection, study_instance_uid)
        is_busy = quiet_since is not None and quiet_since < study.last_received_at <= beyond_reason(now)
        if study.closed_at is not None or is_busy:
            return None
        if study.accession_number == accession:
            case = _close_open(store, connection, study, now)
    if case is None:  # an image brought another accession number in between, whose lock is not held
        return _close(store, study_instance_uid, now=now, quiet_since=quiet_since)
    _log.info(
        "study_closed", study_instance_uid=study_instance_uid, case=case.case_id, state=case.state.value
    )
    traces().past(Step.IMAGES, case.case_id, started_at=study.first_received_at, state=case.state.value)
    return case


def _close_open(store: Store, connection: Transaction, study: StudyRecord, now: datetime) -> CaseRecord:
    """Close an open study, and return its case, which has learned of it."""
    change_study(connection, study.study_instance_uid, closed_at=now)
    case, strangers = case_for_study(connection, study)
    for stranger in strangers:
        _set_apart(store, connection, stranger, study, now)
    return _open(connection, study, now) if case is None else _complete(connection, case, study, now)


def _open(connection: Transaction, study: StudyRecord, now: datetime) -> CaseRecord:
    return open_case(
        connection,
        CaseState.AWAITING_REPORT,
        Entry(event=CaseEvent.OPENED, at=now, actor=_ACTOR),
        study_instance_uid=study.study_instance_uid,
        accession_number=study.accession_number,
        patient_id=study.patient_id,
        site=study.site,
    )


def _complete(connection: Transaction, case: CaseRecord, study: StudyRecord, now: datetime) -> CaseRecord:
    """Let the case learn that its images are there."""
    learned = {
        "study_instance_uid": study.study_instance_uid,
        "accession_number": case.accession_number or study.accession_number,
        "patient_id": case.patient_id or study.patient_id,
        "site": study.site or case.site,
    }
    if case.state is CaseState.AWAITING_REPORT:
        return describe_case(connection, case, now, **learned)
    if case.state is not CaseState.AWAITING_IMAGES:
        entry = Entry(event=CaseEvent.REVISED, at=now, actor=_ACTOR, detail="a further image")
        return revise_case(connection, case, entry, **learned)
    is_complete = case.report_version is not None
    event = CaseEvent.COMPLETED_BY_IMAGES if is_complete else CaseEvent.STUDY_CLOSED
    return change_case(connection, case, Entry(event=event, at=now, actor=_ACTOR), due_at=now, **learned)


def _set_apart(
    store: Store, connection: Transaction, case: CaseRecord, study: StudyRecord, now: datetime
) -> None:
    """Put the waiting report of another patient into quarantine; its case keeps waiting for other images."""
    versions = report_versions(connection, case.case_id)
    report = next((known for known in versions if known.version == case.report_version), versions[-1])
    refusal = Refusal(
        kind=QuarantineKind.REPORT,
        reason=ContradictionError.reason,
        detail=f"the report of case {case.case_id} is for another patient than the images of its study",
        source=report.source,
        received_at=now,
        study_instance_uid=study.study_instance_uid,
        accession_number=case.accession_number,
        patient_id=case.patient_id,
        site=case.site,
        report_status=report.status.value,
        report_issued_at=report.issued_at,
    )
    with store.files.begin() as incoming:
        incoming.write(report.text.encode("utf-8"))
        refuse_within(store, connection, incoming, refusal)
    if case.study_instance_uid is not None:
        describe_case(connection, case, now, study_instance_uid=None)
