"""Replays of quarantine entries: sent through the intake again, as they are or corrected, and recorded."""

from dataclasses import dataclass, replace
from datetime import datetime

from overread.actor import Actor
from overread.errors import (
    InputError,
    InvalidReportError,
    MislabelledDicomError,
    NotFoundError,
    TransitionError,
)
from service.fhir import report as fhir
from service.hl7.message import read_header, read_message
from service.hl7.report import read_reports
from service.hl7.settings import Hl7Settings
from service.intake.instances import InstanceReceipt, begin_instance, receive_instance
from service.intake.receipt import ReceiptOutcome, Replay
from service.intake.reports import IncomingReport, ReportReceipt, receive_reports
from service.quarantine.contents import ContentForm, form_of, quarantined_bytes
from service.store.database import Store
from service.store.quarantine import (
    ActionOutcome,
    Correction,
    NewAction,
    QuarantineAction,
    load_entry,
    record_action,
)
from service.store.records import QuarantineEntry, QuarantineState, ReportStatus

_CHUNK_BYTES = 1 << 20
_CHARSET_FIELD = 18  # MSH-18
_NOTHING = Correction()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayResult:
    """Result of a replay."""

    quarantine_id: int
    outcome: ActionOutcome
    case_id: int | None  # of a report that is stored now
    detail: str | None  # why it was refused again


def replay_entry(
    store: Store,
    quarantine_id: int,
    *,
    actor: Actor,
    now: datetime,
    hl7: Hl7Settings,
    correction: Correction | None = None,
) -> ReplayResult:
    """Send one entry through the intake again and record who did it and how it ended.

    What is stored by that is resolved; what is refused again waits as before. Nothing is recorded where the
    intake has no room: try again later.

    Raises:
        NotFoundError: there is no such entry, or its bytes are gone.
        RemovedError: its bytes were removed on purpose.
        TransitionError: it is resolved already.
        InputError: what is to be corrected is not what such an entry has.
        OutOfResourcesError: it cannot be stored now.
    """
    if correction == _NOTHING:
        raise InputError("say what to correct, or send it again as it is")
    entry = load_entry(store, quarantine_id)
    if entry.state is QuarantineState.RESOLVED:
        raise TransitionError(f"entry {quarantine_id} of the quarantine is resolved already")
    is_object = _is_object(entry)
    if is_object and correction is not None and correction.changes_report:
        raise InputError(
            "an image is stored as it came or not at all: accept it, discard it, or send a corrected one"
        )
    case_id, detail = None, None
    try:
        receipt = _replay(store, entry, correction or _NOTHING, hl7, now=now, is_object=is_object)
        outcome = ActionOutcome(receipt.outcome.value)
        reports = (receipt,) if isinstance(receipt, ReportReceipt) else receipt.reports
        case_id = reports[0].case_id if reports else None
    except InputError as error:
        outcome, detail = ActionOutcome.REFUSED, str(error)
    new = NewAction(
        action=QuarantineAction.REPLAYED if correction is None else QuarantineAction.CORRECTED,
        outcome=outcome,
        actor=actor,
        at=now,
        detail=detail,
        correction=correction,
        case_id=case_id,
    )
    record_action(store, quarantine_id, new)
    return ReplayResult(quarantine_id=quarantine_id, outcome=outcome, case_id=case_id, detail=detail)


def _is_object(entry: QuarantineEntry) -> bool:
    return form_of(entry) is ContentForm.DICOM or entry.kind.value == "INSTANCE"


def _replay(
    store: Store,
    entry: QuarantineEntry,
    correction: Correction,
    hl7: Hl7Settings,
    *,
    now: datetime,
    is_object: bool,
) -> InstanceReceipt | ReportReceipt:
    replay = Replay(arrived_at=entry.received_at, accepts=correction.accepts)
    if is_object:
        return _replay_instance(store, entry, replay, now=now)
    reports = tuple(replace(report, replay=replay) for report in _reports(entry, correction, hl7))
    outcomes = receive_reports(store, reports, now=now)
    for outcome in outcomes:
        if isinstance(outcome, InputError):
            raise outcome
    receipts = [outcome for outcome in outcomes if isinstance(outcome, ReportReceipt)]
    if not receipts:
        raise InvalidReportError("the message holds no report")
    stored = [receipt for receipt in receipts if receipt.outcome is ReceiptOutcome.STORED]
    return (stored or receipts)[0]


