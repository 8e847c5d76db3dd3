"""What lies in quarantine, sent through the real intake again."""

import json

import pytest

from overread.case import CaseState
from overread.errors import InputError, MislabelledDicomError, NotFoundError, TransitionError
from service.hl7.message import read_message
from service.hl7.report import read_reports
from service.hl7.settings import Hl7Settings
from service.intake.closing import close_study
from service.intake.instances import AnnouncedInstance, begin_instance, receive_instance
from service.intake.receipt import ReceiptOutcome
from service.intake.reports import receive_reports, refuse_message
from service.quarantine.replay import replay_entry
from service.store.database import Store, open_store
from service.store.quarantine import (
    ActionOutcome,
    Correction,
    QuarantineAction,
    case_of,
    count_quarantine,
    discard,
    list_actions,
    list_quarantine,
    load_entry,
)
from service.store.records import QuarantineState, ReportStatus
from service.store.worklist import load_case, load_instance
from tests.service.material import (
    ACCESSION,
    CLEAR,
    MASS,
    NOW,
    ROE,
    STUDY,
    after,
    dicom_bytes,
    send_image,
    send_report,
)

HL7 = Hl7Settings()


def refused_report(store: Store, content: bytes | str = CLEAR, **given: object) -> int:
    with pytest.raises(InputError):
        send_report(store, content, **given)  # type: ignore[arg-type]
    return list_quarantine(store)[0].quarantine_id


def refused_image(store: Store, content: bytes) -> int:
    with pytest.raises(InputError):
        send_image(store, content)
    return list_quarantine(store)[0].quarantine_id


def again(store: Store, number: int, **correction: object):
    given = Correction(**correction) if correction else None  # type: ignore[arg-type]
    return replay_entry(store, number, actor=ROE, now=after(60), hl7=HL7, correction=given)


def test_a_report_that_named_nothing_is_corrected_and_reaches_its_case(store) -> None:
    send_image(store)
    close_study(store, STUDY, now=NOW)
    number = refused_report(store, accession=None)

    result = again(store, number, accession_number=ACCESSION)

    assert (result.outcome, result.detail) == (ActionOutcome.STORED, None)
    assert load_case(store, result.case_id).summary.state is CaseState.READY
    entry = load_entry(store, number)
    assert (entry.state, case_of(store, entry)) == (QuarantineState.RESOLVED, result.case_id)
    (action,) = list_actions(store, number)
    assert (action.action, action.actor, action.happened_at) == (
        QuarantineAction.CORRECTED,
        ROE,
        after(60),
    )
    assert action.correction == Correction(accession_number=ACCESSION)


def test_what_is_refused_again_waits_as_before_and_the_try_is_recorded(store) -> None:
    number = refused_report(store, accession=None)

    result = again(store, number)

    assert result.outcome is ActionOutcome.REFUSED
    assert "neither an accession number" in str(result.detail)
    assert load_entry(store, number).state is QuarantineState.WAITING
    assert count_quarantine(store) == 1
    assert [action.outcome for action in list_actions(store, number)] == [ActionOutcome.REFUSED]


@pytest.mark.parametrize("reason", ["patient", "accession"])
def test_an_image_of_another_patient_is_stored_only_when_a_person_accepts_it(sqlite_store, reason) -> None:
    send_image(sqlite_store)
    other = {"PatientID": "P2"} if reason == "patient" else {"AccessionNumber": "A2"}
    number = refused_image(sqlite_store, dicom_bytes(number=2, **other))

    assert again(sqlite_store, number).outcome is ActionOutcome.REFUSED
    assert again(sqlite_store, number, accepts=True).outcome is ActionOutcome.STORED

    assert load_instance(sqlite_store, f"{STUDY}.1.2").sha256 == load_entry(sqlite_store, number).sha256
    close_study(sqlite_store, STUDY, now=NOW)
    assert case_of(sqlite_store, load_entry(sqlite_store, number)) == 1


def test_an_image_that_a_person_accepted_may_be_sent_again(sqlite_store) -> None:
    send_image(sqlite_store)
    other = dicom_bytes(number=2, PatientID="P2")
    number = refused_image(sqlite_store, other)
    again(sqlite_store, number, accepts=True)

    assert send_image(sqlite_store, other).outcome is ReceiptOutcome.ALREADY_STORED
    assert count_quarantine(sqlite_store) == 1


