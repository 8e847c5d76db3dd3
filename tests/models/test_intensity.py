"""Grey values to a network's input, with the arithmetic shown."""

import numpy as np
import pytest
from PIL import Image

from models.intensity import normalise, resize


def grain(rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 4000, size=(rows, columns)).astype(np.uint16)


def test_a_new_pixel_is_the_mean_of_what_it_covers() -> None:
    values = np.array([[0, 2, 10, 10], [4, 6, 10, 10], [1, 1, 7, 7], [1, 1, 7, 7]], np.uint16)
    # The quarters have the means 3, 10, 1 and 7; those of the four are 5.25.
    assert resize(values, rows=1, columns=1) == pytest.approx(5.25)
    constant = np.full((2000, 1800), 700, np.uint16)
    np.testing.assert_allclose(resize(constant, rows=256, columns=256), 700, rtol=1e-6)


@pytest.mark.parametrize("side", [2048, 1024, 256])
def test_large_images_are_shrunk_as_pillow_does_with_its_gap(side) -> None:
    values = grain(side, side)
    image = Image.fromarray(values.astype(np.float32))
    expected = np.asarray(image.resize((128, 128), Image.Resampling.BILINEAR, reducing_gap=2.0))
    np.testing.assert_allclose(resize(values, rows=128, columns=128), expected, rtol=1e-5)


def test_sizes_that_do_not_divide_lose_less_than_half_a_new_pixel() -> None:
    rows, columns = 2047, 1999
    ramp = np.tile(np.arange(columns, dtype=np.float32), (rows, 1))
    resized = resize(ramp, rows=256, columns=256)[0]
    expected = (np.arange(256) + 0.5) * columns / 256
    assert np.abs(resized - expected)[1:-1].max() < columns / 256 / 2


def test_a_normalised_image_fills_zero_to_one_whatever_its_scale() -> None:
    grey = grain(100, 100).astype(np.float32)
    image = normalise(grey)
    assert (image.min(), image.max()) == pytest.approx((0, 1), abs=0.01)
    np.testing.assert_allclose(image, normalise(grey * 3 - 500), atol=1e-4)


def test_a_curved_grey_scale_changes_little_because_half_of_the_image_is_its_histogram() -> None:
    grey = np.linspace(0.01, 1, 10_000, dtype=np.float32).reshape(100, 100)
    curved = grey**2.5
    stretched_alone = np.abs(grey - curved).mean()
    assert np.abs(normalise(grey) - normalise(curved)).mean() < 0.55 * stretched_alone


def test_an_image_of_one_value_is_black() -> None:
    assert not normalise(np.full((10, 10), 5, np.float32)).any()