def _replay_instance(
    store: Store, entry: QuarantineEntry, replay: Replay, *, now: datetime
) -> InstanceReceipt:
    if entry.reason == MislabelledDicomError.reason and not replay.accepts:
        raise MislabelledDicomError(
            "the object is another than its sender announced; accept it if it is what it says it is"
        )
    with begin_instance(store) as incoming, quarantined_bytes(entry) as file:
        while chunk := file.read(_CHUNK_BYTES):
            incoming.write(chunk)
        if incoming.sha256 != entry.sha256:
            raise NotFoundError(
                f"the bytes of entry {entry.quarantine_id} are damaged; send the object again"
            )
        return receive_instance(store, incoming, source=entry.source, now=now, replay=replay)


def _reports(entry: QuarantineEntry, correction: Correction, hl7: Hl7Settings) -> tuple[IncomingReport, ...]:
    with quarantined_bytes(entry) as file:
        content = file.read()
    form = form_of(entry)
    if form is ContentForm.FHIR:
        return _corrected(fhir.read_reports(content, source=entry.source), entry, correction)
    if form is ContentForm.HL7:
        if correction.charset:
            content = _declared_as(content, correction.charset)
        message = read_message(content, default_charset=hl7.charset)
        return _corrected(read_reports(message, content, hl7, source=entry.source), entry, correction)
    report = IncomingReport(
        content=content,
        status=ReportStatus(entry.report_status or ReportStatus.FINAL),
        accession_number=entry.accession_number,
        study_instance_uid=entry.study_instance_uid,
        patient_id=entry.patient_id,
        site=entry.site,
        issued_at=entry.report_issued_at,
        charset=correction.charset or entry.report_charset or "utf-8",
        source=entry.source,
    )
    return _corrected((report,), entry, correction)


def _declared_as(content: bytes, charset: str) -> bytes:
    """Return a message in UTF-8 and declared so, which was in `charset` and declared as something else."""
    header = read_header(content)
    if header is None:
        raise InvalidReportError("the message does not start with a usable MSH segment (HL7 section 2.14.9)")
    try:
        text = content.decode(charset)
    except (LookupError, UnicodeError):
        raise InvalidReportError(f"the message cannot be decoded as {charset[:32]!r}") from None
    first, end, rest = text.partition("\r") if "\r" in text else text.partition("\n")
    fields = first.split(header.separators.field)
    fields += [""] * (_CHARSET_FIELD - len(fields))
    fields[_CHARSET_FIELD - 1] = "UNICODE UTF-8"  # MSH-1 is the separator itself
    return f"{header.separators.field.join(fields)}{end}{rest}".encode()


def _corrected(
    reports: tuple[IncomingReport, ...], entry: QuarantineEntry, correction: Correction
) -> tuple[IncomingReport, ...]:
    """Return the reports with what a person gave; of several, the one that was refused is meant."""
    names = ("accession_number", "study_instance_uid", "patient_id")
    given: dict[str, str | None] = {
        name: value or None for name in names if (value := getattr(correction, name)) is not None
    }
    if not given and correction.status is None:
        return reports
    meant = [report for report in reports if len(reports) == 1 or _is_that(report, entry)]
    if not meant:
        raise InvalidReportError(
            f"the message holds {len(reports)} reports and none is the refused one; correct the sender"
        )
    return tuple(
        replace(report, status=correction.status or report.status, **given)  # type: ignore[arg-type]
        if report in meant
        else report
        for report in reports
    )


def _is_that(report: IncomingReport, entry: QuarantineEntry) -> bool:
    return (report.accession_number, report.study_instance_uid, report.status.value) == (
        entry.accession_number,
        entry.study_instance_uid,
        entry.report_status,
    )
