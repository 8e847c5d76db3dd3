"""The reports in an ORU^R01 (HL7 v2.3 to v2.5.1, chapter 7) or an MDM message with content (chapter 9)."""

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from overread.errors import InvalidReportError, UnsupportedMessageError
from service.hl7.message import Message, Segment
from service.hl7.settings import Hl7Settings
from service.intake.issued import read_offset, read_timestamp
from service.intake.reports import IncomingReport
from service.narrative.form import text_of_document
from service.store.records import ReportStatus

_TEXT_TYPES = frozenset({"TX", "FT", "ST", ""})  # OBX-2: text, formatted text, string
_PATIENT_TYPES = ("MR", "PI", "PT", "")  # CX.5 of the number that images carry too, best first
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
# HL7 table 0123 (OBR-25) and table 0085 (OBX-11). A: formally "some, but not all, results"; in radiology,
# what is added to a final report.
_STATUSES = {
    "P": ReportStatus.PRELIMINARY,
    "R": ReportStatus.PRELIMINARY,
    "S": ReportStatus.PRELIMINARY,
    "F": ReportStatus.FINAL,
    "U": ReportStatus.FINAL,
    "C": ReportStatus.CORRECTED,
    "M": ReportStatus.CORRECTED,
    "A": ReportStatus.ADDENDUM,
}
OWN_SCHEME = "99OVERREAD"  # of the service in OBR-4 of our own results
ORDERS_MAX = 100
"""Of one message; each may be a report, and the whole message is kept with each that is refused."""
_WITHDRAWN = frozenset({"D", "W", "X"})  # OBX-11: deleted, of another patient, cannot be obtained
_NO_RESULTS_YET = frozenset({"I", "O", "S", "N"})  # OBR-25: ordered, scheduled, arrived, done but not read
_CANCELLED = "X"  # OBR-25
# MDM with content (section 9.6): a new document, its addendum, its edited form, its replacement.
_DOCUMENT_EVENTS = {
    "T02": ReportStatus.FINAL,
    "T06": ReportStatus.ADDENDUM,
    "T08": ReportStatus.CORRECTED,
    "T10": ReportStatus.CORRECTED,
}
_AUTHENTICATED = frozenset({"AU", "LA", ""})  # HL7 table 0271 (TXA-17); before that, a document is a draft
_DOCUMENT = "TXA"
# ED.2 (HL7 table 0191), as MIME has it.
_MEDIA = {"application": "application", "ap": "application", "text": "text", "tx": "text"}
# Suffixes of OBX-3 (HL7 v2.3 section 7.1.4): the part of the report that an OBX holds.
_HEADINGS = {"GDT": "FINDINGS", "IMP": "IMPRESSION", "REC": "RECOMMENDATION", "ADT": "ADDENDUM"}
_ADDENDUM_SUFFIX = "ADT"


@dataclass(kw_only=True)
class _Order:
    """One OBR with the OBX that follow it."""

    request: Segment
    observations: list[Segment] = field(default_factory=list)
    study_instance_uid: str | None = None


def read_reports(
    message: Message, content: bytes, settings: Hl7Settings, *, source: str
) -> tuple[IncomingReport, ...]:
    """Return the reports of a message, one per order; none where it only says that results are to come.

    A result that overread itself sent, and that comes back, is none.

    An order without text is read together with the one order that has some: several procedures, one report.

    Args:
        message: the message taken apart.
        content: the message as it came, for quarantine.
        settings: which fields name the accession number, and what the statuses mean here.
        source: who sent it.

    Raises:
        UnsupportedMessageError: it is no ORU^R01 and no MDM with content, for production in HL7 2.x.
        InvalidReportError: it has no order, a report was cancelled, or the document in it cannot be read.
        OutOfResourcesError: the document in it cannot be read now.
    """
    _require_supported(message.header, settings)
    orders = _some_orders(message)
    if all(_is_own_result(order.request) for order in orders):
        return ()
    texts = [_text(order.observations, message.charset) or _embedded(order.observations) for order in orders]
    told = [number for number, text in enumerate(texts) if text]
    if not told:
        _require_nothing_lost(orders)
        return ()
    patient_id = _patient_id(message)
    reports = []
    for number, order in enumerate(orders):
        told_by = number if texts[number] or len(told) > 1 else told[0]
        if texts[told_by]:
            reports.append(
                IncomingReport(
                    content=texts[told_by],
                    status=_document_status(message)
                    or _status(order.request, orders[told_by].observations, settings),
                    accession_number=_accession_number(order.request, settings.accession_fields),
                    study_instance_uid=order.study_instance_uid,
                    patient_id=patient_id,
                    author=order.request.component(32) or None,  # OBR-32 principal result interpreter
                    site=message.header.component(4) or None,
                    issued_at=_issued_at(order.request, message.header),
                    message=content,
                    source=source,
                )
            )
    return tuple(reports)


