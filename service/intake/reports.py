"""Receives reports: every version is kept, matched to its case and committed before anybody is told so."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from overread.actor import Actor
from overread.case import CaseEvent, CaseState
from overread.errors import ContradictionError, InputError, InvalidReportError
from service.intake.issued import usable_time
from service.intake.matching import case_for_report, locks_of_case, study_for_report
from service.intake.receipt import ReceiptOutcome, Replay
from service.intake.report_order import is_in_force, is_said_anew, version_repeated, whole_text
from service.intake.sites import site_of
from service.store.changes import Entry, change_case, describe_case, open_case, revise_case
from service.store.database import Store, Transaction
from service.store.locks import Lock
from service.store.pressure import notes_turned_away
from service.store.records import CaseRecord, QuarantineKind, ReportStatus, ReportVersion
from service.store.refusals import Refusal, refuse
from service.store.report_authors import note_author
from service.store.report_versions import add_report_resend, add_report_version, report_versions
from service.tracing import Step, traces

_log = structlog.get_logger("overread.intake")
_IDENTIFIER_MAX = 64  # longest LO and UI, PS3.5 table 6.2-1
_CONTROL = frozenset(map(chr, (*range(9), *range(14, 32), 127)))  # not tab, line ends, form feed


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingReport:
    """A report as a sender gives it. At least one of accession number and study UID must be there."""

    content: bytes | str = field(repr=False)
    status: ReportStatus = ReportStatus.FINAL
    accession_number: str | None = None
    study_instance_uid: str | None = None
    patient_id: str | None = field(default=None, repr=False)
    author: str | None = None  # who wrote it, as accounts here are named; None where the sender does not say
    site: str | None = None  # where the study was made, as the sender calls it
    issued_at: datetime | None = None  # when it was made, as the sender says; None where it does not say
    charset: str = "utf-8"  # of `content` where it is bytes; a name that Python knows
    message: bytes | None = field(default=None, repr=False)  # what it came in, which quarantine keeps instead
    source: str  # who sent it, such as "http 127.0.0.1"
    replay: Replay | None = None  # given where it comes out of quarantine


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportReceipt:
    """The acknowledgement of one version of a report: it is durable and belongs to a case."""

    outcome: ReceiptOutcome
    case_id: int
    version: int
    state: CaseState  # of the case, now


def receive_report(store: Store, report: IncomingReport, *, now: datetime) -> ReportReceipt:
    """Keep one version of a report and let its case take note; then it may be acknowledged.

    The same version again changes nothing; a further time that it gives is kept, since it may make it the
    latest word. Another version is added, nothing is overwritten. A preliminary one waits. One that counts
    sends a case that has been triaged back to triage; one that was made before the one in force is kept and
    changes nothing else. What is refused goes to quarantine before the error is raised.

    Raises:
        InvalidReportError: it is empty, binary, undecodable, too large, or names no study and no accession.
        ContradictionError: it is for another patient than its study, or its accession number names several.
        OutOfResourcesError: it cannot be stored now; the sender should try again.
    """
    (outcome,) = receive_reports(store, (report,), now=now)
    if isinstance(outcome, InputError):
        raise outcome
    return outcome


@notes_turned_away
def receive_reports(
    store: Store, reports: Sequence[IncomingReport], *, now: datetime
) -> tuple[ReportReceipt | InputError, ...]:
    """Keep several reports as `receive_report` keeps one, with one commit for all; one's error is its own.

    Raises:
        OutOfResourcesError: none of them can be stored now; the senders should try again.
    """
    store.files.require_space()
    outcomes: list[ReportReceipt | InputError | str] = [
        _checked_text(report, store.settings.report_bytes_max) for report in reports
    ]
    usable = [number for number, text in enumerate(outcomes) if isinstance(text, str)]
    if usable:
        with store.writing(*_locks(reports[number] for number in usable)) as connection:
            for number in usable:
                try:
                    report = _at_site(store, reports[number])
                    outcomes[number] = _receive(connection, report, str(outcomes[number]), now)
                except InputError as error:  # which is raised before anything is changed
                    outcomes[number] = error
    return tuple(_concluded(store, *pair, now) for pair in zip(reports, outcomes, strict=True))


@notes_turned_away
def receive_together(
    store: Store, reports: Sequence[IncomingReport], *, now: datetime
) -> tuple[ReportReceipt, ...]:
    """Keep several reports as `receive_report` keeps one, but all of them or none.

    Raises:
        InputError: one of them cannot be used; what it came in is in quarantine, and none is stored.
        OutOfResourcesError: they cannot be stored now; the sender should try again.
    """
    store.files.require_space()
    receipts = []
    report = None
    try:
        with store.writing(*_locks(reports)) as connection:
            for report in reports:
                text = _checked_text(report, store.settings.report_bytes_max)
                if isinstance(text, InputError):
                    raise text
                receipts.append(_receive(connection, _at_site(store, report), text, now))
    except InputError as error:
        if report is not None and report.replay is None:
            _refuse(store, report, error, now)
        raise
    for report, receipt in zip(reports, receipts, strict=True):
        _concluded(store, report, receipt, now)
    return tuple(receipts)


def check_report(store: Store, report: IncomingReport, *, now: datetime) -> ReceiptOutcome:
    """Return what would become of a report if it were received now; nothing is stored or set aside.

    Raises:
        InputError: it would be refused.
        OutOfResourcesError: the database cannot be reached.
    """
    text = _checked_text(report, store.settings.report_bytes_max)
    if isinstance(text, InputError):
        raise text
    names = {"accession_number": report.accession_number, "patient_id": report.patient_id}
    with store.reading() as connection:
        case = case_for_report(connection, study_instance_uid=report.study_instance_uid, **names)
        if case is None:
            if report.study_instance_uid is None:
                study_for_report(connection, **names)
            return ReceiptOutcome.STORED
        versions = report_versions(connection, case.case_id)
    is_known = version_repeated(_version(report, text, len(versions) + 1, now), versions) is not None
    return ReceiptOutcome.ALREADY_STORED if is_known else ReceiptOutcome.STORED


@notes_turned_away
def refuse_message(store: Store, message: bytes, error: InputError, *, source: str, now: datetime) -> None:
    """Put a message from which no report can be read into quarantine; it is durable when this returns."""
    _refuse(store, IncomingReport(content=message, source=source), error, now)


def _at_site(store: Store, report: IncomingReport) -> IncomingReport:
    """Return a report with its site as it is called here."""
    return replace(report, site=site_of(_storable(report.site), store.settings.site_names))


def _locks(reports: Iterable[IncomingReport]) -> set[Lock]:
    """Return the locks of the cases of these reports."""
    return {
        lock
        for report in reports
        for lock in locks_of_case(report.study_instance_uid, report.accession_number)
    }


def _concluded(
    store: Store, report: IncomingReport, outcome: ReportReceipt | InputError | str, now: datetime
) -> ReportReceipt | InputError:
    """Return what became of a report, which is logged, or in quarantine by now."""
    if isinstance(outcome, str):
        raise TypeError("a report was passed over")
    if isinstance(outcome, InputError):
        if report.replay is None:
            _refuse(store, report, outcome, now)
        return outcome
    _log.info(
        "report_received",
        outcome=outcome.outcome.value,
        case=outcome.case_id,
        version=outcome.version,
        status=report.status.value,
        state=outcome.state.value,
        source=report.source,
    )
    traces().past(
        Step.REPORT,
        outcome.case_id,
        started_at=now,
        version=outcome.version,
        status=report.status.value,
        outcome=outcome.outcome.value,
    )
    return outcome


def _checked_text(report: IncomingReport, bytes_max: int) -> str | InputError:
    try:
        text = _text(report, bytes_max)
        _check_identifiers(report)
    except InputError as error:
        return error
    return text


def _text(report: IncomingReport, bytes_max: int) -> str:
    if len(report.content) > bytes_max:
        raise InvalidReportError(f"the report is larger than {bytes_max} bytes")
    try:
        text = report.content if isinstance(report.content, str) else report.content.decode(report.charset)
        text.encode("utf-8")  # a lone surrogate is no text
    except (LookupError, UnicodeError):
        raise InvalidReportError(
            "the report cannot be decoded in the charset that it names; name the one it is in"
        ) from None
    if not _CONTROL.isdisjoint(text):
        raise InvalidReportError("the report holds control characters: it is binary, or in another charset")
    text = text.removeprefix("\ufeff")
    if not any(character.isalnum() for character in text):
        raise InvalidReportError("the report is empty")
    return text


def _check_identifiers(report: IncomingReport) -> None:
    if not report.accession_number and not report.study_instance_uid:
        raise InvalidReportError("the report names neither an accession number nor a study_instance_uid")
    identifiers = (report.accession_number, report.study_instance_uid, report.patient_id)
    for identifier in identifiers:
        if identifier is not None and not _is_identifier(identifier):
            raise InvalidReportError(
                f"an identifier of the report is empty, longer than {_IDENTIFIER_MAX} characters, "
                "or has blanks at its ends"
            )


def _is_identifier(text: str) -> bool:
    return bool(text) and len(text) <= _IDENTIFIER_MAX and text.isprintable() and text == text.strip()


def _receive(connection: Transaction, report: IncomingReport, text: str, now: datetime) -> ReportReceipt:
    case = case_for_report(
        connection,
        study_instance_uid=report.study_instance_uid,
        accession_number=report.accession_number,
        patient_id=report.patient_id,
    )
    if case is None:
        case = _open(connection, report, now)
        add_report_version(connection, case.case_id, _version(report, text, 1, now))
        note_author(connection, case.case_id, 1, report.author)
        return _receipt(case, 1, ReceiptOutcome.STORED)
    versions = report_versions(connection, case.case_id)
    new = _version(report, text, len(versions) + 1, now)
    repeated = version_repeated(new, versions)
    if repeated is not None:
        if is_said_anew(new, repeated):
            add_report_resend(connection, case.case_id, repeated.version, new)
        return _receipt(case, repeated.version, ReceiptOutcome.ALREADY_STORED)
    _require_latest(report, case, versions)
    whole = whole_text(new, versions)
    stored = new if whole == new.text else replace(new, text=whole, sent_text=new.text)
    add_report_version(connection, case.case_id, stored)
    note_author(connection, case.case_id, stored.version, report.author)
    counting = new.version if is_in_force(new, versions) else None
    case = _take_note(connection, case, report, counting, now)
    return _receipt(case, new.version, ReceiptOutcome.STORED)


def _version(report: IncomingReport, text: str, version: int, now: datetime) -> ReportVersion:
    """Return the version that a report brings, by itself."""
    return ReportVersion(
        version=version,
        status=report.status,
        text=text,
        sha256=hashlib.sha256(text.encode("utf-8")).hexdigest(),
        source=report.source[:256],
        issued_at=usable_time(report.issued_at, now=now),
        received_at=now,
    )


def _require_latest(report: IncomingReport, case: CaseRecord, versions: Sequence[ReportVersion]) -> None:
    """Return unless a report out of quarantine would count in place of one that came after it.

    One that says when it was made takes its place among the others by that.
    """
    replay = report.replay
    if replay is None or replay.accepts or report.status is ReportStatus.PRELIMINARY or report.issued_at:
        return
    if any(known.received_at > replay.arrived_at for known in versions):
        raise ContradictionError(
            f"case {case.case_id} has a version of the report that came later; accept this one if it is to "
            "count all the same"
        )


def _open(connection: Transaction, report: IncomingReport, now: datetime) -> CaseRecord:
    """Open a case with its first report; a study that is still arriving completes it when it closes."""
    uid = report.study_instance_uid
    if uid is None:
        study = study_for_report(
            connection, accession_number=report.accession_number, patient_id=report.patient_id
        )
        uid = study.study_instance_uid if study is not None else None
    return open_case(
        connection,
        CaseState.AWAITING_IMAGES,
        Entry(event=CaseEvent.OPENED, at=now, actor=Actor.program(report.source)),
        study_instance_uid=uid,
        accession_number=report.accession_number,
        patient_id=report.patient_id,
        site=report.site,
        report_version=None if report.status is ReportStatus.PRELIMINARY else 1,
    )


def _take_note(
    connection: Transaction, case: CaseRecord, report: IncomingReport, version: int | None, now: datetime
) -> CaseRecord:
    """Let the case learn what a report brings, and which version counts from now on; None: the same."""
    learned: dict[str, object] = {
        column: value
        for column, value in (
            ("accession_number", report.accession_number),
            ("patient_id", report.patient_id),
            ("site", report.site),
        )
        if value is not None and getattr(case, column) is None
    }
    if version is None:
        return describe_case(connection, case, now, **learned)
    learned["report_version"] = version
    if case.state is CaseState.AWAITING_IMAGES:
        return describe_case(connection, case, now, **learned)
    actor, detail = Actor.program(report.source), f"report version {version}"
    if case.state is CaseState.AWAITING_REPORT:
        entry = Entry(event=CaseEvent.COMPLETED_BY_REPORT, at=now, actor=actor, detail=detail)
        return change_case(connection, case, entry, due_at=now, **learned)
    entry = Entry(event=CaseEvent.REVISED, at=now, actor=actor, detail=detail)
    return revise_case(connection, case, entry, **learned)


def _receipt(case: CaseRecord, version: int, outcome: ReceiptOutcome) -> ReportReceipt:
    return ReportReceipt(outcome=outcome, case_id=case.case_id, version=version, state=case.state)


def _refuse(store: Store, report: IncomingReport, error: InputError, now: datetime) -> None:
    content = report.content if report.message is None else report.message
    raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    refusal = Refusal(
        kind=QuarantineKind.REPORT,
        reason=error.reason,
        detail=str(error),
        source=_storable(report.source) or "",
        received_at=now,
        study_instance_uid=_storable(report.study_instance_uid),
        accession_number=_storable(report.accession_number),
        patient_id=_storable(report.patient_id),
        site=_at_site(store, report).site,
        report_status=report.status.value,
        report_issued_at=usable_time(report.issued_at, now=now),
        report_charset=_storable(report.charset, 64),
    )
    with store.files.begin() as incoming:
        incoming.write(raw)
        refuse(store, incoming, refusal)


def _storable(text: str | None, longest: int = 256) -> str | None:
    """Return what both databases can hold of something that a sender chose."""
    if text is None:
        return None
    return "".join(character for character in text if character.isprintable())[:longest]
