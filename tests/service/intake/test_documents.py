"""Reports that arrive as DICOM objects: before, with and after their images, once and again."""

import random
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from overread.case import CaseState
from overread.errors import ContradictionError, InputError, InvalidReportError, NotFoundError
from service.intake.closing import close_quiet_studies, close_study
from service.intake.documents import read_document
from service.intake.header import read_header
from service.intake.instances import Replay, begin_instance, receive_instance
from service.intake.receipt import ReceiptOutcome
from service.settings import load_settings
from service.store.database import Store
from service.store.quarantine import list_quarantine
from service.store.queue import claim_case
from service.store.records import QuarantineKind, ReportStatus
from service.store.worklist import load_case, load_instance
from tests.service.faults.mutate import mutated
from tests.service.intake.narratives import (
    DOSE_REPORT,
    ENCAPSULATED_CDA,
    FINDINGS,
    IMPRESSION,
    KEY_OBJECTS,
    MASS,
    RADIOLOGY_REPORT,
    code_item,
    document_bytes,
    pdf_object_bytes,
    reference,
    said,
    section,
    sr_bytes,
)
from tests.service.material import (
    NOW,
    STUDY,
    after,
    dicom_bytes,
    machine_in,
    ready_case,
    send_image,
    send_report,
    triage_one,
    triaged_case,
)
from tests.service.narrative.pdfs import pdf_of

TEXT = f"FINDINGS:\n{MASS}"


def versions(store: Store, case_id: int = 1) -> list[tuple[str, ReportStatus]]:
    return [(report.text, report.status) for report in load_case(store, case_id).reports]


def state(store: Store, case_id: int = 1) -> CaseState:
    return load_case(store, case_id).summary.state


def quiet(store: Store, seconds: float = 1000) -> int:
    return close_quiet_studies(store, now=after(seconds))


# --- before, with and after the images


def test_a_report_object_before_its_images_waits_for_them(store) -> None:
    receipt = send_image(store, sr_bytes())

    assert [report.case_id for report in receipt.reports] == [1]
    assert quiet(store) == 0
    assert state(store) is CaseState.AWAITING_IMAGES
    send_image(store, dicom_bytes(), now=after(2000))
    assert quiet(store, 3000) == 1
    assert state(store) is CaseState.READY
    assert versions(store) == [(TEXT, ReportStatus.FINAL)]
    study = load_case(store, 1).study
    assert (study.modality, study.body_part) == ("DX", "CHEST")


def test_a_report_object_among_its_images_neither_keeps_the_study_open_nor_ends_it(store) -> None:
    send_image(store, dicom_bytes())
    send_image(store, sr_bytes(), now=after(900))

    assert quiet(store, 29) == 0
    assert quiet(store, 31) == 1
    assert state(store) is CaseState.READY
    assert load_instance(store, f"{STUDY}.9.1").path.read_bytes() == sr_bytes()


def test_a_report_object_after_its_images_completes_the_case(store) -> None:
    send_image(store, dicom_bytes())
    close_study(store, STUDY, now=NOW)
    assert state(store) is CaseState.AWAITING_REPORT

    send_image(store, sr_bytes(), now=after(60))

    assert state(store) is CaseState.READY
    assert load_case(store, 1).study.closed_at == NOW


def test_the_second_sending_of_a_report_object_changes_nothing(store) -> None:
    triaged_case(store)
    send_image(store, sr_bytes(), now=after(10))
    revision = load_case(store, 1).summary.revision

    again = send_image(store, sr_bytes(), now=after(20))

    assert again.outcome is ReceiptOutcome.ALREADY_STORED
    assert [report.outcome for report in again.reports] == [ReceiptOutcome.ALREADY_STORED]
    assert load_case(store, 1).summary.revision == revision
    assert len(versions(store)) == 2


def test_a_report_object_of_a_triaged_case_with_news_sends_it_to_triage_once_more(store) -> None:
    triaged_case(store)

    send_image(store, sr_bytes(), now=after(10))

    assert (state(store), load_case(store, 1).summary.revision) == (CaseState.READY, 2)
    claimed = claim_case(store, worker="w", now=after(11))
    assert claimed.report_text == TEXT
    assert quiet(store) == 0
    triage_one(store, claimed, clock=lambda: after(12))
    assert state(store) is CaseState.CONCORDANT


