"""What is found in a real PACS, and what comes of it: by DIMSE and by DICOMweb."""

from pathlib import Path

import pytest
from pydicom import dcmread

from overread.errors import InputError, PeerError
from service.pacs.archive import Archive, StudyQuery
from service.pacs.fetching import fetch_study, priors_of, studies_of_case
from service.store.database import Store, open_store
from service.store.fetches import KnownStudy, WaitingCase, stored_instances
from service.store.worklist import load_instance
from tests.service.material import dicom_bytes, send_image
from tests.service.pacs.conftest import REAL, Pacs, real_path

P7 = KnownStudy(
    study_instance_uid="2.25.70",
    patient_id="P7",
    issuer_of_patient_id=None,
    modality="DX",
    body_part="CHEST",
    study_date="20260301",
)


def uids(found) -> list[str]:
    return sorted(study.study_instance_uid for study in found)


FOUND = {
    StudyQuery(accession_number="A7"): ["2.25.70"],
    StudyQuery(study_instance_uid="2.25.71"): ["2.25.71"],
    StudyQuery(patient_id="P70"): ["2.25.77"],
    StudyQuery(patient_id="P7", modality="CT"): ["2.25.76"],
    StudyQuery(patient_id="P7", first_date="20240101", last_date="20250101"): ["2.25.71", "2.25.72"],
    StudyQuery(patient_id="P7", last_date="20101231"): ["2.25.74"],
    StudyQuery(accession_number="A"): [],
    StudyQuery(accession_number="A7", patient_id="P1"): [],
}


def test_studies_are_found_by_each_key(archive: Archive) -> None:
    assert {wanted: uids(archive.find_studies(wanted)) for wanted in FOUND} == FOUND


def test_real_objects_come_as_the_pacs_holds_them(archive: Archive, sqlite_store: Store) -> None:
    for name in REAL:
        dataset = dcmread(real_path(name))

        fetched = fetch_study(sqlite_store, archive, str(dataset.StudyInstanceUID), print)

        assert (fetched.completed, fetched.failed) == (1, 0)
        record = load_instance(sqlite_store, str(dataset.SOPInstanceUID))
        assert record.transfer_syntax_uid == dataset.file_meta.TransferSyntaxUID
        assert dcmread(record.path).PixelData == dataset.PixelData


def test_what_is_here_is_not_asked_for_again(archive: Archive, sqlite_store: Store) -> None:
    send_image(sqlite_store, dicom_bytes(number=2, StudyDate="20260301"))
    lines: list[str] = []

    first = fetch_study(sqlite_store, archive, "2.25.1", lines.append)
    again = fetch_study(sqlite_store, archive, "2.25.1", lines.append)

    assert stored_instances(sqlite_store, "2.25.1", "2.25.1.1") == {f"2.25.1.1.{n}" for n in (1, 2, 3)}
    assert str(first) == "study 2.25.1: 3 images came"
    assert str(again) == "study 2.25.1: 0 images came, 1 series were here already"
    assert lines[-1] == "study 2.25.1: series 1 of 1, 3 images"
    assert load_instance(sqlite_store, "2.25.1.1.2").source == "test"


def test_a_study_that_the_pacs_does_not_hold_is_told_so(archive: Archive, sqlite_store: Store) -> None:
    with pytest.raises(PeerError, match=r"does not hold study 2\.25\.404"):
        fetch_study(sqlite_store, archive, "2.25.404", print)


PRIORS = {
    (9, 5.0): ["2.25.71", "2.25.72", "2.25.73"],  # not the hand, the CT, the other patient, the same day
    (2, 5.0): ["2.25.71", "2.25.72"],
    (9, 2.0): ["2.25.71"],
    (9, 20.0): ["2.25.71", "2.25.72", "2.25.73", "2.25.74"],
    (0, 5.0): [],
}


def test_priors_are_of_the_same_modality_and_body_part_the_latest_first(archive: Archive) -> None:
    chosen = {
        (at_most, years): [
            study.study_instance_uid for study in priors_of(archive, P7, at_most=at_most, years=years)
        ]
        for at_most, years in PRIORS
    }

    assert chosen == PRIORS


def test_a_waiting_report_is_about_the_study_that_it_names(archive: Archive) -> None:
    for study, accession, patient in (
        ("2.25.70", None, None),
        (None, "A7", "P7"),
        ("2.25.70", "other", "P7"),
    ):
        case = WaitingCase(
            case_id=1, study_instance_uid=study, accession_number=accession, patient_id=patient
        )
        assert uids(studies_of_case(archive, case)) == ["2.25.70"]


def test_a_report_is_not_about_the_study_of_another_patient(archive: Archive) -> None:
    case = WaitingCase(case_id=3, study_instance_uid=None, accession_number="A7", patient_id="SECRET")

    with pytest.raises(PeerError, match=r"case 3: .* for another patient only") as caught:
        studies_of_case(archive, case)
    assert "SECRET" not in str(caught.value)


def test_a_pacs_that_does_not_know_us_is_told_what_to_do(pacs: Pacs, sqlite_store: Store) -> None:
    with pytest.raises(PeerError, match=r"ORTHANC .*STRANGER"):
        fetch_study(sqlite_store, pacs.dimse(own="STRANGER"), "2.25.70", print)


def test_a_pacs_that_sends_elsewhere_is_noticed(
    pacs: Pacs, sqlite_store: Store, archive: Archive, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if "dicomweb" in request.node.name:
        pytest.skip("what is retrieved goes nowhere else")
    url = f"sqlite:///{tmp_path}/other.sqlite3"
    other = open_store(
        sqlite_store.settings.model_copy(update={"data_folder": tmp_path / "other", "database_url": url})
    )
    with pytest.raises(PeerError, match="not in this store"):
        fetch_study(other, archive, "2.25.70", print)
    other.close()


def test_a_listener_that_does_not_run_is_a_failure_with_what_to_do(pacs: Pacs, sqlite_store: Store) -> None:
    pacs.send_to(1)

    with pytest.raises(PeerError, match="ORTHANC answers") as caught:
        fetch_study(sqlite_store, pacs.dimse(), "2.25.70", print)
    assert "0x" in str(caught.value)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"modality": "CT"},
        {"accession_number": "A*"},
        {"patient_id": "P\\Q"},
        {"patient_id": "P", "first_date": "2024-01-01"},
    ],
)
def test_what_would_match_half_the_archive_is_not_asked(keys: dict[str, str]) -> None:
    with pytest.raises(InputError):
        StudyQuery(**keys)
