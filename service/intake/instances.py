"""Receives images: whole, durable and recorded before anybody is told so."""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import structlog

from overread.errors import ContradictionError, InputError, MislabelledDicomError, NotFoundError
from service.intake.documents import ArrivedDocument, read_document
from service.intake.header import InstanceHeader, has_same_data_set, read_header
from service.intake.receipt import ReceiptOutcome, Replay
from service.intake.reports import ReportReceipt, receive_reports
from service.intake.sites import site_of
from service.store import locks
from service.store.database import Store, Transaction
from service.store.files import IncomingFile
from service.store.instances import add_instance, find_instance
from service.store.pressure import notes_turned_away
from service.store.records import InstanceRecord, QuarantineKind, StudyRecord
from service.store.refusals import Refusal, refuse, refuse_kept
from service.store.removal import restore_instance
from service.store.studies import add_study, change_study, find_study

_log = structlog.get_logger("overread.intake")
# Columns of a study that a later image fills where the first ones did not say.
_DESCRIPTIVE = (
    "patient_id",
    "issuer_of_patient_id",
    "accession_number",
    "modality",
    "body_part",
    "description",
    "study_date",
    "patient_age_years",
    "patient_sex",
)
_OF_IMAGES = frozenset({"modality", "body_part", "accession_number"})  # which a document does not decide
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncedInstance:
    """Identity of an object as the command that brings it states it (PS3.7 section 9.1.1.1)."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceReceipt:
    """The acknowledgement of one instance: it is durable and recorded."""

    outcome: ReceiptOutcome
    header: InstanceHeader
    sha256: str  # of the stored object
    reports: tuple[ReportReceipt, ...] = ()  # that the object brought and that are stored


@notes_turned_away
def begin_instance(store: Store) -> IncomingFile:
    """Return an empty file for an object that starts to arrive; use it in a `with` block.

    Raises:
        OutOfResourcesError: the disk is nearly full.
    """
    return store.files.begin()


@notes_turned_away
def receive_instance(
    store: Store,
    incoming: IncomingFile,
    *,
    source: str,
    now: datetime,
    announced: AnnouncedInstance | None = None,
    replay: Replay | None = None,
) -> InstanceReceipt:
    """Keep a DICOM object that has arrived completely, and record it; then it may be acknowledged.

    The same content again changes nothing, nor does the same data set under another writer's file meta
    information; bytes that were removed on purpose are kept again. What is refused goes to quarantine before
    the error is raised. A further image of a closed study opens the study again. A report in the object, such
    as a narrative SR, becomes a version of the report of its case; one that cannot be used goes to quarantine
    and the object is kept.

    Args:
        store: where it goes.
        incoming: the object, all of its bytes written.
        source: who sent it, such as "stow 127.0.0.1".
        now: when its last byte came.
        announced: what the object must be; None where its sender did not say.
        replay: given where it comes out of quarantine.

    Raises:
        InvalidDicomError: it is not a readable DICOM object, or lacks a UID.
        MislabelledDicomError: it is another object than was announced.
        ContradictionError: its UID belongs to other bytes, or its study to another patient or accession.
        OutOfResourcesError: it cannot be stored now; the sender should try again.
    """
    header: InstanceHeader | None = None
    try:
        header = read_header(incoming.path)
        _check_announced(header, announced)
        with store.reading() as connection:
            stored = _stored(store, connection, header, incoming.sha256, incoming.path)
            if stored is None:  # else it is in the store already, perhaps because a person accepted it
                _check_study(find_study(connection, header.study_instance_uid), header, replay)
        document = read_document(incoming.path, header, titles=store.settings.report_titles, source=source)
    except InputError as error:
        if replay is None:
            refuse(store, incoming, _refusal(store, error, header, source=source, now=now))
        raise
    site = _site(store, header)
    arrival = _Arrival(header=header, document=document, site=site, source=source, now=now, replay=replay)
    return _take_in(store, incoming, arrival, stored)


def identify(incoming: IncomingFile) -> InstanceHeader | None:
    """Return the header of an object, None if it cannot be read; for telling a sender what was refused."""
    try:
        return read_header(incoming.path)
    except InputError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrival:
    """One object that has been read."""

    header: InstanceHeader
    document: ArrivedDocument | None  # None: an image, or any other object that is no document
    site: str | None
    source: str
    now: datetime
    replay: Replay | None

    @property
    def counts(self) -> bool:
        """Whether a detector may look at it: then the study is not complete before it."""
        return self.document is None or self.document.is_result


def _take_in(
    store: Store, incoming: IncomingFile, arrival: _Arrival, stored: InstanceRecord | None
) -> InstanceReceipt:
    """Keep and record an object that may be stored, unless it is recorded already, and its reports."""
    header, outcome = arrival.header, ReceiptOutcome.ALREADY_STORED
    if stored is not None and stored.result_of is not None:
        _log.info("result_came_back", sop_instance_uid=header.sop_instance_uid, source=arrival.source)
        return InstanceReceipt(outcome=outcome, header=header, sha256=stored.sha256)
    sha256 = stored.sha256 if stored else incoming.sha256
    if stored is None or store.files.objects.size_of(stored.sha256) is None:
        store.files.keep(incoming)
    # Before the record: an object that is recorded is acknowledged, and its report must not be lost then.
    reports, refused = _receive_document(store, arrival, sha256)
    if stored is None:
        outcome = _record(store, incoming, arrival)
    elif stored.removed_at is not None:
        restore_instance(store, header.sop_instance_uid, now=arrival.now)
    _log.info(
        "instance_received",
        outcome=outcome.value,
        study_instance_uid=header.study_instance_uid,
        sop_instance_uid=header.sop_instance_uid,
        size_bytes=incoming.size_bytes,
        source=arrival.source,
    )
    if refused is not None and arrival.replay is not None:
        raise refused
    return InstanceReceipt(outcome=outcome, header=header, sha256=sha256, reports=reports)


def _receive_document(
    store: Store, arrival: _Arrival, sha256: str
) -> tuple[tuple[ReportReceipt, ...], InputError | None]:
    """Keep the reports of a kept object, and return them and why one is not; it is in quarantine then."""
    document = arrival.document
    if document is None:
        return (), None
    if document.error is not None:
        if arrival.replay is None:
            refusal = _refusal(store, document.error, arrival.header, source=arrival.source, now=arrival.now)
            with store.files.begin() as copy, store.files.path_of(sha256).open("rb") as kept:
                while chunk := kept.read(_CHUNK_BYTES):
                    copy.write(chunk)
                refuse(store, copy, refusal)
        return (), document.error
    if not document.reports:
        return (), None
    reports = [replace(report, replay=arrival.replay) for report in document.reports]
    outcomes = receive_reports(store, reports, now=arrival.now)
    errors = (outcome for outcome in outcomes if isinstance(outcome, InputError))
    stored = (outcome for outcome in outcomes if isinstance(outcome, ReportReceipt))
    return tuple(stored), next(errors, None)


def _record(store: Store, incoming: IncomingFile, arrival: _Arrival) -> ReceiptOutcome:
    """Record a kept object in one transaction, unless another process has been faster."""
    header, source, now, replay = arrival.header, arrival.source, arrival.now, arrival.replay
    decided = (locks.study(header.study_instance_uid), locks.instance(header.sop_instance_uid))
    try:
        with store.writing(*decided) as connection:
            if _stored(store, connection, header, incoming.sha256) is not None:
                return ReceiptOutcome.ALREADY_STORED
            study = find_study(connection, header.study_instance_uid)
            _check_study(study, header, replay)
            _record_study(connection, study, arrival)
            add_instance(connection, **_instance_row(incoming, header, source, now))
    except ContradictionError as error:  # another process stored the contradicting one a moment ago
        if replay is not None:
            store.files.set_aside_kept(incoming.sha256)
        else:
            refusal = _refusal(store, error, header, source=source, now=now)
            refuse_kept(store, incoming.sha256, incoming.size_bytes, refusal)
        raise
    return ReceiptOutcome.STORED


def _check_announced(header: InstanceHeader, announced: AnnouncedInstance | None) -> None:
    if announced is None:
        return
    for word, said, found in (
        ("class", announced.sop_class_uid, header.sop_class_uid),
        ("instance", announced.sop_instance_uid, header.sop_instance_uid),
    ):
        if said != found:
            raise MislabelledDicomError(f"the object is of SOP {word} {found}, but {said} was announced")


def _stored(
    store: Store, connection: Transaction, header: InstanceHeader, sha256: str, path: Path | None = None
) -> InstanceRecord | None:
    """Return the record of this very object, if there is one; its UID must not belong to another.

    The object is in the file at `path`, or kept already.
    """
    known = find_instance(connection, header.sop_instance_uid, store.files)
    if known is None:
        return None
    if known.result_of is not None:  # it comes back from where it was sent, perhaps with additions of its own
        return known
    if known.sha256 != sha256 and not _is_same(store, known.sha256, path or store.files.path_of(sha256)):
        raise ContradictionError(
            f"instance {header.sop_instance_uid} is stored with other content; "
            "what differs needs a SOP Instance UID of its own"
        )
    return known


def _is_same(store: Store, stored: str, path: Path) -> bool:
    try:
        return has_same_data_set(store.files.path_of(stored), path)
    except NotFoundError:
        return False


def _check_study(study: StudyRecord | None, header: InstanceHeader, replay: Replay | None) -> None:
    if study is None or (replay is not None and replay.accepts):
        return
    for column, word in (("patient_id", "patient"), ("accession_number", "accession number")):
        stored, sent = getattr(study, column), getattr(header, column)
        if stored and sent and stored != sent:
            raise ContradictionError(
                f"study {header.study_instance_uid} is stored with another {word}; correct the sender"
            )


def _record_study(connection: Transaction, study: StudyRecord | None, arrival: _Arrival) -> None:
    """Let the study learn of an object; one that no detector looks at neither opens it nor keeps it open."""
    header, now = arrival.header, arrival.now
    columns = [column for column in _DESCRIPTIVE if arrival.counts or column not in _OF_IMAGES]
    said = {column: getattr(header, column) for column in columns}
    if arrival.counts:
        said["site"] = arrival.site
    if study is None:
        times = {
            "first_received_at": now,
            "last_received_at": now,
            "closed_at": None if arrival.counts else now,
        }
        add_study(connection, header.study_instance_uid, **times, **said)
        return
    changed = {
        column: value
        for column, value in said.items()
        if getattr(study, column) is None and value is not None
    }
    if arrival.counts:
        changed |= {"last_received_at": now, "closed_at": None}
    if changed:
        change_study(connection, study.study_instance_uid, **changed)


def _instance_row(
    incoming: IncomingFile, header: InstanceHeader, source: str, now: datetime
) -> dict[str, object]:
    return {
        "sop_instance_uid": header.sop_instance_uid,
        "study_instance_uid": header.study_instance_uid,
        "series_instance_uid": header.series_instance_uid,
        "sop_class_uid": header.sop_class_uid,
        "transfer_syntax_uid": header.transfer_syntax_uid,
        "modality": header.modality,
        "sha256": incoming.sha256,
        "size_bytes": incoming.size_bytes,
        "source": source[:256],
        "received_at": now,
        "rows": header.rows,
        "columns": header.columns,
    }


def _site(store: Store, header: InstanceHeader | None) -> str | None:
    return site_of(header.institution, store.settings.site_names) if header else None


def _refusal(
    store: Store, error: InputError, header: InstanceHeader | None, *, source: str, now: datetime
) -> Refusal:
    return Refusal(
        kind=QuarantineKind.INSTANCE,
        reason=error.reason,
        detail=str(error),
        source=source[:256],
        received_at=now,
        study_instance_uid=header.study_instance_uid if header else None,
        sop_instance_uid=header.sop_instance_uid if header else None,
        accession_number=header.accession_number if header else None,
        patient_id=header.patient_id if header else None,
        site=_site(store, header),
    )
