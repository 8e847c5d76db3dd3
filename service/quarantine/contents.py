"""Content of quarantined bytes, as far as it can be read: the header, and on request the patient's names.

What is here was refused, so nothing is taken for granted: values are bounded, and reading stops at the first
thing that is broken and says so.
"""

import mmap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

from pydicom.datadict import dictionary_description, tag_for_keyword
from pydicom.uid import UID

from models.elements import PIXEL_ELEMENTS, open_data_set
from overread.errors import InputError, InvalidDicomError, NotFoundError
from service.fhir.report import read_submission
from service.hl7.message import Message, Segment, read_header, read_message
from service.intake.header import declared_encoding, element_text
from service.intake.reports import IncomingReport
from service.store.records import QuarantineEntry

_START_BYTES = 4096
_TEXT_BYTES_MAX = 1 << 18  # of a report, as much as is shown
_VALUE_MAX = 256
_ORDERS_MAX = 50
_IDENTIFYING = frozenset({"PatientName", "PatientID", "PatientBirthDate", "ReferringPhysicianName"})
_KEYWORDS = (
    "MediaStorageSOPClassUID",
    "TransferSyntaxUID",
    "ImplementationVersionName",
    "SpecificCharacterSet",
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "AccessionNumber",
    "StudyDate",
    "StudyTime",
    "Modality",
    "BodyPartExamined",
    "StudyDescription",
    "SeriesDescription",
    "Manufacturer",
    "ManufacturerModelName",
    "InstitutionName",
    "StationName",
    "PatientSex",
    "PatientAge",
    "NumberOfFrames",
    "PhotometricInterpretation",
    *sorted(_IDENTIFYING),
)
_TAGS = {int(tag_for_keyword(keyword) or 0): keyword for keyword in _KEYWORDS}
# What else senders are known to send by mistake, by how it begins.
_BEGINNINGS = (
    (b"%PDF-", "a PDF document"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG", "a PNG picture"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"<", "XML or HTML"),
    (b"{", "JSON"),
)
# Fields of MSH, OBR and PID that are shown, as HL7 v2.5.1 names them; of PID only on request.
_HL7_FIELDS: Mapping[str, tuple[tuple[int, str], ...]] = {
    "MSH": (
        (3, "sending application"),
        (4, "sending facility"),
        (7, "time of message"),
        (9, "message type"),
        (10, "control id"),
        (11, "processing id"),
        (12, "version"),
        (18, "character set"),
    ),
    "OBR": (
        (2, "placer order number"),
        (3, "filler order number"),
        (4, "service"),
        (18, "placer field 1"),
        (25, "result status"),
    ),
    "PID": ((3, "patient identifier"), (5, "patient name"), (7, "date of birth"), (8, "sex")),
}


class ContentForm(StrEnum):
    """Form of the bytes, as they themselves show."""

    DICOM = "DICOM"
    HL7 = "HL7"
    FHIR = "FHIR"
    OTHER = "OTHER"  # text, or something that nobody takes


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderLine:
    """One value of a header."""

    name: str
    value: str
    identifies: bool  # it may say who the patient is


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Readable content of something that was refused."""

    form: str  # in words
    lines: tuple[HeaderLine, ...]
    broken: str | None  # why no more could be read
    text: str | None  # of a report, where it was asked for


@contextmanager
def quarantined_bytes(entry: QuarantineEntry) -> Iterator[BinaryIO]:
    """Give the bytes of an entry as a file.

    Raises:
        NotFoundError: they are gone.
        RemovedError: they were removed on purpose.
        OutOfResourcesError: they cannot be had now.
    """
    try:
        file = entry.path.open("rb")
    except FileNotFoundError:
        raise NotFoundError(f"the bytes of entry {entry.quarantine_id} of the quarantine are gone") from None
    with file:
        yield file


def form_of(entry: QuarantineEntry) -> ContentForm:
    """Return what the bytes of an entry are.

    Raises:
        NotFoundError, RemovedError, OutOfResourcesError: they cannot be had, as for `quarantined_bytes`.
    """
    with quarantined_bytes(entry) as file:
        return _form(file)


def read_content(entry: QuarantineEntry, *, identified: bool, with_text: bool) -> Content:
    """Return what can be read of an entry; of one whose bytes were removed on purpose, that they were.

    Args:
        entry: which one.
        identified: whether to say who the patient is.
        with_text: whether to give the text of a report.

    Raises:
        NotFoundError: its bytes are gone.
    """
    if entry.removal is not None:
        return Content(form="nothing any more", lines=(), broken=entry.removal, text=None)
    with quarantined_bytes(entry) as file:
        form = _form(file)
        if form is ContentForm.DICOM:
            lines, broken = _dicom_lines(file)
            content = Content(form="DICOM object", lines=lines, broken=broken, text=None)
        elif form is ContentForm.HL7:
            content = _hl7_content(file.read(_TEXT_BYTES_MAX), with_text=with_text)
        elif form is ContentForm.FHIR:
            content = _fhir_content(file.read(), with_text=with_text)
        else:
            content = _other_content(entry, file.read(_TEXT_BYTES_MAX), with_text=with_text)
    if identified:
        return content
    kept = tuple(line for line in content.lines if not line.identifies)
    return Content(form=content.form, lines=kept, broken=content.broken, text=content.text)


def _form(file: BinaryIO) -> ContentForm:
    """Return what a file shows to be; it is at its start again then."""
    start = file.read(_START_BYTES)
    file.seek(0)
    if start[128:132] == b"DICM":
        return ContentForm.DICOM
    if start.lstrip(b"\r\n").startswith(b"MSH"):
        return ContentForm.HL7
    if start.lstrip().startswith(b"{"):
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            if mapped.find(b'"resourceType"') >= 0:
                return ContentForm.FHIR
    return ContentForm.OTHER


def _dicom_lines(file: BinaryIO) -> tuple[tuple[HeaderLine, ...], str | None]:
    values: dict[str, bytes] = {}
    broken = None
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        try:
            _read_header(mapped, values)
        except InvalidDicomError as error:
            broken = str(error)
    encoding = declared_encoding(values)
    lines = []
    for keyword in _KEYWORDS:
        value = _value(values, keyword, encoding)
        if value:
            name = dictionary_description(keyword)
            lines.append(HeaderLine(name=name, value=value, identifies=keyword in _IDENTIFYING))
    return tuple(lines), broken


def _read_header(mapped: mmap.mmap, values: dict[str, bytes]) -> None:
    """Read the wanted elements into `values`, as far as it goes."""
    data_set = open_data_set(mapped)
    values |= {_TAGS[tag]: value for tag, value in data_set.meta.items() if tag in _TAGS}
    walk, position = data_set.walk(), data_set.start
    while position < data_set.size:
        tag, value_at, end, implicit_within = walk.element(position, data_set.implicit)
        if tag in PIXEL_ELEMENTS:
            return
        if end is None:
            end = walk.pass_sequence(value_at, implicit_within)
        elif tag in _TAGS:
            values[_TAGS[tag]] = bytes(data_set.data[value_at : min(end, value_at + _VALUE_MAX)])
        position = end


def _value(values: Mapping[str, bytes], keyword: str, encoding: str) -> str | None:
    text = element_text(values, keyword, encoding, longest=_VALUE_MAX)
    if text is None or not (keyword.endswith("ClassUID") or keyword == "TransferSyntaxUID"):
        return text
    name = UID(text).name
    return text if name == text else f"{name} ({text})"


def _hl7_content(content: bytes, *, with_text: bool) -> Content:
    header = read_header(content)
    lines = list(_segment_lines(header)) if header is not None else []
    broken, text = None, None
    try:
        message = read_message(content, default_charset="utf-8")
        lines += _order_lines(message)
        text = "\n".join("|".join((segment.name, *segment.fields)) for segment in message.segments)
    except InputError as error:
        broken, text = str(error), content.decode("latin-1")
    return Content(form="HL7 message", lines=tuple(lines), broken=broken, text=text if with_text else None)


def _order_lines(message: Message) -> list[HeaderLine]:
    wanted = [segment for segment in message.segments if segment.name in {"OBR", "PID"}][:_ORDERS_MAX]
    return [line for segment in wanted for line in _segment_lines(segment)]


def _segment_lines(segment: Segment) -> Iterator[HeaderLine]:
    for number, name in _HL7_FIELDS[segment.name]:
        value = _printable(segment.raw(number))
        if value:
            label = f"{segment.name}-{number} ({name})"
            yield HeaderLine(name=label, value=value, identifies=segment.name == "PID")


def _fhir_content(content: bytes, *, with_text: bool) -> Content:
    lines: list[HeaderLine] = []
    broken = None
    try:
        submission = read_submission(content, source="quarantine")
        broken = str(submission.error) if submission.error is not None else None
        for number, report in enumerate(submission.reports[:_ORDERS_MAX], start=1):
            lines += _report_lines(f"report {number}, ", report)
    except InputError as error:
        broken = str(error)
    text = content[:_TEXT_BYTES_MAX].decode("utf-8", errors="replace") if with_text else None
    return Content(form="FHIR document", lines=tuple(lines), broken=broken, text=text)


def _report_lines(prefix: str, report: IncomingReport) -> Iterator[HeaderLine]:
    for name, value, identifies in (
        ("accession number", report.accession_number, False),
        ("study", report.study_instance_uid, False),
        ("status", report.status.value, False),
        ("patient id", report.patient_id, True),
    ):
        if value:
            yield HeaderLine(name=f"{prefix}{name}", value=_printable(value), identifies=identifies)


def _other_content(entry: QuarantineEntry, content: bytes, *, with_text: bool) -> Content:
    start = content[:_START_BYTES]
    known = (name for mark, name in _BEGINNINGS if start.lstrip().startswith(mark))
    is_text = b"\0" not in start
    form = next(known, "text" if is_text else "something else")
    text = content.decode(_known_charset(entry.report_charset), errors="replace") if is_text else None
    return Content(form=form, lines=(), broken=None, text=text if with_text else None)


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:_VALUE_MAX]


def _known_charset(name: str | None) -> str:
    try:
        "".encode(name or "utf-8")
    except LookupError:
        return "utf-8"
    return name or "utf-8"