def _some_orders(message: Message) -> list[_Order]:
    """Return the orders of a message.

    Raises:
        InvalidReportError: it has none, or more than are taken.
    """
    orders = _orders(message)
    if not orders:
        raise InvalidReportError("the message has no OBR segment (HL7 section 7.3.1)")
    if len(orders) > ORDERS_MAX:
        raise InvalidReportError(f"the message has {len(orders)} orders; at most {ORDERS_MAX} are taken")
    return orders


def _is_own_result(request: Segment) -> bool:
    """Whether it is a result of ours that an interface engine sends back: no report of a first reader."""
    return request.component(4, 3) == OWN_SCHEME


def _require_supported(header: Segment, settings: Hl7Settings) -> None:
    """HL7 v2.5.1 section 2.9.2.1: what is rejected before the content is looked at."""
    kind = (header.component(9, 1), header.component(9, 2))
    documents = {("MDM", event) for event in _DOCUMENT_EVENTS}
    if kind not in {("ORU", "R01"), ("ORU", ""), *documents}:
        raise UnsupportedMessageError("MSH-9: only ORU^R01 and MDM^T02, T06, T08 and T10 are taken")
    if not header.component(12).startswith("2."):
        raise UnsupportedMessageError("MSH-12: only HL7 version 2 is taken")
    if header.component(11) not in {*settings.processing_ids, ""}:
        raise UnsupportedMessageError(
            f"MSH-11: only {', '.join(settings.processing_ids)} is taken; see OVERREAD_HL7_PROCESSING_IDS"
        )
    if not header.raw(10):
        raise InvalidReportError("MSH-10: the message has no control id")


def _orders(message: Message) -> list[_Order]:
    orders: list[_Order] = []
    for segment in message.segments:
        # A document without an order before it names its order itself.
        if segment.name == "OBR" or (segment.name == _DOCUMENT and not orders):
            orders.append(_Order(request=segment))
        elif segment.name == "OBX" and orders:
            orders[-1].observations.append(segment)
        elif segment.name == "ZDS":  # IHE RAD TF-2 section 4.4.4.1.2.7
            uid = segment.component(1)
            for order in orders[-1:]:
                order.study_instance_uid = uid if _UID.fullmatch(uid) else None
    return orders


def _require_nothing_lost(orders: Sequence[_Order]) -> None:
    statuses = {order.request.component(25) for order in orders}
    if _CANCELLED in statuses:
        raise InvalidReportError("OBR-25 is X: a report was withdrawn, which a person has to look at")
    if not statuses <= _NO_RESULTS_YET:
        raise InvalidReportError("the message has no OBX segment with text (OBX-2 TX, FT or ST)")


def _text(observations: Sequence[Segment], charset: str) -> str:
    """Return the text of a report: its OBX in order, under headings where they say which part they are."""
    parts: list[tuple[str, list[str]]] = []
    for observation in observations:
        if observation.component(2) not in _TEXT_TYPES or observation.component(11) in _WITHDRAWN:
            continue
        suffix = _suffix(observation)
        if not parts or parts[-1][0] != suffix:
            parts.append((suffix, []))
        parts[-1][1].append(observation.text(5, charset=charset))
    suffixes = {suffix for suffix, _ in parts}
    texts = ("\n".join(lines) for _, lines in parts)
    headed = [
        _headed(suffix, text) if len(suffixes) > 1 else text
        for (suffix, _), text in zip(parts, texts, strict=True)
    ]
    text = "\n".join(headed)
    return text if text.strip() else ""