def test_a_report_whose_receiver_died_before_the_object_was_recorded_is_stored_once(store) -> None:
    send_report(store, TEXT, study=STUDY)  # what the receiver did until it was killed

    receipt = send_image(store, sr_bytes())

    assert receipt.outcome is ReceiptOutcome.STORED
    assert [report.outcome for report in receipt.reports] == [ReceiptOutcome.ALREADY_STORED]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(sr_bytes(title=DOSE_REPORT), id="dose report"),
        pytest.param(sr_bytes(title=FINDINGS, sop_class=KEY_OBJECTS), id="key objects"),
        pytest.param(pdf_object_bytes(b"%PDF", DocumentTitle="Consent"), id="consent form"),
        pytest.param(pdf_object_bytes(b"%PDF", DocumentTitle=None), id="untitled"),
    ],
)
def test_a_document_that_is_no_report_opens_nothing_again(store, content: bytes) -> None:
    triaged_case(store)

    receipt = send_image(store, content, now=after(10))

    assert receipt.reports == ()
    assert quiet(store) == 0
    assert (state(store), load_case(store, 1).summary.revision) == (CaseState.LISTED, 1)
    assert list_quarantine(store) == ()


def test_a_study_of_which_only_a_document_came_has_no_images_to_close(store) -> None:
    send_image(store, sr_bytes(title=DOSE_REPORT))

    with pytest.raises(NotFoundError, match="no image of study"):
        close_study(store, STUDY, now=NOW)


def test_an_image_may_name_another_accession_number_than_a_document_before_it(store) -> None:
    send_image(store, sr_bytes(AccessionNumber="report 7"))

    assert send_image(store, dicom_bytes()).outcome is ReceiptOutcome.STORED


# --- which study


def test_the_studies_of_the_evidence_are_those_reported_on(store) -> None:
    content = sr_bytes(
        StudyInstanceUID="2.25.77",
        SOPInstanceUID="2.25.77.1",
        AccessionNumber=None,
        CurrentRequestedProcedureEvidenceSequence=[
            reference("2.25.1"),
            reference("2.25.2"),
            reference("2.25.2"),
        ],
        PertinentOtherEvidenceSequence=[reference("2.25.3")],
        ReferencedRequestSequence=[
            reference("2.25.1", "A1"),
            reference("2.25.2", "A2"),
            reference("2.25.9", "A9"),
        ],
    )

    receipt = send_image(store, content)

    cases = [load_case(store, report.case_id).summary for report in receipt.reports]
    assert [(case.study_instance_uid, case.accession_number) for case in cases] == [
        ("2.25.1", "A1"),
        ("2.25.2", "A2"),
    ]


def test_without_evidence_the_requests_say_which_study_it_is(store) -> None:
    content = sr_bytes(
        StudyInstanceUID="2.25.77",
        AccessionNumber=None,
        ReferencedRequestSequence=[reference("2.25.1", "A1")],
    )

    (receipt,) = send_image(store, content).reports

    summary = load_case(store, receipt.case_id).summary
    assert (summary.study_instance_uid, summary.accession_number) == ("2.25.1", "A1")


def test_a_report_object_for_another_patient_than_its_evidence_goes_to_quarantine_as_text(store) -> None:
    ready_case(store, 1)
    content = sr_bytes(
        StudyInstanceUID="2.25.77",
        PatientID="P2",
        CurrentRequestedProcedureEvidenceSequence=[reference("2.25.1")],
    )

    receipt = send_image(store, content)

    assert (receipt.outcome, receipt.reports) == (ReceiptOutcome.STORED, ())
    (entry,) = list_quarantine(store)
    assert (entry.kind, entry.reason) == (QuarantineKind.REPORT, ContradictionError.reason)
    assert entry.path.read_text() == TEXT
    assert len(versions(store)) == 1


# --- how final


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, ReportStatus.FINAL),
        ({"CompletionFlag": "PARTIAL"}, ReportStatus.PRELIMINARY),
        ({"VerificationFlag": "UNVERIFIED"}, ReportStatus.PRELIMINARY),
        ({"VerificationFlag": "UNVERIFIED", "PreliminaryFlag": "FINAL"}, ReportStatus.FINAL),
        ({"PreliminaryFlag": "PRELIMINARY"}, ReportStatus.PRELIMINARY),
        ({"PreliminaryFlag": "FINAL", "CompletionFlag": "PARTIAL"}, ReportStatus.PRELIMINARY),
    ],
)
def test_the_flags_say_how_final_it_is(sqlite_store, flags: dict[str, str], expected: ReportStatus) -> None:
    send_image(sqlite_store, sr_bytes(**flags))

    assert versions(sqlite_store) == [(TEXT, expected)]


def test_a_verified_version_replaces_the_draft_before_it(sqlite_store) -> None:
    send_image(sqlite_store, sr_bytes(VerificationFlag="UNVERIFIED"))
    send_image(sqlite_store, dicom_bytes())
    close_study(sqlite_store, STUDY, now=NOW)
    assert state(sqlite_store) is CaseState.AWAITING_REPORT

    send_image(sqlite_store, sr_bytes(SOPInstanceUID=f"{STUDY}.9.2"))

    assert state(sqlite_store) is CaseState.READY


