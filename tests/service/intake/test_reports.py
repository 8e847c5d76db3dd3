from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest

from overread.case import CaseState
from overread.errors import ContradictionError, InvalidReportError
from service.intake.closing import close_study
from service.intake.receipt import ReceiptOutcome
from service.store.quarantine import count_quarantine, list_quarantine
from service.store.queue import claim_case
from service.store.records import QuarantineKind, ReportStatus
from service.store.worklist import count_cases, load_case
from tests.service.material import (
    CLEAR,
    MASS,
    NOW,
    STUDY,
    after,
    dicom_bytes,
    ready_case,
    send_image,
    send_report,
    triage_one,
    triaged_case,
)


def texts(store, case_id: int) -> list[str]:
    return [report.text for report in load_case(store, case_id).reports]


def test_a_report_without_images_opens_a_case_that_waits_for_them(store) -> None:
    receipt = send_report(store)

    assert receipt.outcome is ReceiptOutcome.STORED
    assert (receipt.version, receipt.state) == (1, CaseState.AWAITING_IMAGES)
    assert load_case(store, receipt.case_id).report.text == CLEAR


@pytest.mark.parametrize("named_by", ["accession", "study"])
def test_a_report_completes_the_case_of_a_closed_study(store, named_by) -> None:
    send_image(store)
    close_study(store, "2.25.1", now=NOW)
    names = {"accession": "A1"} if named_by == "accession" else {"accession": None, "study": "2.25.1"}

    receipt = send_report(store, **names)

    assert receipt.state is CaseState.READY
    assert count_cases(store)[CaseState.READY] == 1


def test_the_same_version_again_changes_nothing(store) -> None:
    first = send_report(store)

    again = send_report(store, now=after(1))

    assert again.outcome is ReceiptOutcome.ALREADY_STORED
    assert (again.case_id, again.version) == (first.case_id, first.version)
    assert texts(store, first.case_id) == [CLEAR]


def test_a_late_repetition_of_an_old_message_does_not_undo_the_newer(store) -> None:
    case_id = send_report(store, issued=after(-20)).case_id
    send_report(store, MASS, status=ReportStatus.CORRECTED, issued=after(-10))

    assert send_report(store, issued=after(-20), now=after(9)).outcome is ReceiptOutcome.ALREADY_STORED
    assert load_case(store, case_id).report.text == MASS


@pytest.mark.parametrize("issued", [(None, None, None), (-30, -20, -10)], ids=["undated", "dated"])
def test_a_text_that_was_replaced_and_comes_again_as_the_latest_is_in_force_again(store, issued) -> None:
    made = [None if seconds is None else after(seconds) for seconds in issued]
    case_id = ready_case(store, report="Draft.", now=after(-60))
    for number, text in enumerate((CLEAR, MASS, CLEAR)):
        assert send_report(store, text, issued=made[number], now=after(number)).version == number + 2

    case = load_case(store, case_id)
    assert (case.report.version, case.report.text) == (4, CLEAR)
    assert case.summary.revision == 4
    again = send_report(store, CLEAR, issued=made[2], now=after(60))
    assert (again.outcome, again.version) == (ReceiptOutcome.ALREADY_STORED, 4)


def test_a_text_in_force_that_comes_again_with_another_time_changes_nothing(store) -> None:
    case_id = triaged_case(store)
    for seconds in (-60, 0, 60):
        receipt = send_report(store, issued=after(seconds), now=after(60))
        assert (receipt.outcome, receipt.version) == (ReceiptOutcome.ALREADY_STORED, 1)

    send_report(store, "It is old.", status=ReportStatus.ADDENDUM, now=after(70))
    assert send_report(store, now=after(80)).outcome is ReceiptOutcome.ALREADY_STORED
    assert load_case(store, case_id).report.text.endswith("ADDENDUM:\nIt is old.")


def test_the_same_version_from_many_senders_at_once_is_stored_once(store) -> None:
    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(lambda _: send_report(store), range(8)))

    assert [receipt.outcome for receipt in receipts].count(ReceiptOutcome.STORED) == 1
    assert {receipt.case_id for receipt in receipts} == {1}


def test_a_corrected_report_is_a_further_version_and_sends_the_case_back(store) -> None:
    case_id = ready_case(store)

    receipt = send_report(store, MASS, status=ReportStatus.CORRECTED)

    assert (receipt.version, receipt.state) == (2, CaseState.READY)
    assert texts(store, case_id) == [CLEAR, MASS]
    assert load_case(store, case_id).summary.revision == 2


