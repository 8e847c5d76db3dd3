import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from overread.errors import ContradictionError, InvalidDicomError, MislabelledDicomError
from service.intake.closing import close_study
from service.intake.instances import (
    AnnouncedInstance,
    begin_instance,
    identify,
    receive_instance,
)
from service.intake.receipt import ReceiptOutcome
from service.store.quarantine import count_quarantine, list_quarantine
from service.store.records import QuarantineKind
from service.store.worklist import load_case, load_instance
from tests.service.material import NOW, after, dicom_bytes, send_image, send_report


def files(folder: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_received_object_is_kept_as_it_came(store) -> None:
    receipt = send_image(store)

    assert receipt.outcome is ReceiptOutcome.STORED
    assert load_instance(store, "2.25.1.1.1").path.read_bytes() == dicom_bytes()
    assert files(store.files.incoming) == []


def test_the_same_object_again_changes_nothing(store) -> None:
    send_image(store)
    close_study(store, "2.25.1", now=after(1))

    again = send_image(store, now=after(2))

    assert again.outcome is ReceiptOutcome.ALREADY_STORED
    assert load_instance(store, "2.25.1.1.1").received_at == NOW
    assert load_case(store, 1).study.closed_at == after(1)
    assert files(store.files.objects.folder) == [dicom_bytes()]
    assert files(store.files.incoming) == []


def test_the_same_data_set_under_another_file_meta_is_the_same_object(store) -> None:
    send_image(store)
    sent = dicom_bytes()
    other = b"II*\0" + sent[4:]  # another preamble, PS3.10 section 7.1

    again = send_image(store, other, now=after(2))

    assert again.outcome is ReceiptOutcome.ALREADY_STORED
    assert files(store.files.objects.folder) == [sent]
    assert load_instance(store, "2.25.1.1.1").path.read_bytes() == sent
    assert again.sha256 == load_instance(store, "2.25.1.1.1").sha256


def test_the_same_data_set_in_another_transfer_syntax_is_not_the_same_object(store) -> None:
    send_image(store)
    syntax = b"1.2.840.10008.1.2.1\0"
    other = dicom_bytes().replace(syntax, b"1.2.840.10008.1.2\0\0\0")
    assert other != dicom_bytes()

    with pytest.raises(ContradictionError):
        send_image(store, other)


@pytest.mark.parametrize("changed", ["sop_class_uid", "sop_instance_uid"])
def test_an_object_that_is_not_what_was_announced_goes_to_quarantine(store, changed) -> None:
    said = {"sop_class_uid": "1.2.840.10008.5.1.4.1.1.1.1", "sop_instance_uid": "2.25.1.1.1"}
    for announced, fits in ((said | {changed: "1.2.3"}, False), (said, True)):
        with begin_instance(store) as incoming:
            incoming.write(dicom_bytes())
            with contextlib.nullcontext() if fits else pytest.raises(MislabelledDicomError, match=r"1\.2\.3"):
                receive_instance(
                    store, incoming, source="test", now=NOW, announced=AnnouncedInstance(**announced)
                )

    (entry,) = list_quarantine(store)
    assert (entry.reason, entry.sop_instance_uid) == ("MISLABELLED_DICOM", "2.25.1.1.1")


def test_the_same_object_from_many_senders_at_once_is_stored_once(store) -> None:
    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(lambda _: send_image(store), range(8)))

    outcomes = [receipt.outcome for receipt in receipts]
    assert outcomes.count(ReceiptOutcome.STORED) == 1
    assert outcomes.count(ReceiptOutcome.ALREADY_STORED) == 7


def test_a_recorded_object_whose_file_was_lost_is_kept_when_it_comes_again(store) -> None:
    send_image(store)
    path = load_instance(store, "2.25.1.1.1").path
    path.unlink()

    send_image(store)

    assert path.read_bytes() == dicom_bytes()


def test_an_object_whose_receiver_died_before_the_record_is_stored_when_it_comes_again(store) -> None:
    with begin_instance(store) as incoming:  # what a receiver does until it is killed
        incoming.write(dicom_bytes())
        store.files.keep(incoming)

    assert send_image(store).outcome is ReceiptOutcome.STORED
    assert files(store.files.objects.folder) == [dicom_bytes()]


