"""No identifier that an object states stands in its copy, however deep; the image can still be read."""

import io
from datetime import date
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from service.deidentification.objects import (
    Known,
    deidentify,
    identifiers_of,
    reason_to_leave_out,
    words_left,
)
from service.deidentification.pseudonyms import Pseudonyms
from service.deidentification.texts import REMOVED, clean_text
from tests.service.material import dicom_bytes

KEY = Pseudonyms(b"k" * 32)
MARK = "Zyxwvut"


def marked() -> Dataset:
    """An object whose patient is named in many places, in items of sequences too."""
    physician = Dataset()
    physician.PersonName = f"{MARK}^Deep"
    request = Dataset()
    request.RequestingPhysician = f"{MARK}^Asking"
    request.RequestedProcedureDescription = f"for {MARK}"
    request.ScheduledProcedureStepStartDate = "20260105"
    kept = Dataset()  # an item of a sequence that the profile keeps
    kept.CodeMeaning = "chest"
    kept.ReferencedSOPInstanceUID = "1.2.3.4"
    dataset = dcmread(
        io.BytesIO(
            dicom_bytes(
                PatientName=f"{MARK}^Anna",
                PatientID=f"{MARK}4711",
                PatientBirthDate="19600102",
                OtherPatientNames=f"{MARK}^Maiden",
                AccessionNumber="ACC12345",
                ReferringPhysicianName="Miller^Joseph",
                InstitutionName=f"{MARK} Hospital",
                StudyDescription=f"chest of {MARK}",
                StudyDate="20260110",
                StudyTime="101500",
                AcquisitionDateTime="20260110101500",
            )
        )
    )
    dataset.RequestAttributesSequence = [request]
    dataset.SharedFunctionalGroupsSequence = [kept]
    dataset.PersonIdentificationCodeSequence = [physician]
    dataset.private_block(0x0011, "VENDOR", create=True).add_new(1, "LO", MARK)
    return dataset


def encoded(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def test_nothing_that_names_the_patient_or_a_physician_is_left_in_the_bytes() -> None:
    dataset = marked()
    known = identifiers_of(dataset)
    assert known.left_in(f"seen by {MARK.upper()}")

    deidentify(dataset, KEY)

    content = encoded(dataset)
    for word in (MARK, "4711", "ACC12345", "Miller", "Joseph", "1.2.3.4", "19600102", "20260110"):
        assert word.encode() not in content
    assert list(words_left(dataset, known)) == []


def test_an_identifier_that_stays_somewhere_is_told_by_its_keyword() -> None:
    dataset = marked()
    known = identifiers_of(dataset)
    deidentify(dataset, KEY)
    dataset.BodyPartExamined = MARK.upper()

    assert list(words_left(dataset, known)) == ["BodyPartExamined"]


def test_days_are_set_back_by_as_much_for_all_of_a_patient_and_the_time_stays() -> None:
    first, second = marked(), marked()
    second.StudyDate = "20260120"
    for dataset in (first, second):
        deidentify(dataset, KEY)

    days = [date.fromisoformat(str(dataset.StudyDate)) for dataset in (first, second)]
    assert (days[1] - days[0]).days == 10
    assert 1 <= (date(2026, 1, 10) - days[0]).days <= 365
    assert str(first.StudyTime) == "101500"
    assert str(first.AcquisitionDateTime)[:8] == str(first.StudyDate)
    assert str(first.PatientBirthDate) == "00010101"


def test_uids_are_mapped_alike_everywhere_and_are_uids() -> None:
    one, other = marked(), marked()
    before = one.StudyInstanceUID
    for dataset in (one, other):
        deidentify(dataset, KEY)

    assert one.StudyInstanceUID == other.StudyInstanceUID == KEY.uid(before)
    assert one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID
    assert one.StudyInstanceUID.is_valid
    assert one.StudyInstanceUID.startswith("2.25.")
    assert one.SharedFunctionalGroupsSequence[0].ReferencedSOPInstanceUID == KEY.uid("1.2.3.4")
    assert one.SOPClassUID == marked().SOPClassUID


def test_the_pixels_stay_and_the_copy_says_how_it_was_made() -> None:
    dataset = marked()
    pixels = dataset.PixelData

    deidentify(dataset, KEY)
    copy = dcmread(io.BytesIO(encoded(dataset)))

    assert copy.PixelData == pixels
    assert copy.PatientIdentityRemoved == "YES"
    assert copy.LongitudinalTemporalInformationModified == "MODIFIED"
    codes = [item.CodeValue for item in copy.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113107"]


def test_another_key_gives_other_pseudonyms() -> None:
    other = Pseudonyms(b"o" * 32)

    assert KEY.uid("1.2") != other.uid("1.2")
    assert KEY.name("P", "4711") != other.name("P", "4711")
    assert KEY.name("P", "4711") != KEY.name("A", "4711")


def test_a_key_file_is_made_once_and_is_its_owner_s_alone(tmp_path: Path) -> None:
    path = tmp_path / "study.key"

    first, again = Pseudonyms.of_key_file(path), Pseudonyms.of_key_file(path)

    assert first.uid("1.2") == again.uid("1.2")
    assert path.stat().st_mode & 0o077 == 0
    assert Pseudonyms.of_key_file(None).uid("1.2") != Pseudonyms.of_key_file(None).uid("1.2")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"BurnedInAnnotation": "YES"}, "burnt into its pixels"),
        ({"SOPClassUID": SecondaryCaptureImageStorage}, "secondary capture"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.11"}, "no image"),
        ({"BurnedInAnnotation": "NO"}, None),
        ({}, None),
    ],
)
def test_what_may_hold_burnt_in_text_or_is_no_image_is_left_out(
    changes: dict[str, str], words: str | None
) -> None:
    dataset = marked()
    for name, value in changes.items():
        setattr(dataset, name, value)

    reason = reason_to_leave_out(dataset)

    assert (reason is None) if words is None else (words in reason)


@pytest.mark.parametrize(
    "named",
    [
        "Seen on 2025-03-14.",
        "Compared to 3/14/25.",
        "Prior of March 14, 2025.",
        "Prior of 14th of March 2025.",
        "Discussed with Dr. Miller at 10:15 am.",
        "Discussed with DR. MILLER.",
        "Call +1 (555) 123-4567.",
        "Write to someone@example.org.",
        "Read by A. Miller, MD.",
        "ZYXWVUT is well.",
    ],
)
def test_what_names_somebody_or_a_day_is_taken_out_of_a_text(named: str) -> None:
    cleaned = clean_text(named, Known(words=(MARK.casefold(),)))

    assert REMOVED in cleaned
    for word in ("2025", "3/14", "14", "Miller", "MILLER", "10:15", "4567", "example", "ZYXWVUT"):
        assert word not in cleaned


@pytest.mark.parametrize(
    "kept",
    [
        "There is a 12 mm nodule in the right upper lobe, 2.5 x 3.1 cm, segment 6/7.",
        "MR Imaging of the spine. Known MS Lesions. DR Chest.",
        "Effusion has increased since the last study; may be pneumonia in 2 days.",
        "T1-T12 vertebrae: 12 of 12. SpO2 94 %. L4/5.",
    ],
)
def test_findings_sizes_and_modalities_stay_in_a_text(kept: str) -> None:
    assert clean_text(kept, Known(words=())) == kept
