"""Reads reports that arrive as DICOM objects: narrative structured reports, encapsulated PDF and CDA.

A sender decides what such an object holds, so it is bounded before a library builds anything of it.
"""

import mmap
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from models.dicom import BROKEN_INPUT, text
from models.elements import open_data_set
from models.vendor_results.document import is_result
from models.vendor_results.tree import code_of
from overread.errors import InputError, InvalidDicomError
from service.intake.header import InstanceHeader
from service.intake.issued import read_offset, read_timestamp
from service.intake.reports import IncomingReport
from service.narrative.form import text_of_document
from service.narrative.structured import text_of_structured
from service.narrative.titles import is_report_title
from service.store.records import ReportStatus

STRUCTURED = "1.2.840.10008.5.1.4.1.1.88."  # PS3.4 section B.5: every SR storage class begins so
ENCAPSULATED = "1.2.840.10008.5.1.4.1.1.104."  # and every one of encapsulated documents
STRUCTURED_BYTES_MAX = 4 << 20
ENCAPSULATED_BYTES_MAX = 32 << 20
ITEMS_MAX = 5_000
STUDIES_MAX = 16
_BYTES_MAX = {STRUCTURED: STRUCTURED_BYTES_MAX, ENCAPSULATED: ENCAPSULATED_BYTES_MAX}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivedDocument:
    """Content of a document object beside the object itself."""

    is_result: bool = False  # of a detector, or it may be one: it counts for the study as an image does
    reports: tuple[IncomingReport, ...] = ()  # one for each study that it reports on
    error: InputError | None = None  # why it, though a report, cannot be read


def read_document(
    path: Path, header: InstanceHeader, *, titles: Collection[str] = (), source: str
) -> ArrivedDocument | None:
    """Return what a document object brings; None for an image and any other object.

    Args:
        path: the object.
        header: its header.
        titles: of reports at this site, beside those that every site has.
        source: who sent it.

    Raises:
        OutOfResourcesError: it cannot be read now; the sender should try again.
    """
    prefix = next((known for known in _BYTES_MAX if header.sop_class_uid.startswith(known)), None)
    if prefix is None:
        return None
    try:
        document = _bounded(path, _BYTES_MAX[prefix])
    except InvalidDicomError:
        return ArrivedDocument(is_result=prefix == STRUCTURED)
    if prefix == STRUCTURED and is_result(document):
        return ArrivedDocument(is_result=True)
    try:
        reports = tuple(_reports(document, header, source)) if _is_report(document, titles) else ()
        return ArrivedDocument(reports=reports)
    except InputError as error:
        return ArrivedDocument(error=error)
    except BROKEN_INPUT as error:
        return ArrivedDocument(error=InvalidDicomError(f"the document is broken: {type(error).__name__}"))


def _bounded(path: Path, bytes_max: int) -> Dataset:
    """Return the data set, which is neither large nor of many parts.

    Raises:
        InvalidDicomError: it is, or it cannot be read.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            data_set = open_data_set(mapped)
            if data_set.size > bytes_max:
                raise InvalidDicomError("the document is far larger than any report")
            data_set.walk(items_max=ITEMS_MAX).pass_header(data_set.start)
        return dcmread(path, stop_before_pixels=True)  # what would come after them has not been counted
    except BROKEN_INPUT:
        raise InvalidDicomError("the document cannot be read") from None


def _is_report(document: Dataset, titles: Collection[str]) -> bool:
    code = code_of(document, "ConceptNameCodeSequence")
    return is_report_title(code, text(document, "DocumentTitle"), further=titles)


def _text(document: Dataset, sop_class_uid: str) -> str:
    """Return the text of an SR, or of the document in an Encapsulated Document (PS3.3 section C.24.2)."""
    if sop_class_uid.startswith(STRUCTURED):
        return text_of_structured(document)
    content = bytes(document.get("EncapsulatedDocument") or b"").rstrip(b"\0")
    media_type = text(document, "MIMETypeOfEncapsulatedDocument").partition(";")[0].strip().lower()
    return text_of_document(content, media_type)


def _reports(document: Dataset, header: InstanceHeader, source: str) -> Iterable[IncomingReport]:
    """Give the report for each study: of the evidence, else of the requests, else the document's own."""
    requested = {
        text(item, "StudyInstanceUID"): text(item, "AccessionNumber")
        for item in document.get("ReferencedRequestSequence") or ()
    }
    evidence = [
        text(item, "StudyInstanceUID")
        for item in document.get("CurrentRequestedProcedureEvidenceSequence") or ()
    ]
    studies = [uid for uid in dict.fromkeys(evidence or requested) if uid] or [header.study_instance_uid]
    if len(studies) > STUDIES_MAX:
        raise InvalidDicomError(f"the document reports on more than {STUDIES_MAX} studies")
    content = _text(document, header.sop_class_uid)
    numbers = {number for number in (*requested.values(), header.accession_number) if number}
    only = next(iter(numbers)) if len(numbers) == 1 and len(studies) == 1 else None
    for uid in studies:
        own = header.accession_number if uid == header.study_instance_uid else None
        yield IncomingReport(
            content=content,
            status=_status(document),
            accession_number=requested.get(uid) or own or only,
            study_instance_uid=uid,
            patient_id=header.patient_id,
            site=header.institution,
            issued_at=_issued_at(document),
            source=source,
        )


def _status(document: Dataset) -> ReportStatus:
    """Return how final a document is (PS3.3 section C.17.2).

    What is partial or preliminary says so; what nobody has verified is a draft, unless it says that it is
    final. An encapsulated document need have none of the flags, and counts as final then.
    """
    flag = text(document, "PreliminaryFlag")
    is_draft = not flag and text(document, "VerificationFlag") == "UNVERIFIED"
    if flag == "PRELIMINARY" or is_draft or text(document, "CompletionFlag") == "PARTIAL":
        return ReportStatus.PRELIMINARY
    return ReportStatus.FINAL


def _issued_at(document: Dataset) -> datetime | None:
    """Return when a document was made: when it was last verified, else its content (PS3.3 section C.17.2).

    A time without a zone is in that of the object (Timezone Offset From UTC), else in that of this machine.
    """
    zone = read_offset(text(document, "TimezoneOffsetFromUTC"))
    verified = (
        read_timestamp(text(observer, "VerificationDateTime"), field="VerificationDateTime", zone=zone)
        for observer in document.get("VerifyingObserverSequence") or ()
    )
    content = text(document, "ContentDate") + text(document, "ContentTime")
    return max(filter(None, verified), default=None) or read_timestamp(
        content, field="ContentDate and ContentTime", zone=zone
    )
