"""What the header says about turns is undone, and what is found comes back to the pixels as stored."""

import numpy as np
import pytest

from models.onnx_detector import OnnxDetector
from overread.observation import Detection, DetectorObservation, Laterality
from tests.models.radiographs import chest_with_shadow, write_radiograph
from tests.models.tiny_release import write_tiny_release

SHADOW = chest_with_shadow(column=40, row=100)  # rows 100 to 160, columns 40 to 100 of 300


@pytest.fixture(scope="module")
def detector(tmp_path_factory) -> OnnxDetector:
    return OnnxDetector(write_tiny_release(tmp_path_factory.mktemp("releases") / "tiny"))


def mass(detection: Detection) -> DetectorObservation:
    (found,) = [observation for observation in detection.observations if observation.finding == "mass"]
    return found


@pytest.mark.parametrize(
    ("orientation", "stored", "degrees"),
    [
        (["L", "F"], SHADOW, 0),
        (["H", "L"], np.rot90(SHADOW, -1), 90),  # the head lies at the right: turned clockwise
        (["R", "H"], np.rot90(SHADOW, -2), 180),
        (["F", "R"], np.rot90(SHADOW, -3), 270),
    ],
)
def test_an_image_that_says_it_is_turned_is_read_upright(
    detector, tmp_path, orientation, stored, degrees
) -> None:
    path = write_radiograph(tmp_path / "a.dcm", np.ascontiguousarray(stored), PatientOrientation=orientation)
    detection = detector.detect([path])
    found = mass(detection)
    assert found.laterality is Laterality.RIGHT  # left in the upright image
    (box,) = found.regions
    rows, columns = np.nonzero(stored > 2000)
    middle = ((box.column_min + box.column_max) / 2, (box.row_min + box.row_max) / 2)
    assert middle == pytest.approx((columns.mean(), rows.mean()), abs=20)
    heat = np.array(found.heat_map.values)
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert stored[int((row + 0.5) * 300 / 8), int((column + 0.5) * 300 / 8)] > 2000
    said = [f"was turned by {degrees}°" in remark for remark in detection.remarks]
    assert said == ([True] if degrees else [])


def test_what_is_upside_down_without_being_turned_is_mirrored(detector, tmp_path) -> None:
    stored = np.ascontiguousarray(SHADOW[::-1])
    path = write_radiograph(tmp_path / "a.dcm", stored, PatientOrientation=["L", "H"])
    assert mass(detector.detect([path])).laterality is Laterality.RIGHT


def test_a_release_that_asks_for_no_appearance_reads_any_pixels(detector, tmp_path) -> None:
    noise = np.random.default_rng(1).integers(0, 4000, (300, 300)).astype(np.uint16)
    detection = detector.detect([write_radiograph(tmp_path / "a.dcm", noise)])
    assert detection.not_applicable is None