def test_an_older_report_that_comes_late_is_kept_and_does_not_count(store) -> None:
    send_report(store, MASS, status=ReportStatus.CORRECTED, issued=after(-10))
    send_image(store)
    close_study(store, STUDY, now=NOW)
    claimed = claim_case(store, worker="w", now=NOW)
    triage_one(store, claimed, clock=lambda: NOW)
    before = load_case(store, 1)

    receipt = send_report(store, CLEAR, issued=after(-20), now=after(5))

    case = load_case(store, 1)
    assert (receipt.outcome, receipt.version) == (ReceiptOutcome.STORED, 2)
    assert [(report.text, report.issued_at) for report in case.reports] == [
        (MASS, after(-10)),
        (CLEAR, after(-20)),
    ]
    assert case.report.text == MASS
    assert (case.summary.state, case.summary.revision) == (before.summary.state, before.summary.revision)
    assert case.events == before.events


def test_a_time_in_the_future_counts_as_unknown(store) -> None:
    case_id = send_report(store, issued=after(86_400)).case_id
    send_report(store, MASS, status=ReportStatus.CORRECTED, now=after(60))

    case = load_case(store, case_id)
    assert [report.issued_at for report in case.reports] == [None, None]
    assert case.report.text == MASS


@pytest.mark.parametrize("year", [1, 9999])
def test_a_time_beyond_all_zones_counts_as_unknown(store, year) -> None:
    edge = datetime(year, 1 if year == 1 else 12, 1 if year == 1 else 31, 23 * (year > 1), tzinfo=UTC)
    shifted = edge.replace(tzinfo=timezone(timedelta(hours=14 if year == 1 else -14)))

    case_id = send_report(store, issued=shifted).case_id

    assert load_case(store, case_id).reports[0].issued_at is None


def test_a_preliminary_report_waits_for_the_final_one(store) -> None:
    send_image(store)
    close_study(store, "2.25.1", now=NOW)

    preliminary = send_report(store, status=ReportStatus.PRELIMINARY)
    assert preliminary.state is CaseState.AWAITING_REPORT
    assert load_case(store, preliminary.case_id).report is None

    assert send_report(store).state is CaseState.READY


def test_a_preliminary_report_does_not_complete_a_study_that_closes_later(store) -> None:
    send_report(store, status=ReportStatus.PRELIMINARY)
    send_image(store)

    assert close_study(store, "2.25.1", now=NOW) is CaseState.AWAITING_REPORT
    assert send_report(store).state is CaseState.READY
    assert sum(count_cases(store).values()) == 1


def test_a_preliminary_report_after_the_final_one_does_not_replace_it(store) -> None:
    case_id = ready_case(store)

    send_report(store, MASS, status=ReportStatus.PRELIMINARY)

    assert load_case(store, case_id).report.text == CLEAR
    assert load_case(store, case_id).summary.revision == 1


def test_an_addendum_is_read_together_with_what_it_is_added_to(store) -> None:
    case_id = send_report(store).case_id
    send_report(store, "There is a nodule.", status=ReportStatus.ADDENDUM)
    send_report(store, "It is old.", status=ReportStatus.ADDENDUM)

    assert load_case(store, case_id).report.text == (
        f"{CLEAR}\n\nADDENDUM:\nThere is a nodule.\n\nADDENDUM:\nIt is old."
    )


def test_an_addendum_that_repeats_the_report_is_taken_as_it_is(store) -> None:
    case_id = send_report(store).case_id
    whole = f"ADDENDUM: There is a nodule.\n{CLEAR}"

    send_report(store, whole, status=ReportStatus.ADDENDUM)

    assert load_case(store, case_id).report.text == whole


def test_a_report_in_another_charset_is_read_by_its_declared_name(store) -> None:
    receipt = send_report(store, "Größe unverändert.".encode("latin-1"), charset="iso-8859-1")

    assert texts(store, receipt.case_id) == ["Größe unverändert."]


def test_line_ends_and_tabs_are_kept_and_a_byte_order_mark_is_not(store) -> None:
    receipt = send_report(store, b"\xef\xbb\xbfA\r\n\tB\f")

    assert texts(store, receipt.case_id) == ["A\r\n\tB\f"]


