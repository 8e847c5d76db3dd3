import base64
import hashlib
from datetime import UTC
from typing import Any

import pytest

from overread.errors import InvalidReportError, UnsupportedMessageError
from service.fhir.report import read_reports, read_submission
from service.fhir.resources import MalformedResourceError
from service.intake.reports import IncomingReport
from service.store.records import ReportStatus
from tests.service.fhir.documents import (
    BASE,
    TEXT,
    Json,
    attachment,
    body,
    bundle,
    dicom_uid,
    identifier,
    order,
    patient,
    report,
    study,
    whole_bundle,
)
from tests.service.narrative.pdfs import pdf_of


def read(document: Json) -> tuple[IncomingReport, ...]:
    return read_reports(body(document), source="FHIR test")


def only(document: Json) -> IncomingReport:
    (found,) = read(document)
    return found


def text_of(**changed: Any) -> str:
    return str(only(report(**changed)).content)


def names(document: Json) -> list[tuple[str | None, str | None]]:
    return [(found.accession_number, found.study_instance_uid) for found in read(document)]


@pytest.mark.parametrize("kind", ["transaction", "batch", "collection", "message", "document", "searchset"])
def test_a_bundle_names_text_study_order_and_patient(kind: str) -> None:
    found = only(whole_bundle(kind))

    assert found.content == TEXT
    assert (found.accession_number, found.study_instance_uid, found.patient_id) == ("A1", "2.25.1", "P1")
    assert found.status is ReportStatus.FINAL
    assert found.message == body(whole_bundle(kind))


def test_a_report_of_r5_names_its_study_by_another_element() -> None:
    sent = report(identifier=None, study=[{"reference": "#s"}], contained=[study("2.25.7", "s")])

    assert names(sent) == [(None, "2.25.7")]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("registered", ReportStatus.PRELIMINARY),
        ("partial", ReportStatus.PRELIMINARY),
        ("preliminary", ReportStatus.PRELIMINARY),
        ("modified", ReportStatus.PRELIMINARY),
        ("final", ReportStatus.FINAL),
        ("amended", ReportStatus.CORRECTED),
        ("corrected", ReportStatus.CORRECTED),
        ("appended", ReportStatus.ADDENDUM),
    ],
)
def test_the_status_says_how_final_a_report_is(status: str, expected: ReportStatus) -> None:
    assert only(report(status=status)).status is expected


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("cancelled", "withdrawn"),
        ("entered-in-error", "withdrawn"),
        ("unknown", "how final"),
        ("x", "how final"),
    ],
)
def test_a_report_that_is_withdrawn_or_says_nothing_of_itself_is_for_a_person(
    status: str, reason: str
) -> None:
    with pytest.raises(InvalidReportError, match=reason):
        read(report(status=status))


def test_a_registered_report_without_text_brings_nothing_yet() -> None:
    assert read(report(status="registered", presentedForm=None)) == ()


@pytest.mark.parametrize("status", ["preliminary", "final"])
def test_any_other_report_without_text_is_passed_on_and_refused_as_empty(status: str) -> None:
    assert only(report(status=status, presentedForm=None)).content == ""


# --- which study


def test_the_number_of_the_report_itself_comes_before_that_of_its_order() -> None:
    sent = report(basedOn=[{"reference": "ServiceRequest/o1"}], identifier=[identifier("A9", "ACSN")])

    assert names(bundle(order("A1"), sent)) == [("A9", None)]


def test_a_number_of_another_type_or_of_another_table_is_no_accession_number() -> None:
    foreign = identifier("A1", "ACSN")
    foreign["type"]["coding"][0]["system"] = "http://example.org/codes"
    for other in (identifier("F1", "MR"), identifier("X1"), foreign):
        assert names(report(identifier=[other])) == [(None, None)]


def test_without_an_accession_number_the_number_of_the_order_does() -> None:
    filler, placer = identifier("F1", "FILL"), identifier("P1", "PLAC")
    based = {"basedOn": [{"reference": "ServiceRequest/o1"}]}

    assert names(report(identifier=[placer, filler])) == [("F1", None)]
    assert names(report(identifier=[placer])) == [("P1", None)]
    assert names(bundle(order("A1"), report(identifier=[filler], **based))) == [("A1", None)]