def test_other_bytes_under_a_known_uid_stay_refused_even_when_accepted(sqlite_store) -> None:
    stored = send_image(sqlite_store)
    number = refused_image(sqlite_store, dicom_bytes(value=7))

    assert again(sqlite_store, number, accepts=True).outcome is ActionOutcome.REFUSED
    assert load_instance(sqlite_store, f"{STUDY}.1.1").sha256 == stored.sha256
    assert sqlite_store.files.quarantine_path_of(load_entry(sqlite_store, number).sha256).exists()


def test_an_object_that_was_announced_as_another_is_stored_only_when_accepted(sqlite_store) -> None:
    announced = AnnouncedInstance(sop_class_uid="1.2", sop_instance_uid="1.3")
    with begin_instance(sqlite_store) as incoming:
        incoming.write(dicom_bytes())
        with pytest.raises(MislabelledDicomError):
            receive_instance(sqlite_store, incoming, source="test", now=NOW, announced=announced)

    assert again(sqlite_store, 1).outcome is ActionOutcome.REFUSED
    assert again(sqlite_store, 1, accepts=True).outcome is ActionOutcome.STORED


def test_an_image_is_not_corrected_as_a_report_is(sqlite_store) -> None:
    number = refused_image(sqlite_store, b"no image")

    with pytest.raises(InputError, match="stored as it came or not at all"):
        again(sqlite_store, number, accession_number="A1")
    with pytest.raises(InputError, match="say what to correct"):
        replay_entry(sqlite_store, number, actor=ROE, now=NOW, hl7=HL7, correction=Correction())
    assert list_actions(sqlite_store, number) == ()


def test_a_report_that_was_too_long_is_taken_after_the_limit_was_raised(sqlite_store) -> None:
    small = open_store(sqlite_store.settings.model_copy(update={"report_bytes_max": 10}))
    number = refused_report(small)

    assert again(small, number).outcome is ActionOutcome.REFUSED
    assert again(sqlite_store, number).outcome is ActionOutcome.STORED


def test_a_report_in_another_character_set_is_read_in_the_one_that_a_person_names(sqlite_store) -> None:
    number = refused_report(sqlite_store, "Kein Rundherd. Höhe unverändert.".encode("cp1252"))

    result = again(sqlite_store, number, charset="cp1252", status=ReportStatus.ADDENDUM)

    (version,) = load_case(sqlite_store, result.case_id).reports
    assert (version.text, version.status) == ("Kein Rundherd. Höhe unverändert.", ReportStatus.ADDENDUM)


def test_an_old_report_does_not_count_over_a_later_one_unless_a_person_says_so(sqlite_store) -> None:
    number = refused_report(sqlite_store, accession=None)
    send_report(sqlite_store, MASS, status=ReportStatus.CORRECTED, now=after(10))

    held = again(sqlite_store, number, accession_number=ACCESSION)
    assert held.outcome is ActionOutcome.REFUSED
    assert "came later" in str(held.detail)
    assert load_case(sqlite_store, 1).report.text == MASS

    again(sqlite_store, number, accession_number=ACCESSION, accepts=True)
    assert load_case(sqlite_store, 1).report.text == CLEAR


def test_an_old_report_that_says_when_it_was_made_takes_its_place(store) -> None:
    number = refused_report(store, accession=None, issued=after(-20))
    send_report(store, MASS, status=ReportStatus.CORRECTED, issued=after(-10), now=after(10))

    assert again(store, number, accession_number=ACCESSION).outcome is ActionOutcome.STORED
    case = load_case(store, 1)
    assert case.report.text == MASS
    assert [report.issued_at for report in case.reports] == [after(-10), after(-20)]


def test_what_had_been_stored_meanwhile_is_resolved_by_that(sqlite_store) -> None:
    number = refused_report(sqlite_store, accession=None)
    send_report(sqlite_store)

    assert again(sqlite_store, number, accession_number=ACCESSION).outcome is ActionOutcome.ALREADY_STORED
    assert len(load_case(sqlite_store, 1).reports) == 1
    with pytest.raises(TransitionError, match="resolved already"):
        again(sqlite_store, number)


