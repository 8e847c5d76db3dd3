"""Takes one file from the watched folder: an object, HL7 messages, or a report as JSON, FHIR or text.

What cannot be used is in quarantine when this returns, like anything that is sent, where it is a report or
image at all; the file itself is kept by the folder in any case.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import PurePath
from typing import Any

from pydantic import ValidationError

from overread.errors import InputError, InvalidReportError
from service.api.reports import ReportBody, ReportNames
from service.fhir.intake import receive_submission
from service.hl7.framing import END, START
from service.hl7.message import read_message
from service.hl7.report import read_reports
from service.hl7.settings import Hl7Settings
from service.intake.instances import begin_instance, receive_instance
from service.intake.reports import IncomingReport, receive_report, receive_reports, refuse_message
from service.store.database import Store
from service.watch.settings import NAME_GROUPS, WatchSettings

SIDECAR_ENDING = ".json"  # of the file beside a .txt that names its study
_START_BYTES = 132
_CHUNK_BYTES = 1 << 20
_REPORT_BYTES_MAX = 64 << 20
_NEXT_MESSAGE = re.compile(rb"(?:^|(?<=[\r\n]))(?=MSH[^\r\n]{5})")
_ENVELOPE = re.compile(rb"(?:^|(?<=[\r\n]))(?:FHS|BHS|BTS|FTS)[^\r\n]*")  # HL7 section 2.10.3
_SOURCE = "folder"  # without the name of the file, which may be a patient's
_TAKEN = ".dcm, .hl7, .json or .txt"


class FileForm(StrEnum):
    """Form of a file, as its first bytes or its name tell."""

    OBJECT = "DICOM object"
    HL7 = "HL7"
    JSON = "JSON"
    TEXT = "text"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledFile:
    """A file that is complete; it is read by its descriptor, whatever happens to its name."""

    name: str  # its path in the watched folder
    descriptor: int
    sidecar: bytes | None = None  # what stands beside a .txt


def take_file(
    store: Store, file: SettledFile, settings: WatchSettings, *, hl7: Hl7Settings, now: datetime
) -> tuple[str, ...]:
    """Return why a file, or a part of it, was refused; nothing where all of it is durably stored.

    Raises:
        OutOfResourcesError: it cannot be stored now; the file stays.
        OSError: it cannot be read.
    """
    start = os.pread(file.descriptor, _START_BYTES, 0)
    try:
        match form_of(file.name, start):
            case FileForm.OBJECT:
                _take_object(store, file, now)
            case FileForm.HL7:
                return tuple(_take_messages(store, _content(file), hl7, now))
            case FileForm.JSON:
                _take_json(store, _content(file), now)
            case FileForm.TEXT:
                receive_report(store, _text_report(file, settings), now=now)
            case FileForm.OTHER:
                raise InputError(f"it is neither an object nor a report that is taken here ({_TAKEN})")
    except InputError as error:
        return (str(error),)
    return ()


def form_of(name: str, start: bytes) -> FileForm:
    """Return what a file is."""
    if start[128:132] == b"DICM":
        return FileForm.OBJECT
    if start.lstrip(START + b"\r\n").startswith((b"MSH", b"FHS", b"BHS")):
        return FileForm.HL7
    endings = {
        ".dcm": FileForm.OBJECT,
        ".hl7": FileForm.HL7,
        ".json": FileForm.JSON,
        ".txt": FileForm.TEXT,
    }
    return endings.get(PurePath(name).suffix.lower(), FileForm.OTHER)


def _content(file: SettledFile) -> bytes:
    size = os.fstat(file.descriptor).st_size
    if size > _REPORT_BYTES_MAX:
        raise InvalidReportError(f"it is larger than {_REPORT_BYTES_MAX} bytes, which no report is")
    return b"".join(_chunks(file.descriptor))


def _chunks(descriptor: int) -> Iterator[bytes]:
    position = 0
    while chunk := os.pread(descriptor, _CHUNK_BYTES, position):
        position += len(chunk)
        yield chunk


def _take_object(store: Store, file: SettledFile, now: datetime) -> None:
    with begin_instance(store) as incoming:
        for chunk in _chunks(file.descriptor):
            incoming.write(chunk)
        receive_instance(store, incoming, source=_SOURCE, now=now)


def _take_messages(store: Store, content: bytes, hl7: Hl7Settings, now: datetime) -> Iterator[str]:
    """Take the messages of a file one after the other; give why one was refused."""
    plain = _ENVELOPE.sub(b"", content.replace(START, b"").replace(END, b"\r"))
    messages = [message for message in _NEXT_MESSAGE.split(plain) if message.strip()]
    for number, message in enumerate(messages or [content], start=1):
        try:
            parsed = read_message(message, default_charset=hl7.charset)
            reports = read_reports(parsed, message, hl7, source=_SOURCE)
        except InputError as error:
            refuse_message(store, message, error, source=_SOURCE, now=now)
            yield f"message {number}: {error}"
            continue
        for outcome in receive_reports(store, reports, now=now) if reports else ():
            if isinstance(outcome, InputError):
                yield f"message {number}: {outcome}"


def _take_json(store: Store, content: bytes, now: datetime) -> None:
    """Take a report as the HTTP route takes it, or a FHIR document."""
    if b'"resourceType"' in content:
        receipt = receive_submission(store, content, source=_SOURCE, now=now)
        for report in receipt.reports:
            if report.error is not None:
                raise report.error
        return
    try:
        body = ReportBody.model_validate_json(content)
    except ValidationError as error:
        raise InvalidReportError(f"it is not a report as the HTTP route takes it: {_places(error)}") from None
    receive_report(store, _named_report(body, body.text), now=now)


def _text_report(file: SettledFile, settings: WatchSettings) -> IncomingReport:
    """Return the report of a .txt file, which its sidecar names, or else its own name."""
    content = _content(file)
    if file.sidecar is None:
        names = _names_of(PurePath(file.name).stem, settings)
    else:
        try:
            names = ReportNames.model_validate_json(file.sidecar)
        except ValidationError as error:
            raise InvalidReportError(f"the file beside it is malformed: {_places(error)}") from None
    return _named_report(names, content, charset=settings.charset)


def _names_of(stem: str, settings: WatchSettings) -> ReportNames:
    match = settings.report_name.fullmatch(stem)
    if match is None:
        raise InvalidReportError(
            "its name is not as OVERREAD_WATCH_REPORT_NAME says, and no file beside it names its study"
        )
    given = {name: value for name, value in match.groupdict().items() if name in NAME_GROUPS and value}
    try:
        return ReportNames.model_validate(given)
    except ValidationError as error:
        raise InvalidReportError(f"its name does not name a study: {_places(error)}") from None


def _named_report(names: ReportNames, content: bytes | str, *, charset: str = "utf-8") -> IncomingReport:
    return IncomingReport(
        content=content,
        status=names.status,
        accession_number=names.accession_number,
        study_instance_uid=names.study_instance_uid,
        patient_id=names.patient_id,
        site=names.site,
        issued_at=names.issued_at,
        charset=charset,
        source=_SOURCE,
    )


def _places(error: ValidationError) -> str:
    """Return what is wrong where, without what was given."""
    found = error.errors(include_input=False, include_context=False, include_url=False)
    return "; ".join(f"{_place(item)}: {item['msg']}" for item in found[:5])


def _place(item: Mapping[str, Any]) -> str:
    """Return where it is, without a name that is not ours."""
    if item["type"] == "extra_forbidden":
        return "(unknown name)"
    return ".".join(map(str, item["loc"])) or "it"