def test_other_bytes_under_a_known_uid_go_to_quarantine(store) -> None:
    send_image(store)
    other = dicom_bytes(value=7)

    with pytest.raises(ContradictionError, match=r"2\.25\.1\.1\.1"):
        send_image(store, other)

    (entry,) = list_quarantine(store)
    assert (entry.kind, entry.reason) == (QuarantineKind.INSTANCE, "CONTRADICTION")
    assert entry.sop_instance_uid == "2.25.1.1.1"
    assert entry.path.read_bytes() == other
    assert load_instance(store, "2.25.1.1.1").path.read_bytes() == dicom_bytes()


def test_of_contradicting_objects_that_come_at_once_one_is_stored_and_the_others_are_in_quarantine(
    store,
) -> None:
    def send(value: int) -> bool:
        try:
            send_image(store, dicom_bytes(value=value))
        except ContradictionError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        stored = list(pool.map(send, range(6)))

    assert stored.count(True) == 1
    assert count_quarantine(store) == 5
    assert len(files(store.files.objects.folder)) == 1
    assert len(files(store.files.quarantine.folder)) == 5


def test_two_real_objects_that_share_a_uid_are_told_apart(sqlite_store) -> None:
    first, second = (
        Path(get_testdata_file(name, download=False)).read_bytes()
        for name in ("RG1_UNCI.dcm", "RG1_J2KI.dcm")
    )
    send_image(sqlite_store, first)

    with pytest.raises(ContradictionError):
        send_image(sqlite_store, second)


@pytest.mark.parametrize("element", [{"PatientID": "P2"}, {"AccessionNumber": "A2"}])
def test_an_image_of_another_patient_or_accession_in_a_known_study_goes_to_quarantine(store, element) -> None:
    send_image(store)

    with pytest.raises(ContradictionError, match=r"2\.25\.1"):
        send_image(store, dicom_bytes(number=2, **element))

    assert count_quarantine(store) == 1


def test_what_the_first_image_left_out_is_taken_from_a_later_one(store) -> None:
    send_image(store, dicom_bytes(PatientID=None, AccessionNumber="", BodyPartExamined=None))
    send_image(store, dicom_bytes(number=2))
    send_image(store, dicom_bytes(number=3, PatientID=None))
    close_study(store, "2.25.1", now=NOW)

    study = load_case(store, 1).study
    assert (study.patient_id, study.accession_number, study.body_part) == ("P1", "A1", "CHEST")


@pytest.mark.parametrize(
    "content",
    [b"", b"text", dicom_bytes()[:400], dicom_bytes(PixelData=None), dicom_bytes(StudyInstanceUID=None)],
    ids=["empty", "not DICOM", "truncated", "no pixel data", "no study UID"],
)
def test_what_cannot_be_used_goes_to_quarantine_once_and_stops_nothing(store, content) -> None:
    for _ in range(2):
        with pytest.raises(InvalidDicomError):
            send_image(store, content)

    (entry,) = list_quarantine(store)
    assert entry.reason == "INVALID_DICOM"
    assert entry.path.read_bytes() == content
    assert files(store.files.incoming) == []
    assert send_image(store).outcome is ReceiptOutcome.STORED


def test_a_refused_object_can_be_named_to_its_sender_as_far_as_it_can_be_read(store) -> None:
    with begin_instance(store) as incoming:
        incoming.write(dicom_bytes())
        assert identify(incoming).sop_instance_uid == "2.25.1.1.1"
        incoming.write(b"tail" * 100)
    with begin_instance(store) as incoming:
        incoming.write(b"text")
        assert identify(incoming) is None


def test_nothing_of_a_patient_is_logged(store, capfd) -> None:
    send_image(store, dicom_bytes(PatientID="SECRET", PatientName="SECRET"))
    send_report(store, "SECRET mass", patient="SECRET")
    with pytest.raises(ContradictionError):
        send_report(store, "SECRET", patient="SECRET2")
    with pytest.raises(ContradictionError):
        send_image(store, dicom_bytes(value=3, PatientID="SECRET"))

    out, err = capfd.readouterr()
    assert "report_received" in out + err
    assert "SECRET" not in out + err