# --- encapsulated documents


def test_the_text_of_an_encapsulated_pdf_is_the_report(sqlite_store) -> None:
    send_image(sqlite_store, pdf_object_bytes(pdf_of("FINDINGS: No mass.", "IMPRESSION: Normal.")))

    ((text, status),) = versions(sqlite_store)
    assert text.split() == ["FINDINGS:", "No", "mass.", "IMPRESSION:", "Normal."]
    assert status is ReportStatus.FINAL


def test_a_scanned_pdf_is_kept_and_set_aside_with_the_reason(sqlite_store) -> None:
    content = pdf_object_bytes(pdf_of())

    for _ in range(2):
        receipt = send_image(sqlite_store, content)
        assert receipt.reports == ()

    assert load_instance(sqlite_store, f"{STUDY}.9.1").path.read_bytes() == content
    (entry,) = list_quarantine(sqlite_store)
    assert (entry.kind, entry.reason) == (QuarantineKind.INSTANCE, InvalidReportError.reason)
    assert (entry.sop_instance_uid, "scanned page" in entry.detail) == (f"{STUDY}.9.1", True)
    assert entry.path.read_bytes() == content
    with begin_instance(sqlite_store) as incoming:
        incoming.write(content)
        with pytest.raises(InvalidReportError, match="scanned page"):
            receive_instance(sqlite_store, incoming, source="test", now=NOW, replay=Replay(arrived_at=NOW))


def test_a_pdf_whose_title_is_a_code_is_known_by_it(sqlite_store) -> None:
    titles = {"DocumentTitle": "Befund", "ConceptNameCodeSequence": [code_item(FINDINGS)]}
    named = titles | {"ConceptNameCodeSequence": [code_item(RADIOLOGY_REPORT), code_item(FINDINGS)]}

    first = send_image(sqlite_store, pdf_object_bytes(pdf_of("Normal."), **titles))
    second = send_image(
        sqlite_store, pdf_object_bytes(pdf_of("Normal."), SOPInstanceUID="2.25.1.9.2", **named)
    )

    assert (len(first.reports), len(second.reports)) == (0, 1)


def test_a_site_names_what_else_is_a_report_by_its_title(sqlite_store) -> None:
    titled = {"DocumentTitle": "Thorax letter"}
    object.__setattr__(
        sqlite_store.settings,
        "report_titles",
        load_settings({"OVERREAD_REPORT_TITLES": "99SITE:R1, thorax letter,"}).report_titles,
    )

    assert len(send_image(sqlite_store, pdf_object_bytes(pdf_of("Normal."), **titled)).reports) == 1


CDA = """<?xml version="1.0"?>
<ClinicalDocument xmlns="urn:hl7-org:v3"><component><structuredBody>
<component><section><title>Findings</title><text><paragraph>A &lt; 5 mm nodule.</paragraph>
</text></section></component>
<component><section><title>Impression</title><text>Nodule.</text></section></component>
</structuredBody></component></ClinicalDocument>"""


@pytest.mark.skipif(shutil.which("dsrdump") is None, reason="dcmtk is not installed (Debian package dcmtk)")
def test_what_dcmtk_encapsulates_is_read_and_what_the_tests_send_dcmtk_reads(
    sqlite_store, tmp_path: Path
) -> None:
    (tmp_path / "report.pdf").write_bytes(pdf_of("There is a mass."))
    (tmp_path / "report.xml").write_text(CDA)
    (tmp_path / "report.dcm").write_bytes(
        sr_bytes(section(FINDINGS, said("No mass.")), section(IMPRESSION, said("Normal.")))
    )
    named = ["-k", "AccessionNumber=A1", "-k", f"StudyInstanceUID={STUDY}", "-k", "PatientID=P1"]
    for command in (
        ["dsrdump", tmp_path / "report.dcm"],
        ["pdf2dcm", "+t", "Final Report", *named, tmp_path / "report.pdf", tmp_path / "pdf.dcm"],
        ["cda2dcm", "+t", "Final Report", *named, tmp_path / "report.xml", tmp_path / "cda.dcm"],
    ):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    for name in ("pdf.dcm", "cda.dcm", "report.dcm"):
        send_image(sqlite_store, (tmp_path / name).read_bytes())

    assert [text.strip() for text, _ in versions(sqlite_store)] == [
        "There is a mass.",
        "Findings:\nA < 5 mm nodule.\n\nImpression:\nNodule.",
        "FINDINGS:\nNo mass.\n\nIMPRESSION:\nNormal.",
    ]


