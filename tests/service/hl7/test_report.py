import base64
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from overread.errors import InvalidReportError, UnsupportedMessageError
from service.hl7.message import read_message
from service.hl7.report import ORDERS_MAX, read_reports
from service.hl7.settings import Hl7Settings
from service.store.records import ReportStatus
from tests.service.hl7.messages import oru, segments
from tests.service.material import machine_in
from tests.service.narrative.pdfs import pdf_of

SETTINGS = Hl7Settings()
HEAD = oru().split("OBR")[0].rstrip("\r")


def time(hour: int) -> datetime:
    """That hour of the day of the messages, in UTC, which is the zone of these tests."""
    return datetime(2026, 3, 1, hour, tzinfo=UTC)


@pytest.fixture(autouse=True, scope="module")
def in_utc() -> Iterator[None]:
    """The machine stands in UTC."""
    with machine_in("UTC"):
        yield


def reports(text: str, **settings: object):
    content = text.encode()
    message = read_message(content, default_charset="utf-8")
    return read_reports(message, content, SETTINGS.model_copy(update=settings), source="test")  # type: ignore[arg-type]


def order(number: int = 1, *, accession: str = "A1", status: str = "F") -> str:
    return f"OBR|{number}|PLACER{number}|FILLER{number}|71020||||||||||||||{accession}|||||||{status}"


def line(text: str, *, status: str = "F", kind: str = "TX", code: str = "71020") -> str:
    return f"OBX|1|{kind}|{code}||{text}||||||{status}"


def test_a_report_says_whose_it_is_and_what_it_says() -> None:
    (report,) = reports(oru("FINDINGS: no mass.", "", "IMPRESSION: normal."))

    assert report.content == "FINDINGS: no mass.\n\nIMPRESSION: normal."
    assert (report.accession_number, report.patient_id, report.status) == ("A1", "P1", ReportStatus.FINAL)
    assert report.message == oru("FINDINGS: no mass.", "", "IMPRESSION: normal.").encode()


@pytest.mark.parametrize(
    ("fields", "number"),
    [
        (("OBR-18", "OBR-3", "OBR-2"), "A1"),
        (("OBR-3", "OBR-18"), "FILLER1"),
        (("OBR-20", "OBR-2"), "PLACER1"),
        (("OBR-20",), None),
    ],
)
def test_a_site_chooses_where_the_accession_number_stands(fields, number) -> None:
    (report,) = reports(segments(HEAD, order(), line("x")), accession_fields=fields)

    assert report.accession_number == number


def test_a_field_that_is_not_valued_gives_way_to_the_next() -> None:
    for empty in ("", '""', "^X"):
        (report,) = reports(segments(HEAD, order(accession=empty), line("x")))
        assert report.accession_number == "FILLER1"


@pytest.mark.parametrize(
    ("patient", "number"),
    [
        ("7^^^H^VN~8^^^H^MR~9^^^H^PI", "8"),
        ("7^^^H^VN~9^^^H^PI", "9"),
        ("7^^^H^VN", "7"),
        ("7", "7"),
        ("", "OLD"),
    ],
)
def test_the_patient_is_the_one_of_the_medical_record_number(patient, number) -> None:
    text = segments(HEAD.split("PID")[0].rstrip("\r"), f"PID|1|OLD|{patient}", order(), line("x"))

    assert reports(text)[0].patient_id == number


@pytest.mark.parametrize(
    ("whole", "parts", "status"),
    [
        # OBR-25, OBX-11 of each line
        ("P", "F", ReportStatus.PRELIMINARY),
        ("R", "R", ReportStatus.PRELIMINARY),
        ("F", "F", ReportStatus.FINAL),
        ("F", "P", ReportStatus.FINAL),
        ("C", "F", ReportStatus.CORRECTED),
        ("F", "FC", ReportStatus.CORRECTED),
        ("A", "F", ReportStatus.ADDENDUM),
        ("F", "FA", ReportStatus.ADDENDUM),
        ("", "P", ReportStatus.PRELIMINARY),
        ("", "F", ReportStatus.FINAL),
        ("", "C", ReportStatus.CORRECTED),
        ("", " ", ReportStatus.FINAL),
        ("Z", "F", ReportStatus.FINAL),
    ],
)
def test_how_final_a_report_is(whole, parts, status) -> None:
    lines = [line("x", status=part.strip()) for part in parts]

    assert reports(segments(HEAD, order(status=whole), *lines))[0].status is status