def test_discarded_is_recorded_with_its_reason_and_can_still_be_replayed(store) -> None:
    number = refused_report(store, accession=None)

    discard(store, number, actor=ROE, because="a test message", now=NOW)

    assert load_entry(store, number).state is QuarantineState.DISCARDED
    assert list_actions(store, number)[0].detail == "a test message"
    with pytest.raises(TransitionError, match="discarded already"):
        discard(store, number, actor=ROE, because="again", now=NOW)
    assert again(store, number, accession_number="A7").outcome is ActionOutcome.STORED


def test_nothing_is_discarded_without_a_reason(sqlite_store) -> None:
    number = refused_report(sqlite_store, accession=None)
    with pytest.raises(InputError, match="say why"):
        discard(sqlite_store, number, actor=ROE, because=" ", now=NOW)


def test_bytes_that_are_gone_are_told(sqlite_store) -> None:
    number = refused_report(sqlite_store, accession=None)
    sqlite_store.files.quarantine_path_of(load_entry(sqlite_store, number).sha256).unlink()

    with pytest.raises(NotFoundError):
        again(sqlite_store, number)
    with pytest.raises(NotFoundError, match="no entry 99"):
        again(sqlite_store, 99)


def message(*orders: str, charset: str = "", text: str = CLEAR) -> str:
    segments = [f"MSH|^~\\&|RIS|H|||20260301||ORU^R01|7|P|2.5||||||{charset}", "PID|1||P1^^^H^MR||Doe^Jane"]
    for order in orders:
        segments += [f"OBR|1||{order}|71020|||||||||||||||||||||F", f"OBX|1|TX|71020||{text} {order}||||||F"]
    return "\r".join(segments) + "\r"


def refuse_hl7(store: Store, content: bytes) -> int:
    """Refuse a message as the listener does where it cannot be read."""
    with pytest.raises(InputError) as caught:
        read_reports(read_message(content, default_charset="utf-8"), content, HL7, source="HL7 here")
    refuse_message(store, content, caught.value, source="HL7 here", now=NOW)
    return list_quarantine(store)[0].quarantine_id


def test_an_hl7_message_is_read_again_as_a_message(sqlite_store) -> None:
    number = refuse_hl7(sqlite_store, message("A1").replace("|P|2.5", "|T|2.5").encode())

    assert again(sqlite_store, number).outcome is ActionOutcome.REFUSED
    training = HL7.model_copy(update={"processing_ids": ("P", "T")})
    result = replay_entry(sqlite_store, number, actor=ROE, now=NOW, hl7=training)

    assert result.outcome is ActionOutcome.STORED
    assert load_case(sqlite_store, result.case_id).report.text == f"{CLEAR} A1"


def test_an_hl7_message_that_declares_a_wrong_character_set_is_read_in_the_right_one(sqlite_store) -> None:
    content = message("A1", charset="UNICODE UTF-8", text="Höhe").encode("cp1252")
    number = refuse_hl7(sqlite_store, content)

    result = again(sqlite_store, number, charset="cp1252")

    assert load_case(sqlite_store, result.case_id).report.text == "Höhe A1"


def test_of_two_reports_in_one_message_the_refused_one_is_corrected(sqlite_store) -> None:
    content = message("A1", "").encode()  # the second names no study
    reports = read_reports(read_message(content, default_charset="utf-8"), content, HL7, source="HL7 here")
    receive_reports(sqlite_store, reports, now=NOW)
    (entry,) = list_quarantine(sqlite_store)

    result = again(sqlite_store, entry.quarantine_id, accession_number="A2")

    assert result.outcome is ActionOutcome.STORED
    assert load_case(sqlite_store, result.case_id).summary.accession_number == "A2"
    assert [len(load_case(sqlite_store, case).reports) for case in (1, 2)] == [1, 1]


def test_a_fhir_document_is_read_again_and_corrected(sqlite_store) -> None:
    document = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "Chest"},
        "conclusion": CLEAR,
    }
    with pytest.raises(InputError):
        send_report(sqlite_store, json.dumps(document), accession=None)
    (entry,) = list_quarantine(sqlite_store)

    result = again(sqlite_store, entry.quarantine_id, accession_number="A1")

    assert (result.outcome, result.detail) == (ActionOutcome.STORED, None)
    assert CLEAR in load_case(sqlite_store, result.case_id).report.text