# --- what is broken or hostile


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(sr_bytes(said("")), "holds no text", id="no text"),
        pytest.param(pdf_object_bytes(b"%PDF-1.7 nothing"), "cannot be read", id="broken PDF"),
        pytest.param(
            pdf_object_bytes(b"x", MIMETypeOfEncapsulatedDocument="model/stl"),
            "cannot be read",
            id="another type",
        ),
        pytest.param(
            sr_bytes(CurrentRequestedProcedureEvidenceSequence=[reference(f"2.25.{n}") for n in range(17)]),
            "more than 16 studies",
            id="too many studies",
        ),
        pytest.param(
            document_bytes(
                ENCAPSULATED_CDA,
                DocumentTitle="Report",
                MIMETypeOfEncapsulatedDocument="text/XML",
                EncapsulatedDocument=b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
            ),
            "DOCTYPE",
            id="entities",
        ),
    ],
)
def test_a_report_object_that_cannot_be_read_is_kept_and_set_aside(
    sqlite_store, content: bytes, reason: str
) -> None:
    receipt = send_image(sqlite_store, content)

    assert (receipt.outcome, receipt.reports) == (ReceiptOutcome.STORED, ())
    (entry,) = list_quarantine(sqlite_store)
    assert reason in entry.detail


@pytest.mark.parametrize("start", [b"\xfe\xff\x00\xe0", bytes(4)], ids=["items", "zeros"])
def test_a_document_of_far_too_many_items_is_kept_and_not_looked_into(sqlite_store, start) -> None:
    items = (start + bytes(4)) * 5001  # a library takes any eight bytes for an item
    sequence = struct.pack("<HH2sHL", 0x0044, 0x0013, b"SQ", 0, len(items)) + items

    assert send_image(sqlite_store, sr_bytes() + sequence).reports == ()
    assert list_quarantine(sqlite_store) == ()


def test_content_nested_far_too_deep_is_set_aside(sqlite_store) -> None:
    nested = said(MASS)
    for _ in range(60):
        nested = section(FINDINGS, nested)

    send_image(sqlite_store, sr_bytes(nested))

    (entry,) = list_quarantine(sqlite_store)
    assert "levels" in entry.detail


def test_no_mutated_report_object_raises_anything_but_a_refusal(tmp_path: Path) -> None:
    chance = random.Random(20260301)
    whole = sr_bytes(
        section(FINDINGS, said(MASS), said("Heart normal.")),
        CurrentRequestedProcedureEvidenceSequence=[reference("2.25.1")],
        ReferencedRequestSequence=[reference("2.25.1", "A1")],
    )
    file, met = tmp_path / "object.dcm", set()
    for _ in range(500):
        file.write_bytes(whole[:132] + mutated(whole[132:], chance))
        try:
            found = read_document(file, read_header(file), source="test")
        except InputError:
            met.add("refused")
        else:
            met.add(
                "no document"
                if found is None
                else "error"
                if found.error
                else f"{len(found.reports)} reports"
            )

    assert met >= {"refused", "error", "0 reports", "1 reports"}


# --- the time of its making


def observer(verified_at: str) -> Dataset:
    item = Dataset()
    item.VerificationDateTime = verified_at
    return item


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        (
            {"VerifyingObserverSequence": [observer("20260301090000+0000"), observer("20260301120000+0200")]},
            after(-7200),
        ),
        ({"ContentDate": "20260301", "ContentTime": "100000.5"}, after(-7199.5)),
        (
            {"ContentDate": "20260301", "ContentTime": "1000", "TimezoneOffsetFromUTC": "+0100"},
            after(-10_800),
        ),
        (
            {
                "VerifyingObserverSequence": [observer("2026")],
                "ContentDate": "20260301",
                "ContentTime": "100000",
            },
            after(-7200),
        ),
        ({"ContentDate": "20260301"}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("kind", [sr_bytes, lambda **more: pdf_object_bytes(pdf_of("No mass."), **more)])
def test_a_document_was_made_when_it_was_verified_else_when_its_content_was(
    sqlite_store, kind, elements, expected
) -> None:
    with machine_in("UTC"):
        send_image(sqlite_store, kind(**elements))

    assert load_case(sqlite_store, 1).reports[0].issued_at == expected


def test_an_earlier_verified_document_that_comes_late_does_not_count(store) -> None:
    for number, text, hour in ((1, "Second.", 11), (2, "First.", 10)):
        verified = [observer(f"20260301{hour}0000+0000")]
        content = section(FINDINGS, said(text))
        names = {"SOPInstanceUID": f"{STUDY}.9.{number}", "VerifyingObserverSequence": verified}
        send_image(store, sr_bytes(content, **names))

    assert load_case(store, 1).report.text == "FINDINGS:\nSecond."
    assert len(versions(store)) == 2
