"""The structured report: valid by two validators, and read back to what the detector stated."""

import json
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from models.vendor_results.loading import load_vendor_detector
from overread.finding import load_vocabulary
from overread.observation import DetectorObservation, Laterality, Presence
from service.intake.closing import close_study
from service.results.codes import finding_code
from service.results.making import result_of_case
from service.store.results import Form
from tests.service.material import MASS, NOW, send_report
from tests.service.results.material import (
    CT,
    ENHANCED_CT,
    dumped,
    faults_of,
    image_bytes,
    seen,
    told_case,
    triage_again,
)

SEVERAL = (
    seen("pneumothorax", (30.5, 40.25, 90, 120), side=Laterality.RIGHT, probability=0.75),
    seen("nodule", (200, 100, 220, 118), (300, 50, 330, 90), side=Laterality.BILATERAL, size_mm=(12.5,)),
    seen("effusion", side=Laterality.LEFT, probability=0.625),
)


def written(made: Dataset, folder: Path) -> Path:
    path = folder / f"{made.SOPInstanceUID}.dcm"
    made.save_as(path, enforce_file_format=True)
    return path


def read_back(report: Path, images: list[bytes], folder: Path) -> dict[str, DetectorObservation]:
    """The observations that our reader of other vendors' results takes from the report."""
    vocabulary = load_vocabulary()
    codes = {
        f"{code.scheme_designator}:{code.value}": finding.id
        for finding in vocabulary.values()
        if (code := finding_code(finding)).scheme_designator == "99OVERREAD"
    }
    curve = {"slope": 1.0, "intercept": 0.0, "prevalence": 0.02, "threshold": 0.5}
    manifest = {
        "format": 1,
        "kind": "vendor-sr",
        "name": "overread",
        "version": "1",
        "operating_point": "balanced",
        "source": "itself",
        "silence": "unknown",
        "product": {"manufacturer": "overread"},
        "codes": codes,
        "findings": {finding: {"calibration": curve} for finding in vocabulary},
    }
    product = folder / "product"
    product.mkdir()
    (product / "manifest.json").write_text(json.dumps(manifest))
    files = [report]
    for number, content in enumerate(images):
        files.append(folder / f"image-{number}.dcm")
        files[-1].write_bytes(content)
    detection = load_vendor_detector(product).detect(files)
    assert detection.not_applicable is None
    return {observation.finding: observation for observation in detection.observations}


@pytest.mark.parametrize(
    ("observations", "images"),
    [
        pytest.param((seen(),), [image_bytes()], id="one finding without a place"),
        pytest.param(SEVERAL, [image_bytes()], id="several findings"),
        pytest.param(
            (seen("nodule", (10, 20, 30, 44), image="2.25.1.1.2"),),
            [
                image_bytes(number=number, SOPClassUID=CT, Modality="CT", ImagePositionPatient=[0, 0, number])
                for number in (1, 2, 3)
            ],
            id="a box on a slice of a CT",
        ),
        pytest.param(
            (seen("nodule", (10, 20, 30, 44), frame=1),),
            [
                image_bytes(
                    SOPClassUID=ENHANCED_CT,
                    Modality="CT",
                    NumberOfFrames=2,
                    PixelData=bytes(2 * 400 * 512),
                )
            ],
            id="a box on a frame of a multi-frame CT",
        ),
    ],
)
def test_a_report_is_valid_and_comes_back_as_what_was_seen(
    observations, images, sqlite_store, tmp_path
) -> None:
    case_id = told_case(sqlite_store, *observations, images=images)
    path = written(result_of_case(sqlite_store, case_id, Form.SR), tmp_path)

    assert faults_of(path) == []
    assert "Imaging Measurement Report" in dumped(path)
    found = read_back(path, images, tmp_path)
    for wanted in observations:
        got = found[wanted.finding]
        assert (got.presence, got.laterality, got.regions) == (
            wanted.presence,
            wanted.laterality,
            wanted.regions,
        )
        assert got.probability == pytest.approx(wanted.probability, abs=1e-9)
        assert got.size_mm == wanted.size_mm
        assert got.sop_instance_uid == wanted.sop_instance_uid


def test_an_overcall_says_that_the_image_does_not_show_it(sqlite_store, tmp_path) -> None:
    absent = seen("mass", presence=Presence.ABSENT, probability=0.001)
    case_id = told_case(sqlite_store, absent, report=MASS)

    path = written(result_of_case(sqlite_store, case_id, Form.SR), tmp_path)

    assert faults_of(path) == []
    text = dumped(path)
    assert '(272519000,SCT,"Absent")' in text
    assert "POSSIBLE_OVERCALL" in text
    assert "REPORT_STATES" in text
    assert read_back(path, [image_bytes()], tmp_path)["mass"].presence is Presence.ABSENT


def test_a_report_names_device_algorithm_patient_and_the_very_instance(sqlite_store, tmp_path) -> None:
    case_id = told_case(sqlite_store, seen("nodule", (10, 20, 30, 44)))

    made = result_of_case(sqlite_store, case_id, Form.SR)
    text = dumped(written(made, tmp_path))

    assert (made.Manufacturer, made.PatientID, made.AccessionNumber) == ("overread", "P1", "A1")
    assert made.StudyInstanceUID == "2.25.1"
    assert 'Device Observer Name")="overread"' in text
    assert 'Algorithm Name")="shows"' in text
    assert 'Algorithm Version")="7"' in text
    assert "1.1 lung nodule: possible miss" in text
    (series,) = made.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert [item.ReferencedSOPInstanceUID for item in series.ReferencedSOPSequence] == ["2.25.1.1.1"]


def test_the_same_result_made_twice_is_the_same_to_the_byte(sqlite_store, tmp_path) -> None:
    case_id = told_case(sqlite_store, *SEVERAL)

    first = written(result_of_case(sqlite_store, case_id, Form.SR), tmp_path).read_bytes()
    again = written(result_of_case(sqlite_store, case_id, Form.SR), tmp_path).read_bytes()

    assert first == again


def test_a_further_revision_of_a_case_has_another_uid(sqlite_store) -> None:
    case_id = told_case(sqlite_store, seen())
    first = result_of_case(sqlite_store, case_id, Form.SR)
    send_report(sqlite_store, "No mass is seen. No effusion.", accession="A1")
    close_study(sqlite_store, "2.25.1", now=NOW)
    triage_again(sqlite_store, case_id, seen())

    second = result_of_case(sqlite_store, case_id, Form.SR)

    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.SeriesInstanceUID == second.SeriesInstanceUID


def test_a_name_that_a_library_finds_fault_with_is_told_to_nobody(sqlite_store, capfd) -> None:
    case_id = told_case(sqlite_store, seen(), images=[image_bytes(PatientName="Zaphod")])

    made = result_of_case(sqlite_store, case_id, Form.SR)

    assert made.PatientName == "Zaphod"
    said = capfd.readouterr()
    assert "Zaphod" not in said.out + said.err
