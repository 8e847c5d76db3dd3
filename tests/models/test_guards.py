"""The guard on the real chest and the real hand of pydicom-data, which its weights were not made from."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from models.decoding import decode_frame
from models.dicom import read_header
from models.framing import AS_STORED, WHOLE, Framing
from models.guards import GRID, exposed_field, frame, load_guard
from models.intensity import normalise, resize
from models.releases import load_onnx_detector
from tests.models.radiographs import write_radiograph
from tests.models.test_decoding import real

CHEST = "RG1_UNCR.dcm"


def chest() -> np.ndarray:
    """The chest as MONOCHROME2 in 16 bits, a quarter of its sides."""
    path = real(CHEST)
    stored = decode_frame(path, read_header(path))
    return (stored.max() - stored)[::2, ::2].astype(np.uint16)


def hand() -> np.ndarray:
    path = real("RG3_UNCR.dcm")
    stored = decode_frame(path, read_header(path))
    return (stored.max() - stored)[::2, ::2].astype(np.uint16)


def looked_at(stored: np.ndarray):
    """Give the guard what a network of 256 pixels would see."""

    def look(framing: Framing) -> np.ndarray:
        grey = resize(framing.apply(stored), rows=256, columns=256)
        return normalise(-grey if framing.inverted else grey)

    return frame(look, AS_STORED, load_guard())


@pytest.fixture(scope="module")
def detector():
    return load_onnx_detector()


def test_a_chest_is_let_through_untouched() -> None:
    framed = looked_at(chest())
    assert framed.pixels is not None
    assert framed.framing == AS_STORED
    assert framed.remarks == ()


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("inverted", [False, True])
def test_a_chest_is_brought_upright_however_it_is_stored(turns, inverted) -> None:
    pixels = chest()
    stored = np.rot90(pixels.max() - pixels if inverted else pixels, -turns)
    framed = looked_at(stored)
    assert framed.framing == Framing(quarter_turns=turns, inverted=inverted)
    np.testing.assert_allclose(framed.pixels, looked_at(pixels).pixels, atol=0.02)
    assert len(framed.remarks) == (1 if turns or inverted else 0)


def test_the_remark_says_what_was_done() -> None:
    pixels = chest()
    (remark,) = looked_at(np.rot90(pixels.max() - pixels, -1)).remarks
    assert remark.startswith("was turned by 90° counter-clockwise and was inverted: its pixels show")


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_hand_is_no_chest_in_whichever_way_it_is_turned(turns) -> None:
    framed = looked_at(np.rot90(hand(), turns))
    assert framed.pixels is None
    assert "does not look like a frontal chest radiograph" in framed.reason


def test_noise_and_a_page_of_lines_are_no_chests() -> None:
    noise = np.random.default_rng(1).integers(0, 4000, (500, 500)).astype(np.uint16)
    lines = np.tile((np.arange(500) % 40 < 12) * 3000, (500, 1)).T + noise // 20
    assert looked_at(noise).pixels is None
    assert looked_at(lines).pixels is None


def test_an_empty_image_is_refused_as_empty() -> None:
    assert looked_at(np.full((400, 400), 77, np.uint16)).reason == "is empty: its pixels are all alike"


@pytest.mark.parametrize("value", [0, 60000])
def test_a_wide_border_is_cut_away_and_a_marker_in_it_does_not_hold_it(value) -> None:
    pixels = chest()
    rows, columns = pixels.shape
    stored = np.pad(pixels, ((rows // 4, rows // 4), (columns // 4, columns // 4)), constant_values=value)
    stored[20:40, 30:60] = 30000
    framed = looked_at(stored)
    field = framed.framing.field
    edges = (field.left, field.top, field.right, field.bottom)
    assert edges == pytest.approx((1 / 6, 1 / 6, 5 / 6, 5 / 6), abs=1.5 / GRID)
    assert "cut to its exposed field" in framed.remarks[0]
    assert np.abs(framed.pixels - looked_at(pixels).pixels).mean() < 0.06


def test_a_narrow_border_is_left() -> None:
    pixels = np.pad(chest(), 40, constant_values=0)
    assert looked_at(pixels).framing.field == WHOLE
    assert exposed_field(normalise(resize(pixels, rows=256, columns=256))) is None


def test_a_mirrored_chest_is_read_and_its_side_doubted() -> None:
    guard = load_guard()
    upright = looked_at(chest()).pixels
    assert guard.mirror_likelihood(upright[:, ::-1]) == pytest.approx(1 - guard.mirror_likelihood(upright))
    assert guard.mirror_likelihood(upright) < 0.5


def test_a_judgement_costs_a_small_part_of_what_the_network_does(detector) -> None:
    pixels = looked_at(chest()).pixels
    guard = load_guard()

    def judged() -> None:
        exposed_field(pixels)
        guard.judge(pixels)
        guard.mirror_likelihood(pixels)

    network = detector.manifest.network
    batch = np.zeros((1, network.rows, network.columns), np.float32)

    assert processor_seconds(judged) < 0.1 * processor_seconds(lambda: detector.scores(batch))


def processor_seconds(work: Callable[[], object]) -> float:
    """Return the least that it took of the processor in several runs."""
    seconds = []
    for _ in range(20):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def stored_as(path: Path, pixels: np.ndarray, **attributes: object) -> Path:
    return write_radiograph(path, np.ascontiguousarray(pixels), **attributes)


def test_the_released_detector_reads_a_turned_chest_and_points_into_the_stored_pixels(
    detector, tmp_path
) -> None:
    pixels = chest()
    upright = detector.detect([stored_as(tmp_path / "a.dcm", pixels)])
    turned = detector.detect([stored_as(tmp_path / "b.dcm", np.rot90(pixels, -1))])
    assert "turned by 90°" in turned.remarks[0]
    for before, after in zip(upright.observations, turned.observations, strict=True):
        assert after.probability == pytest.approx(before.probability, abs=0.02)
        assert after.laterality is before.laterality
        if before.regions and after.regions:
            first, second = before.regions[0], after.regions[0]
            # A clockwise turn brings the top row to the right: column = rows - row, row = column.
            middle = (first.row_min + first.row_max) / 2, (first.column_min + first.column_max) / 2
            expected = (pixels.shape[0] - middle[0], middle[1])
            found = (second.column_min + second.column_max) / 2, (second.row_min + second.row_max) / 2
            assert found == pytest.approx(expected, abs=0.03 * max(pixels.shape))
        heat = np.array(after.heat_map.values)
        np.testing.assert_allclose(np.rot90(heat), np.array(before.heat_map.values), atol=0.05)


def test_the_released_detector_refuses_a_hand_that_says_it_is_a_chest(detector, tmp_path) -> None:
    detection = detector.detect([stored_as(tmp_path / "hand.dcm", hand())])
    assert detection.observations == ()
    assert "does not look like a frontal chest radiograph" in str(detection.not_applicable)


def test_the_released_detector_trusts_pixels_over_a_wrong_photometric_interpretation(
    detector, tmp_path
) -> None:
    dataset = dcmread(real(CHEST))
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.save_as(tmp_path / "wrong.dcm")
    wrong, right = detector.detect([tmp_path / "wrong.dcm"]), detector.detect([real(CHEST)])
    assert "was inverted" in wrong.remarks[0]
    for before, after in zip(right.observations, wrong.observations, strict=True):
        assert after.score == pytest.approx(before.score, abs=1e-4)


def test_a_field_that_is_too_small_within_its_border_is_refused(detector, tmp_path) -> None:
    small = resize(chest().astype(np.float32), rows=150, columns=150).astype(np.uint16)
    bordered = np.pad(small, 75)
    detection = detector.detect([stored_as(tmp_path / "small.dcm", bordered)])
    assert "within its border; 200 a side are needed" in str(detection.not_applicable)