def test_a_site_may_mean_something_else_by_a_status() -> None:
    text = segments(HEAD, order(status="A"), line("x"))

    (report,) = reports(text, statuses={"A": ReportStatus.PRELIMINARY})
    assert report.status is ReportStatus.PRELIMINARY


def test_the_parts_of_a_report_stand_under_their_headings_unless_they_have_them() -> None:
    text = segments(
        HEAD,
        order(),
        line("No mass.", code="71020&GDT"),
        line("Lungs clear.", code="71020&GDT"),
        line("Impression: normal.", code="71020&IMP"),
    )
    assert reports(text)[0].content == "FINDINGS:\nNo mass.\nLungs clear.\nImpression: normal."

    (alone,) = reports(segments(HEAD, order(), line("No mass.", code="71020&GDT")))
    assert alone.content == "No mass."


def test_an_addendum_is_known_by_its_suffix_too() -> None:
    text = segments(HEAD, order(), line("No mass."), line("A mass after all.", code="71020&ADT"))

    (report,) = reports(text)
    assert report.status is ReportStatus.ADDENDUM
    assert report.content == "No mass.\nADDENDUM:\nA mass after all."


def test_only_text_that_was_not_withdrawn_is_the_report() -> None:
    text = segments(
        HEAD,
        order(),
        line("No mass."),
        line("12", kind="NM"),
        line("^PDF^Base64^AAAA", kind="ED"),
        line("A mass.", status="W"),
        line("Another.", status="D"),
        line("Normal.", kind="FT"),
    )

    assert reports(text)[0].content == "No mass.\nNormal."


def test_several_reports_in_one_message_are_several() -> None:
    text = segments(HEAD, order(1, accession="A1"), line("one"), order(2, accession="A2"), line("two"))

    assert [(report.accession_number, report.content) for report in reports(text)] == [
        ("A1", "one"),
        ("A2", "two"),
    ]


def test_procedures_that_are_read_together_share_the_one_report() -> None:
    text = segments(HEAD, order(1, accession="A1"), order(2, accession="A2"), line("both"))

    assert [(report.accession_number, report.content) for report in reports(text)] == [
        ("A1", "both"),
        ("A2", "both"),
    ]


def test_a_study_uid_is_taken_where_a_sender_gives_one() -> None:
    given = segments(HEAD, order(), "ZDS|1.2.840.1^RIS^Application^DICOM", line("x"))
    broken = segments(HEAD, order(), "ZDS|none^RIS", line("x"))

    assert reports(given)[0].study_instance_uid == "1.2.840.1"
    assert reports(broken)[0].study_instance_uid is None


@pytest.mark.parametrize("status", ["O", "S", "I", "N"])
def test_a_message_that_results_are_to_come_brings_no_report(status) -> None:
    assert reports(segments(HEAD, order(status=status))) == ()


@pytest.mark.parametrize("status", ["X", "F", "", "C"])
def test_a_message_without_text_that_should_have_some_is_refused(status) -> None:
    with pytest.raises(InvalidReportError):
        reports(segments(HEAD, order(status=status), line("12", kind="NM")))


@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        ("ORU^R01", "ADT^A01", UnsupportedMessageError),
        ("ORU^R01", "", UnsupportedMessageError),
        ("2.5.1", "3.0", UnsupportedMessageError),
        ("|P|2.5.1", "|T|2.5.1", UnsupportedMessageError),
        ("|M1|", "||", InvalidReportError),
        ("OBR|", "ORC|", InvalidReportError),
    ],
)
def test_what_is_not_a_report_for_us_is_refused(before, after, error) -> None:
    assert before in oru()
    with pytest.raises(error):
        reports(oru().replace(before, after))


@pytest.mark.parametrize("version", ["2.3", "2.3.1", "2.4", "2.5", "2.5.1"])
def test_every_version_in_use_is_taken(version) -> None:
    assert reports(oru(version=version))[0].content == "No mass is seen."


def test_the_test_messages_of_a_site_are_taken_where_it_says_so() -> None:
    assert reports(oru().replace("|P|", "|T|"), processing_ids=("P", "T"))


# --- messages that bring a document


def document(event: str = "T02", *, status: str = "AU", orders: str = "", text: str = "No mass.") -> str:
    """A message that brings a document (HL7 section 9.6)."""
    described = f"TXA|1|RAD|TX|20260301||||||||DOC1||PLACER7|FILLER7||{status}"
    head = HEAD.replace("ORU^R01", f"MDM^{event}")
    return segments(head, *([orders] if orders else []), described, line(text, status=""))


