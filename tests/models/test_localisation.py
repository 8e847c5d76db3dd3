"""Where a network looks becomes boxes and a side of the patient."""

import numpy as np
import pytest

from models.localisation import Box, find_boxes, find_laterality, relative_evidence
from overread.observation import Laterality


def grid(*peaks: tuple[int, int, float]) -> np.ndarray:
    """Return an 8 x 8 class map that is -3 but for peaks (row, column, level)."""
    values = np.full((8, 8), -3.0, np.float32)
    for row, column, level in peaks:
        values[row, column] = level
    return values


def test_evidence_is_relative_to_the_image_whatever_the_level_of_the_map() -> None:
    evidence = relative_evidence(grid((2, 1, 5.0)))
    np.testing.assert_allclose(evidence, relative_evidence(grid((2, 1, 5.0)) * 10 + 100), atol=1e-5)
    assert evidence[2, 1] == 1
    assert evidence[7, 7] == 0


def test_a_flat_map_is_evidence_of_nothing() -> None:
    evidence = relative_evidence(np.full((8, 8), 4.0, np.float32))
    assert not evidence.any()
    assert find_boxes(evidence) == ()
    assert find_laterality(evidence, mirrored=False) is Laterality.UNSPECIFIED


def test_a_box_lies_around_the_peak() -> None:
    (box,) = find_boxes(relative_evidence(grid((2, 1, 5.0))))
    assert 1 / 8 <= box.left < box.right <= 2 / 8
    assert 2 / 8 <= box.top < box.bottom <= 3 / 8


def test_separate_peaks_have_separate_boxes_with_the_strongest_first_and_not_too_many() -> None:
    boxes = find_boxes(relative_evidence(grid((1, 1, 5), (1, 2, 5), (6, 6, 5), (6, 1, 4.5), (3, 6, 4.5))))
    assert len(boxes) == 3
    assert isinstance(boxes[0], Box)
    assert boxes[0].right - boxes[0].left > 1 / 8  # the pair of cells


def test_a_speck_beside_a_patch_has_no_box_but_a_small_peak_has() -> None:
    patch = [(row, column, 5.0) for row in (1, 2) for column in (1, 2)]
    speck = [(6, 6, 2.8), (5, 6, 1.0), (6, 5, 1.0)]  # above the level in one corner of a cell
    assert len(find_boxes(relative_evidence(grid(*patch, *speck)))) == 1
    assert len(find_boxes(relative_evidence(grid(*patch, (6, 6, 5.0))))) == 2
    assert len(find_boxes(relative_evidence(grid(*speck)))) == 1  # alone it is all there is


@pytest.mark.parametrize(
    ("peaks", "side"),
    [
        ([(3, 1, 5)], Laterality.RIGHT),
        ([(3, 6, 5)], Laterality.LEFT),
        ([(3, 1, 5), (3, 6, 5)], Laterality.BILATERAL),
        ([(3, 0, 5), (4, 1, 5), (3, 1, 5), (3, 6, 1)], Laterality.RIGHT),
    ],
)
def test_the_left_of_a_frontal_image_is_the_right_of_the_patient(peaks, side) -> None:
    assert find_laterality(relative_evidence(grid(*peaks)), mirrored=False) is side


def test_a_mirrored_image_swaps_the_sides() -> None:
    evidence = relative_evidence(grid((3, 1, 5)))
    assert find_laterality(evidence, mirrored=True) is Laterality.LEFT


def test_the_middle_column_of_an_odd_grid_is_on_no_side() -> None:
    values = np.zeros((9, 9), np.float32)
    values[4, 4] = 1
    assert find_laterality(relative_evidence(values), mirrored=False) is Laterality.BILATERAL