def test_one_report_of_several_orders_is_a_report_of_each() -> None:
    sent = report(
        identifier=None, basedOn=[{"reference": "ServiceRequest/o1"}, {"reference": "ServiceRequest/o2"}]
    )

    assert names(bundle(order("A1"), order("A2", "o2"), sent)) == [("A1", None), ("A2", None)]


def test_one_report_of_several_studies_is_a_report_of_each_under_its_own_number() -> None:
    sent = report(
        identifier=None,
        basedOn=[{"reference": "ServiceRequest/o1"}],
        imagingStudy=[{"reference": "ImagingStudy/s1"}, {"reference": "ImagingStudy/s2"}],
    )
    second = study("2.25.2", "s2", basedOn=[{"reference": "ServiceRequest/o2"}])

    found = names(bundle(order("A1"), order("A2", "o2"), study(), second, sent))

    # To which of the two the order A1 belongs, nobody has said for the first.
    assert found == [(None, "2.25.1"), ("A2", "2.25.2")]


def test_a_study_may_be_named_by_its_identifier_alone() -> None:
    sent = report(identifier=None, imagingStudy=[{"identifier": dicom_uid("2.25.3")}])

    assert names(sent) == [(None, "2.25.3")]


def test_an_order_may_be_named_by_its_identifier_alone() -> None:
    sent = report(identifier=None, basedOn=[{"identifier": identifier("A5", "ACSN")}])

    assert names(sent) == [("A5", None)]


def test_a_uid_under_another_system_is_no_study() -> None:
    sent = report(identifier=None, imagingStudy=[{"identifier": identifier("urn:oid:2.25.3")}])

    assert names(sent) == [(None, None)]


def test_a_study_that_did_not_come_along_is_no_matter_where_the_order_is_known() -> None:
    sent = report(imagingStudy=[{"reference": "ImagingStudy/elsewhere"}])

    assert names(sent) == [("A1", None)]


def test_a_report_of_far_too_many_studies_is_refused() -> None:
    sent = report(imagingStudy=[{"identifier": dicom_uid(f"2.25.{number}")} for number in range(17)])

    with pytest.raises(InvalidReportError, match="more than 16"):
        read(sent)


# --- references


def test_a_reference_leads_to_the_server_that_its_source_is_of() -> None:
    document = whole_bundle("collection")
    other = study("2.25.666")
    document["entry"].insert(0, {"fullUrl": "http://pacs.example.org/ImagingStudy/s1", "resource": other})

    assert names(document) == [("A1", "2.25.1")]


def test_a_reference_that_may_mean_two_resources_leads_nowhere() -> None:
    document = whole_bundle("collection")
    for entry in document["entry"]:
        entry["fullUrl"] = f"urn:uuid:{entry['resource']['id']}"
    document["entry"].append({"fullUrl": "urn:uuid:other", "resource": order("A2", "o1")})
    document["entry"][3]["resource"]["imagingStudy"] = []

    assert names(document) == [(None, None)]


@pytest.mark.parametrize(
    "reference",
    [f"{BASE}/ServiceRequest/o1", "ServiceRequest/o1/_history/3", f"{BASE}/ServiceRequest/o1/_history/3"],
)
def test_a_reference_may_be_absolute_or_of_one_version(reference: str) -> None:
    sent = report(identifier=None, basedOn=[{"reference": reference}])

    assert names(bundle(order(), sent)) == [("A1", None)]


def test_a_reference_within_a_transaction_may_be_a_uuid() -> None:
    sent = report(identifier=None, basedOn=[{"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"}])
    document = bundle(order(), sent, kind="transaction")
    document["entry"][0]["fullUrl"] = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"

    assert names(document) == [("A1", None)]


def test_a_reference_in_a_circle_ends() -> None:
    looping = study(basedOn=[{"reference": "#s1"}])

    assert names(report(imagingStudy=[{"reference": "#s1"}], contained=[looping])) == [("A1", "2.25.1")]


# --- patient


@pytest.mark.parametrize(
    ("identifiers", "expected"),
    [
        ([identifier("S1", "SS"), identifier("I1", "PI"), identifier("M1", "MR")], "M1"),
        ([identifier("X1"), identifier("T1", "PT"), identifier("I1", "PI")], "I1"),
        ([identifier("S1", "SS"), identifier("X1")], "X1"),
        ([identifier("S1", "SS")], None),
        ([], None),
    ],
)
def test_the_patient_is_named_by_the_number_that_images_carry(
    identifiers: list[Json], expected: str | None
) -> None:
    sent = report(subject={"reference": "#p1"}, contained=[patient(identifier=identifiers)])

    assert only(sent).patient_id == expected


