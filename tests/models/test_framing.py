"""A framed image leads back to the stored one."""

import numpy as np
import pytest

from models.framing import AS_STORED, Framing
from models.localisation import Box

FIELD = Box(left=0.25, top=0.1, right=0.75, bottom=0.9)


def mark(shape: tuple[int, int], box: Box) -> np.ndarray:
    """An image that is white in the box."""
    rows, columns = shape
    image = np.zeros(shape, np.uint8)
    image[
        round(box.top * rows) : round(box.bottom * rows),
        round(box.left * columns) : round(box.right * columns),
    ] = 1
    return image


def surroundings(image: np.ndarray) -> Box:
    rows, columns = np.nonzero(image)
    return Box(
        left=columns.min() / image.shape[1],
        top=rows.min() / image.shape[0],
        right=(columns.max() + 1) / image.shape[1],
        bottom=(rows.max() + 1) / image.shape[0],
    )


def corners(box: Box) -> tuple[float, ...]:
    return (box.left, box.top, box.right, box.bottom)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("field", [Box(left=0, top=0, right=1, bottom=1), FIELD])
def test_a_box_in_the_framed_image_comes_back_to_where_it_is_stored(turns, field) -> None:
    stored = mark((100, 200), Box(left=0.3, top=0.2, right=0.35, bottom=0.5))
    framing = Framing(field=field, quarter_turns=turns)
    back = framing.to_stored(surroundings(framing.apply(stored)))
    assert corners(back) == pytest.approx((0.3, 0.2, 0.35, 0.5))


def test_one_turn_is_counter_clockwise() -> None:
    framed = Framing(quarter_turns=1).apply(np.array([[1, 2], [3, 4]]))
    assert framed.tolist() == [[2, 4], [1, 3]]


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_grid_over_the_framed_image_comes_back_turned_as_it_is_stored(turns) -> None:
    stored = np.arange(12).reshape(3, 4)
    framing = Framing(quarter_turns=turns)
    assert (framing.map_to_stored(framing.apply(stored)) == stored).all()


def test_turns_add_up_and_two_inversions_are_none() -> None:
    framing = Framing(quarter_turns=3, inverted=True).then(quarter_turns=2, inverted=True)
    assert framing == Framing(quarter_turns=1)


def test_a_cut_of_a_turned_image_keeps_what_is_seen_there() -> None:
    stored = np.arange(64).reshape(8, 8)
    turned = Framing(quarter_turns=1)
    seen = turned.apply(stored)[2:6, 4:8]
    cut = turned.cut(Box(left=0.5, top=0.25, right=1.0, bottom=0.75))
    assert (cut.apply(stored) == seen).all()


def test_as_stored_changes_nothing() -> None:
    stored = np.arange(6).reshape(2, 3)
    assert (AS_STORED.apply(stored) == stored).all()
