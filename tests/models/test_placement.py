"""Where on a network's input an image lies, and the way back."""

import numpy as np
import pytest
from pydicom.dataset import Dataset

from models.framing import Framing
from models.io_format import InputForm
from models.localisation import Box
from models.manifest import NetworkFile
from models.placement import prepare

IMAGE = np.random.default_rng(2).integers(0, 4000, (120, 240), dtype=np.uint16)


def network(**form) -> NetworkFile:
    return NetworkFile(
        file="network.onnx",
        sha256="",
        input_name="image",
        rows=60,
        columns=60,
        range_min=0.0,
        range_max=1.0,
        scores_output="scores",
        input_form=InputForm(**form),
    )


def edges(box: Box) -> tuple[float, ...]:
    return box.left, box.top, box.right, box.bottom


def test_padding_keeps_the_shape_and_is_black() -> None:
    pixels, placement = prepare(IMAGE, Dataset(), network(fit="pad"))
    assert pixels.shape == (60, 60)
    assert not pixels[:15].any()
    assert not pixels[45:].any()
    assert pixels[15:45].mean() > 0.3
    assert edges(placement.to_stored(Box(left=0.5, top=0.5, right=1.0, bottom=0.75))) == pytest.approx(
        (0.5, 0.5, 1.0, 1.0)
    )
    beside = placement.to_stored(Box(left=0.0, top=0.0, right=1.0, bottom=0.2))
    assert beside.top == beside.bottom == 0.0


def test_a_map_over_a_padded_input_is_sampled_where_the_image_lies() -> None:
    _, placement = prepare(IMAGE, Dataset(), network(fit="pad"))
    grid = np.arange(16, dtype=np.float32).reshape(4, 4)
    assert placement.cells(grid)[:, 0].tolist() == [4, 4, 8, 8]
    assert placement.cells(grid)[0].tolist() == [4, 5, 6, 7]


def test_cutting_keeps_the_middle_square() -> None:
    pixels, placement = prepare(IMAGE, Dataset(), network(fit="crop"))
    square, _ = prepare(IMAGE[:, 60:180], Dataset(), network())
    assert np.array_equal(pixels, square)
    assert edges(placement.to_stored(Box(left=0.0, top=0.0, right=1.0, bottom=0.5))) == pytest.approx(
        (0.25, 0.0, 0.75, 0.5)
    )


def test_cutting_follows_the_turn_of_the_image() -> None:
    turned = Framing(quarter_turns=1)
    pixels, placement = prepare(IMAGE, Dataset(), network(fit="crop"), turned)
    square, _ = prepare(np.rot90(IMAGE[:, 60:180]), Dataset(), network())
    assert np.array_equal(pixels, square)
    # Turned counter-clockwise, the right of the stored image is at the top.
    top = placement.to_stored(Box(left=0.0, top=0.0, right=1.0, bottom=0.1))
    assert edges(top) == pytest.approx((0.7, 0.0, 0.75, 1.0))


def test_the_displayed_image_is_what_the_window_shows() -> None:
    header = Dataset()
    header.WindowCenter, header.WindowWidth = 1000.5, 1001  # from 500 to 1500
    flat = np.full((60, 60), 1000, np.uint16)
    flat[:30] = 3000
    shown, _ = prepare(flat, header, network(grey="displayed"))
    assert shown[40, 40] == pytest.approx(0.5, abs=1e-3)
    assert shown[10, 10] == 1.0
    header.PhotometricInterpretation = "MONOCHROME1"
    inverted, _ = prepare(flat, header, network(grey="displayed"))
    assert inverted[10, 10] == 0.0