# --- text


def test_of_several_forms_the_one_that_loses_least_is_read() -> None:
    forms = [
        attachment(pdf_of("From the PDF"), "application/pdf"),
        attachment("<p>From the <b>page</b></p>", "text/html"),
        attachment("Nur deutsch", "text/plain", language="de-CH"),
        attachment("From the text", "TEXT/PLAIN; charset=ascii"),
    ]

    assert text_of(presentedForm=forms) == "From the text"
    assert text_of(presentedForm=forms[:3]) == "From the page"
    assert text_of(presentedForm=forms[:1]).strip() == "From the PDF"
    assert text_of(presentedForm=forms[2:3]) == "Nur deutsch"


def test_text_is_read_in_the_charset_that_it_names() -> None:
    form = attachment("Ödem".encode("latin-1"), "text/plain; charset=iso-8859-1")

    assert text_of(presentedForm=[form]) == "Ödem"


@pytest.mark.parametrize("url", ["Binary/b1", "DocumentReference/d1"])
def test_a_form_may_stand_in_another_resource_of_the_bundle(url: str) -> None:
    binary = {"resourceType": "Binary", "id": "b1", **attachment("From afar")}
    document = {
        "resourceType": "DocumentReference",
        "id": "d1",
        "status": "current",
        "content": [{"attachment": {"url": "Binary/b1"}}],
    }
    sent = report(presentedForm=[{"contentType": "text/plain", "url": url}])

    assert only(bundle(binary, document, sent)).content == "From afar"


def test_what_a_report_presents_counts_even_where_it_cannot_be_read() -> None:
    for form, reason in (
        ({"contentType": "application/pdf", "url": "http://elsewhere.example.org/1"}, "did not come with it"),
        (attachment(b"{\\rtf1}", "application/rtf"), r"cannot be read \(application/rtf\)"),
        (attachment(b"\xff", "text/plain"), "cannot be decoded"),
        (attachment() | {"data": "%%%"}, "not base64"),
        (attachment(pdf_of(), "application/pdf"), "holds no text"),
        ({}, "did not come with it"),
    ):
        with pytest.raises(InvalidReportError, match=reason):
            read(report(presentedForm=[form], conclusion="Normal."))


def test_a_document_must_have_the_hash_that_it_says() -> None:
    right = base64.b64encode(hashlib.sha1(TEXT.encode()).digest()).decode()
    wrong = base64.b64encode(bytes(20)).decode()

    assert text_of(presentedForm=[attachment(hash=right)]) == TEXT
    with pytest.raises(InvalidReportError, match="another hash"):
        read(report(presentedForm=[attachment(hash=wrong)]))


def test_without_a_form_results_and_conclusion_are_the_report() -> None:
    def observation(name: str, value: str, status: str = "final") -> Json:
        code = {"text": "Findings"}
        return {
            "resourceType": "Observation",
            "id": name,
            "status": status,
            "code": code,
            "valueString": value,
        }

    sent = report(
        presentedForm=None,
        result=[{"reference": f"#{name}"} for name in ("f1", "f2", "f3", "f4")],
        contained=[
            observation("f1", "FINDINGS: No mass."),
            observation("f2", "No effusion."),
            observation("f3", "A mass.", "entered-in-error"),
        ],
        conclusion="Normal.",
    )

    assert only(sent).content == "FINDINGS: No mass.\nNo effusion.\nIMPRESSION:\nNormal."


def test_a_conclusion_that_has_its_heading_gets_no_other() -> None:
    assert text_of(presentedForm=None, conclusion="Impression: Normal.") == "Impression: Normal."


def test_the_narrative_counts_where_there_is_nothing_else() -> None:
    div = '<div xmlns="http://www.w3.org/1999/xhtml"><p>No mass &lt; 5&#160;mm.</p><p>Normal.</p></div>'

    assert (
        text_of(presentedForm=None, text={"status": "generated", "div": div}) == "No mass < 5 mm.\n\nNormal."
    )
    assert text_of(text={"status": "generated", "div": div}) == TEXT