def _headed(suffix: str, text: str) -> str:
    heading = _HEADINGS.get(suffix)
    if heading is None or re.search(rf"^\s*{heading}S?\b", text, re.IGNORECASE | re.MULTILINE):
        return text
    return f"{heading}:\n{text}"


def _suffix(observation: Segment) -> str:
    """Return which part of the report an OBX holds, such as IMP of `71020&IMP`; empty where none."""
    identifier, _, _ = observation.raw(3).partition(observation.separators.component)
    _, _, suffix = identifier.rpartition(observation.separators.subcomponent)
    return suffix.strip() if suffix.strip() in _HEADINGS else ""


def _status(request: Segment, observations: Sequence[Segment], settings: Hl7Settings) -> ReportStatus:
    """Return how final a report is: OBR-25 says so for the whole, OBX-11 what is special in a part.

    Where nobody says anything the report counts as final.
    """
    meanings = _STATUSES | dict(settings.statuses)
    whole = meanings.get(request.component(25))
    parts = {meanings.get(observation.component(11)) for observation in observations}
    if any(_suffix(observation) == _ADDENDUM_SUFFIX for observation in observations):
        parts.add(ReportStatus.ADDENDUM)
    if whole is ReportStatus.PRELIMINARY:
        return whole
    if whole is None and ReportStatus.PRELIMINARY in parts:
        return ReportStatus.PRELIMINARY
    for status in (ReportStatus.CORRECTED, ReportStatus.ADDENDUM):
        if status in {whole, *parts}:
            return status
    return ReportStatus.FINAL


def _document_status(message: Message) -> ReportStatus | None:
    """Return how final the document of an MDM message is; None of any other message."""
    if message.header.component(9) != "MDM":
        return None
    for document in message.named(_DOCUMENT):
        if document.component(17) not in _AUTHENTICATED:
            return ReportStatus.PRELIMINARY
        return _DOCUMENT_EVENTS.get(message.header.component(9, 2))
    return None


def _embedded(observations: Sequence[Segment]) -> str:
    """Return the text of the first embedded document (OBX-2 ED), such as a PDF; empty where there is none."""
    for observation in observations:
        if observation.component(2) != "ED" or observation.component(11) in _WITHDRAWN:
            continue
        kind, form = observation.component(5, 2).lower(), observation.component(5, 3).lower()
        if observation.component(5, 4).lower() != "base64":
            raise InvalidReportError("OBX-5: the embedded document is not in Base64")
        try:
            content = base64.b64decode(re.sub(r"\s", "", observation.component(5, 5)), validate=True)
        except ValueError:
            raise InvalidReportError("OBX-5: the embedded document is not valid Base64") from None
        return text_of_document(content, f"{_MEDIA.get(kind, kind)}/{form}")
    return ""


def _accession_number(request: Segment, names: Sequence[str]) -> str | None:
    fields = [int(name.removeprefix("OBR-")) for name in names]
    numbers = (request.component(field) for field in ((15, 14) if request.name == _DOCUMENT else fields))
    return next((number for number in numbers if number), None)


def _issued_at(request: Segment, header: Segment) -> datetime | None:
    """Return when a report was made: OBR-22, when its results changed, else MSH-7, when it was sent.

    A time without a zone is in that of MSH-7 (section 2.14.9.7), else in that of this machine.
    """
    sent = header.component(7)
    zone = read_offset(sent)
    changed = request.component(22) if request.name == "OBR" else ""
    return read_timestamp(changed, field="OBR-22", zone=zone) or read_timestamp(
        sent, field="MSH-7", zone=zone
    )


def _patient_id(message: Message) -> str | None:
    """Return the identifier of PID-3 that is the medical record number, else the first, else PID-2."""
    for patient in message.named("PID"):
        by_type = dict(reversed(list(_identifiers(patient))))
        for kind in _PATIENT_TYPES:
            if kind in by_type:
                return by_type[kind]
        return next((number for _, number in _identifiers(patient)), None) or patient.component(2) or None
    return None


def _identifiers(patient: Segment) -> Iterator[tuple[str, str]]:
    """Give type and number of each repetition of PID-3 that has a number, in order."""
    for repetition in range(1, min(patient.repetitions(3), 100) + 1):
        if number := patient.component(3, 1, repetition=repetition):
            yield patient.component(3, 5, repetition=repetition), number