@pytest.mark.parametrize(
    ("event", "status", "expected"),
    [
        ("T02", "AU", ReportStatus.FINAL),
        ("T02", "LA", ReportStatus.FINAL),
        ("T02", "", ReportStatus.FINAL),
        ("T02", "DI", ReportStatus.PRELIMINARY),
        ("T02", "PA", ReportStatus.PRELIMINARY),
        ("T06", "AU", ReportStatus.ADDENDUM),
        ("T06", "DO", ReportStatus.PRELIMINARY),
        ("T08", "AU", ReportStatus.CORRECTED),
        ("T10", "AU", ReportStatus.CORRECTED),
    ],
)
def test_a_document_says_what_it_is_by_its_event_and_how_final_by_its_status(event, status, expected) -> None:
    (report,) = reports(document(event, status=status))

    assert (report.content, report.status) == ("No mass.", expected)


def test_a_document_is_of_the_order_before_it_else_of_the_one_that_it_names() -> None:
    (alone,) = reports(document())
    (ordered,) = reports(document(orders=order()))
    several = reports(document(orders=segments(order(), order(2, accession="A2")).rstrip()))

    assert alone.accession_number == "FILLER7"
    assert ordered.accession_number == "A1"
    assert [report.accession_number for report in several] == ["A1", "A2"]


@pytest.mark.parametrize("event", ["T01", "T04", "T11"])
def test_a_document_message_without_content_is_not_taken(event) -> None:
    with pytest.raises(UnsupportedMessageError, match="MDM"):
        reports(document(event))


def test_a_message_of_more_orders_than_a_visit_has_is_refused() -> None:
    def message(number: int) -> str:
        return segments(HEAD, *(segments(order(), line("No mass.")).rstrip("\r") for _ in range(number)))

    assert len(reports(message(ORDERS_MAX))) == ORDERS_MAX
    with pytest.raises(InvalidReportError, match="101 orders; at most 100"):
        reports(message(ORDERS_MAX + 1))


# --- embedded documents


def embedded(kind: str, content: bytes, *, encoding: str = "Base64") -> str:
    data = f"RIS^{kind}^{encoding}^{base64.b64encode(content).decode()}"
    return segments(HEAD, order(), line(data, kind="ED"))


def test_an_embedded_document_is_the_report_where_there_is_no_text() -> None:
    (pdf,) = reports(embedded("application^pdf", pdf_of("There is a mass.")))
    (page,) = reports(embedded("TEXT^HTML", b"<p>No mass.</p>"))
    (both,) = reports(embedded("AP^PDF", b"unread") + segments(line("No mass.")))

    assert pdf.content.strip() == "There is a mass."
    assert (page.content, both.content) == ("No mass.", "No mass.")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (embedded("application^pdf", pdf_of()), "no text"),
        (embedded("application^pdf", b"x", encoding="Hex"), "not in Base64"),
        (embedded("application^pdf", b"x").replace("Base64^", "Base64^?"), "not valid Base64"),
        (embedded("application^msword", b"x"), "cannot be read"),
    ],
)
def test_an_embedded_document_that_cannot_be_read_is_refused_with_the_reason(text, reason) -> None:
    with pytest.raises(InvalidReportError, match=reason):
        reports(text)


@pytest.mark.parametrize(
    ("sent", "changed", "expected"),
    [
        ("20260301120000", "20260301110000", time(11)),
        ("20260301120000+0200", "20260301110000", time(9)),  # the zone of MSH-7 is that of the message
        ("20260301120000+0200", "202603011100-0100", time(12)),
        ("20260301120000+0200", "", time(10)),
        ("20260301120000", "20260301", time(12)),  # a day is no time
        ("20260301120000", "yesterday", time(12)),
        ("", "", None),
        ("2026", "2026", None),
    ],
)
def test_a_report_was_made_when_its_results_changed_else_when_it_was_sent(sent, changed, expected) -> None:
    header = HEAD.replace("|20260301120000|", f"|{sent}|")
    request = f"OBR|1|P1|F1|71020||||||||||||||A1||||{changed}|||F"

    (report,) = reports(segments(header, request, line("x")))

    assert report.issued_at == expected


def test_a_document_without_an_order_was_made_when_it_was_sent() -> None:
    header = HEAD.replace("ORU^R01", "MDM^T02").replace("20260301120000", "20260301120000+0000")
    document = f"TXA|1|DI|TX|20260301080000|||||||||||A1||AU{'|' * 5}20260301090000"

    (report,) = reports(segments(header, document, line("x")))

    assert report.issued_at == time(12)
