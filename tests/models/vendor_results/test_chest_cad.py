"""Chest CAD reports (TID 4100), built element by element, read as observations."""

import subprocess
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from models.releases import load_detector
from overread.observation import Detection, Presence
from tests.models.vendor_results.products import mark, write_chest_cad, write_image, write_manifest

OUTLINE = (10, 20, 60, 20, 60, 80, 10, 80, 10, 20)
OPACITY, LUCENCY = codes.DCM.AbnormalOpacity, codes.DCM.AbnormalLucency
NODULE, PTX = codes.SCT.Nodule, codes.SCT.Pneumothorax


@pytest.fixture
def image(tmp_path) -> Path:
    return write_image(tmp_path)


def detect(
    folder: Path, image: Path, *marks: object, summary: Code | None = None, **changes: object
) -> Detection:
    write_manifest(folder / "product", **({"silence": "absent"} | changes))
    more = {} if summary is None else {"summary": summary}
    document = write_chest_cad(folder / "cad.dcm", image, marks, **more)
    return load_detector("product", folder).detect((image, document))


def presences(detection: Detection) -> dict[str, Presence]:
    return {item.finding: item.presence for item in detection.observations}


def test_a_mark_states_what_its_modifier_says_where_its_outline_lies(tmp_path, image) -> None:
    detection = detect(tmp_path, image, mark(OPACITY, NODULE, certainty=72, outline=OUTLINE))

    nodule = next(item for item in detection.observations if item.finding == "nodule")
    (region,) = nodule.regions
    assert nodule.presence is Presence.PRESENT
    assert nodule.score == pytest.approx(0.72)
    assert (region.column_min, region.row_min, region.column_max, region.row_max) == (10, 20, 60, 80)
    # The outline names its image by reference to the library of the document.
    assert region.sop_instance_uid == dcmread(image).SOPInstanceUID
    assert detection.remarks == ()


def test_what_all_algorithms_passed_over_is_denied(tmp_path, image) -> None:
    detection = detect(tmp_path, image, mark(LUCENCY, PTX))

    assert presences(detection) == {"pneumothorax": Presence.PRESENT, "nodule": Presence.ABSENT}


def test_a_report_without_marks_denies_everything(tmp_path, image) -> None:
    detection = detect(tmp_path, image, summary=codes.DCM.AllAlgorithmsSucceededWithoutFindings)

    assert presences(detection) == {"pneumothorax": Presence.ABSENT, "nodule": Presence.ABSENT}


def test_what_an_algorithm_failed_to_look_for_is_not_denied(tmp_path, image) -> None:
    summary = codes.DCM.NotAllAlgorithmsSucceededWithFindings

    detection = detect(tmp_path, image, mark(LUCENCY, PTX), summary=summary)

    assert presences(detection) == {"pneumothorax": Presence.PRESENT}
    assert any("not all of its algorithms succeeded" in remark for remark in detection.remarks)


def test_a_product_that_failed_altogether_is_not_applicable(tmp_path, image) -> None:
    detection = detect(tmp_path, image, summary=codes.DCM.NoAlgorithmsSucceededWithoutFindings)

    assert detection.observations == ()
    assert "none of its algorithms succeeded" in str(detection.not_applicable)


def test_a_mark_that_is_not_to_be_shown_lies_below_the_operating_point(tmp_path, image) -> None:
    hidden = mark(
        OPACITY,
        NODULE,
        certainty=12,
        intent=codes.DCM.NotForPresentationRenderingDeviceExpectedNotToPresent,
    )

    nodule = next(item for item in detect(tmp_path, image, hidden).observations if item.finding == "nodule")

    assert nodule.presence is Presence.ABSENT
    assert nodule.score == pytest.approx(0.12)


def test_a_mark_that_overread_cannot_name_is_a_remark(tmp_path, image) -> None:
    detection = detect(tmp_path, image, mark(codes.DCM.AbnormalTexture, codes.DCM.MosaicPattern))

    assert any("(Mosaic Pattern) is no finding" in item or "Mosaic" in item for item in detection.remarks)


def test_the_test_documents_are_chest_cad_documents_by_the_rules_of_dcmtk(tmp_path, image) -> None:
    document = write_chest_cad(
        tmp_path / "cad.dcm", image, [mark(OPACITY, NODULE, certainty=72, outline=OUTLINE)]
    )
    try:
        checked = subprocess.run(["dsrdump", document], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("dcmtk is not installed")

    assert checked.returncode == 0, checked.stderr
    assert "Chest CAD SR Document" in checked.stdout
