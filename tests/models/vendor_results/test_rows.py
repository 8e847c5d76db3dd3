"""Rows of a file as the observations of a product."""

from pathlib import Path

import pytest
from pydicom import dcmread

from models.releases import load_detector
from overread.errors import ModelError
from overread.observation import Detection, Laterality, Presence
from overread.ports import Detector
from tests.models.vendor_results.products import CURVE, PATIENT, STATED, write_image, write_rows_manifest

STUDY, IMAGE = "2.25.7", "2.25.7.1.1"
FULL = (
    "study_instance_uid,patient_id,finding,present,score,side,sop_instance_uid,"
    "column_min,row_min,column_max,row_max"
)


@pytest.fixture
def image(tmp_path) -> Path:
    return write_image(tmp_path)


def product(folder: Path, *lines: str, **manifest: object) -> Detector:
    write_rows_manifest(folder / "product", **manifest)
    write_rows(folder, *lines)
    return load_detector("product", folder)


def write_rows(folder: Path, *lines: str) -> None:
    (folder / "product" / "results.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def said(detection: Detection) -> dict[str, tuple[Presence, Laterality]]:
    return {item.finding: (item.presence, item.laterality) for item in detection.observations}


def test_a_row_states_its_finding_with_side_and_box(tmp_path, image) -> None:
    detector = product(tmp_path, FULL, f"{STUDY},{PATIENT},nodule,yes,0.8,R,{IMAGE},10,20,60,80")

    detection = detector.detect([image])

    (nodule,) = detection.observations
    (region,) = nodule.regions
    assert (nodule.finding, nodule.presence, nodule.laterality) == (
        "nodule",
        Presence.PRESENT,
        Laterality.RIGHT,
    )
    assert (nodule.score, nodule.sop_instance_uid) == (0.8, IMAGE)
    assert (region.column_min, region.row_min, region.column_max, region.row_max) == (10, 20, 60, 80)
    assert detection.remarks == ()


def test_accession_numbers_and_words_of_its_own_will_do(tmp_path, image) -> None:
    detector = product(
        tmp_path,
        "accession_number,finding,side",
        "A7,Lung nodule,left",
        "A8,Lung nodule,right",
        codes={"lung NODULE": "nodule"},
    )

    assert said(detector.detect([image])) == {"nodule": (Presence.PRESENT, Laterality.LEFT)}


def test_a_row_that_names_another_study_is_not_taken_by_its_accession_number(tmp_path, image) -> None:
    detector = product(tmp_path, "study_instance_uid,accession_number,finding", "2.25.8,A7,nodule")

    assert detector.detect([image]).not_applicable == "acme-chest-reader has no row for this study"


@pytest.mark.parametrize(
    ("silence", "expected"),
    [
        ("absent", {"pneumothorax": Presence.ABSENT, "nodule": Presence.ABSENT}),
        ("unknown", {}),
    ],
)
def test_a_row_without_a_finding_says_that_the_product_looked(tmp_path, image, silence, expected) -> None:
    detector = product(tmp_path, "study_instance_uid,finding", f"{STUDY},", silence=silence)

    detection = detector.detect([image])

    assert detection.not_applicable is None
    assert {item.finding: item.presence for item in detection.observations} == expected


def test_a_study_without_a_row_is_not_applicable_even_where_silence_denies(tmp_path, image) -> None:
    detector = product(tmp_path, "study_instance_uid,finding", "2.25.8,nodule", silence="absent")

    detection = detector.detect([image])

    assert detection.observations == ()
    assert detection.not_applicable == "acme-chest-reader has no row for this study"


def test_a_score_without_presence_counts_only_where_it_is_calibrated(tmp_path, image) -> None:
    lines = ("study_instance_uid,finding,score", f"{STUDY},nodule,90")
    bare = product(tmp_path, *lines, score_range=[0, 100]).detect([image])
    fitted = product(
        tmp_path, *lines, score_range=[0, 100], findings={"nodule": {"stated": STATED, "calibration": CURVE}}
    ).detect([image])

    assert bare.observations == ()
    assert bare.remarks == ("the product gives a score for nodule; the manifest does not calibrate it",)
    assert [item.score for item in fitted.observations] == [0.9]
    assert fitted.observations[0].prevalence == CURVE["prevalence"]


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (f"{PATIENT},blob,yes,,,,,,,", "'blob' is no finding that overread knows"),
        (f"{PATIENT},nodule,maybe,,,,,,,", "presence 'maybe' is not understood"),
        (f"{PATIENT},nodule,yes,,up,,,,,", "side 'up' is not understood"),
        (f"{PATIENT},nodule,yes,high,,,,,,", "score 'high' is no number from 0 to 1"),
        (f"{PATIENT},nodule,yes,1.5,,,,,,", "score '1.5' is no number from 0 to 1"),
        (f"{PATIENT},nodule,yes,,,{IMAGE},10,20,900,80", "its box does not lie on an image of the study"),
        (f"{PATIENT},nodule,yes,,,2.25.9,10,20,60,80", "its box does not lie on an image of the study"),
        (f"{PATIENT},nodule,yes,,,{IMAGE},10,,60,80", "its box does not lie on an image of the study"),
    ],
)
def test_what_a_row_says_wrongly_is_a_remark_with_its_line(tmp_path, image, cells, why) -> None:
    detector = product(tmp_path, FULL, f"{STUDY},{cells}")

    detection = detector.detect([image])

    assert any(remark.startswith("line 2") and why in remark for remark in detection.remarks)
    assert all(item.regions == () for item in detection.observations)