@pytest.mark.parametrize(
    ("content", "charset", "message"),
    [
        (b"", "utf-8", "empty"),
        ("", "utf-8", "empty"),
        (b" \r\n\t", "utf-8", "empty"),
        (b"... --- ...", "utf-8", "empty"),
        (b"Lungs \x00 clear", "utf-8", "control"),
        (b"%PDF-1.4 \x1b\x02", "utf-8", "control"),
        (b"\xff\xd8\xff\xe0 JFIF", "utf-8", "decoded"),
        ("Größe".encode("latin-1"), "utf-8", "decoded"),
        (b"Lungs clear", "utf-99", "the charset that it names"),
        (b"4c", "hex", "the charset that it names"),
        ("a lone \ud800 surrogate", "utf-8", "decoded"),
        (b"x" * ((1 << 20) + 1), "utf-8", "larger"),
    ],
)
def test_a_report_that_cannot_be_read_goes_to_quarantine(store, content, charset, message) -> None:
    with pytest.raises(InvalidReportError, match=message):
        send_report(store, content, charset=charset)

    (entry,) = list_quarantine(store)
    sent = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    assert (entry.kind, entry.reason) == (QuarantineKind.REPORT, "INVALID_REPORT")
    assert entry.path.read_bytes() == sent
    assert sum(count_cases(store).values()) == 0
    assert send_report(store).outcome is ReceiptOutcome.STORED


@pytest.mark.parametrize(
    "names",
    [
        {"accession": None},
        {"accession": ""},
        {"accession": " A1"},
        {"accession": "A" * 65},
        {"accession": "A\x001"},
        {"patient": "P\n1"},
    ],
)
def test_a_report_that_names_no_case_properly_goes_to_quarantine(store, names) -> None:
    with pytest.raises(InvalidReportError):
        send_report(store, **names)

    assert count_quarantine(store) == 1


def test_empty_reports_for_different_studies_are_different_entries_of_the_quarantine(store) -> None:
    for accession in ("A1", "A2", "A1"):
        with pytest.raises(InvalidReportError):
            send_report(store, "", accession=accession)

    assert {entry.accession_number for entry in list_quarantine(store)} == {"A1", "A2"}
    assert count_quarantine(store) == 2


@pytest.mark.parametrize("close", [True, False], ids=["closed", "still arriving"])
@pytest.mark.parametrize("names", [{"accession": "A1"}, {"accession": None, "study": "2.25.1"}])
def test_a_report_for_another_patient_than_the_images_goes_to_quarantine(store, names, close) -> None:
    send_image(store)
    if close:
        close_study(store, "2.25.1", now=NOW)

    with pytest.raises(ContradictionError, match="another patient") as caught:
        send_report(store, patient="P2", **names)

    assert "P2" not in str(caught.value)
    assert list_quarantine(store)[0].reason == "CONTRADICTION"
    assert send_report(store, **names).outcome is ReceiptOutcome.STORED


def test_a_report_that_waited_for_other_images_is_set_apart_and_the_study_gets_its_own_case(store) -> None:
    wrong = send_report(store, patient="P2")
    send_image(store)

    assert close_study(store, "2.25.1", now=NOW) is CaseState.AWAITING_REPORT

    (entry,) = list_quarantine(store)
    assert (entry.kind, entry.reason) == (QuarantineKind.REPORT, "CONTRADICTION")
    assert entry.path.read_bytes() == CLEAR.encode()
    assert load_case(store, wrong.case_id).summary.state is CaseState.AWAITING_IMAGES
    assert send_report(store).state is CaseState.READY


def test_a_report_that_named_the_study_of_another_patient_lets_go_of_it(store) -> None:
    wrong = send_report(store, patient="P2", study="2.25.1", accession=None)
    send_image(store)

    assert close_study(store, "2.25.1", now=NOW) is CaseState.AWAITING_REPORT
    assert load_case(store, wrong.case_id).summary.study_instance_uid is None
    assert count_quarantine(store) == 1


def test_one_accession_number_for_two_studies_asks_for_the_study_uid(store) -> None:
    for study in ("2.25.1", "2.25.2"):
        send_image(store, dicom_bytes(study=study))
        close_study(store, study, now=NOW)

    with pytest.raises(ContradictionError, match="study_instance_uid"):
        send_report(store)

    assert send_report(store, study="2.25.2").state is CaseState.READY
    # From then on the accession number alone means the study that has the report.
    assert send_report(store, MASS, status=ReportStatus.CORRECTED).version == 2


def test_the_same_accession_number_of_two_patients_names_two_cases(store) -> None:
    for study, patient in (("2.25.1", "P1"), ("2.25.2", "P2")):
        send_image(store, dicom_bytes(study=study, PatientID=patient))
        close_study(store, study, now=NOW)

    receipts = [send_report(store, patient=patient) for patient in ("P1", "P2")]

    studies = [load_case(store, receipt.case_id).study.study_instance_uid for receipt in receipts]
    assert studies == ["2.25.1", "2.25.2"]