# --- what is no report


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"<a/>", b'{"resourceType": "Patient"}', b"[" * 100_000]
)
def test_what_is_no_report_at_all_is_not_supported(content: bytes) -> None:
    with pytest.raises(UnsupportedMessageError):
        read_submission(content, source="FHIR test")


def test_what_has_not_the_shape_of_its_resource_is_told_where() -> None:
    document = whole_bundle()
    document["entry"][0]["resource"]["identifier"] = "P1"

    with pytest.raises(
        MalformedResourceError, match=r"Bundle\.entry\[0\]\.resource\.identifier: .*array"
    ) as caught:
        read(document)
    assert "P1" not in str(caught.value)


def test_a_document_of_far_too_many_values_is_refused_before_it_is_read() -> None:
    with pytest.raises(MalformedResourceError, match="more than 200000 values"):
        read(report(extension=[0] * 200_001))


def test_a_bundle_of_far_too_many_reports_is_refused() -> None:
    with pytest.raises(InvalidReportError, match="more than 64 reports"):
        read(bundle(*(report(id=f"r{number}") for number in range(65))))


def test_a_bundle_without_a_report_is_refused() -> None:
    with pytest.raises(InvalidReportError, match="no DiagnosticReport"):
        read(bundle(patient(), study()))


@pytest.mark.parametrize("method", ["DELETE", "GET", "PATCH"])
def test_a_bundle_that_asks_for_something_else_than_to_store_is_refused(method: str) -> None:
    document = whole_bundle()
    document["entry"][0]["request"]["method"] = method

    with pytest.raises(InvalidReportError, match="reads or deletes"):
        read(document)


def test_the_reports_of_a_bundle_are_read_each_by_itself() -> None:
    submission = read_submission(body(bundle(report(status="cancelled"), report())), source="FHIR test")

    assert [bool(found.reports) for found in submission.read] == [False, True]
    assert [found.place for found in submission.read] == [
        "Bundle.entry[0].resource",
        "Bundle.entry[1].resource",
    ]
    assert submission.error is submission.read[0].error


@pytest.mark.parametrize(
    ("elements", "hour"),
    [
        ({"issued": "2026-03-01T12:00:00+01:00"}, 11),
        ({"issued": "2026-03-01T12:00:00.123Z", "meta": {"lastUpdated": "2026-03-02T12:00:00Z"}}, 12),
        ({"meta": {"lastUpdated": "2026-03-01T12:00:00Z", "versionId": "2"}}, 12),
        ({"issued": "2026-03-01", "meta": {"lastUpdated": "2026-03-01T12:00:00Z"}}, 12),
        ({"issued": {"a": 1}, "meta": {"lastUpdated": 7}}, None),
        ({"meta": "x"}, None),
        ({}, None),
    ],
)
def test_a_report_was_made_when_it_was_issued_else_last_updated(elements: Json, hour: int | None) -> None:
    issued = only(report(**elements)).issued_at

    assert (issued and issued.astimezone(UTC).hour) == hour


ORGANIZATION = {"resourceType": "Organization", "id": "north", "name": "North Hospital"}


@pytest.mark.parametrize(
    ("performers", "contained", "site"),
    [
        ([{"reference": "#north"}], [ORGANIZATION], "North Hospital"),
        ([{"reference": "Practitioner/7"}, {"reference": "#north"}], [ORGANIZATION], "North Hospital"),
        ([{"reference": "Organization/9", "display": "South Clinic"}], [], "South Clinic"),
        ([{"type": "Organization", "display": "South Clinic"}], [], "South Clinic"),
        ([{"reference": "Practitioner/7", "display": "Dr. House"}], [], None),
        ([{"reference": "Organization/9"}], [], None),
        ([{"reference": "#north"}], [{"resourceType": "Organization", "id": "north"}], None),
        ([], [], None),
    ],
)
def test_the_site_is_the_organization_that_performed_it(performers, contained, site) -> None:
    assert only(report(performer=performers, contained=contained)).site == site


def test_an_organization_in_the_bundle_names_the_site() -> None:
    sent = report(performer=[{"reference": "Organization/north"}])

    assert only(bundle(ORGANIZATION, sent)).site == "North Hospital"