def test_a_row_of_another_patient_is_not_read_and_the_patient_not_named(tmp_path, image) -> None:
    detector = product(tmp_path, FULL, f"{STUDY},P2,nodule,yes,,,,,,,")

    detection = detector.detect([image])

    assert detection.observations == ()
    assert "line 2 names another patient than the images" in str(detection.not_applicable)
    assert "P2" not in str(detection.not_applicable)


def test_rows_that_come_later_are_seen(tmp_path, image) -> None:
    detector = product(tmp_path, "study_instance_uid,finding")
    before = detector.detect([image])

    write_rows(tmp_path, "study_instance_uid,finding", f"{STUDY},nodule")
    after = detector.detect([image])

    assert before.not_applicable is not None
    assert said(after) == {"nodule": (Presence.PRESENT, Laterality.UNSPECIFIED)}


@pytest.mark.parametrize("content", ["study_instance_uid\n", "finding\n", "", "\xff"])
def test_a_file_that_cannot_be_used_is_a_reason_not_a_failure(tmp_path, image, content) -> None:
    detector = product(tmp_path, "study_instance_uid,finding")
    (tmp_path / "product" / "results.csv").write_bytes(content.encode("latin-1"))

    detection = detector.detect([image])

    assert "results.csv" in str(detection.not_applicable)


def test_a_file_that_vanishes_is_a_reason_and_one_that_never_was_an_error(tmp_path, image) -> None:
    detector = product(tmp_path, "study_instance_uid,finding", f"{STUDY},nodule")
    detector.detect([image])
    (tmp_path / "product" / "results.csv").unlink()

    assert "cannot be read" in str(detector.detect([image]).not_applicable)
    with pytest.raises(ModelError, match=r"results\.csv is missing"):
        load_detector("product", tmp_path)


def test_the_image_that_is_shown_is_of_the_study(tmp_path, image) -> None:
    second = write_image(tmp_path, number=2)
    detector = product(
        tmp_path,
        "study_instance_uid,finding,sop_instance_uid",
        f"{STUDY},nodule,{dcmread(second).SOPInstanceUID}",
        f"{STUDY},pneumothorax,2.25.99",
    )

    shown = {item.finding: item.sop_instance_uid for item in detector.detect([image, second]).observations}

    assert shown == {"nodule": "2.25.7.1.2", "pneumothorax": IMAGE}
