"""Drawing where a finding is."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from overread.observation import DetectorObservation, HeatMap
from service.pictures.overlay import ACCENT, compose, draw_overlay
from tests.service.web.seeing import seen

SEEN = seen("mass", "2.25.1")  # evidence and box in the lower right quarter of 8 by 8 pixels


def drawn(
    observation: DetectorObservation, width: int = 80, height: int = 80
) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    return np.asarray(draw_overlay(observation, columns=8, rows=8, width=width, height=height))


def with_map(*values: tuple[float, ...]) -> DetectorObservation:
    assert SEEN.heat_map is not None
    return replace(SEEN, regions=(), heat_map=HeatMap(region=SEEN.heat_map.region, values=values))


def test_a_box_lies_where_its_pixels_are_at_any_scale() -> None:
    boxed = replace(SEEN, heat_map=None)
    for width, height in ((80, 80), (160, 40)):
        layer = drawn(boxed, width, height)
        lines = np.argwhere((layer[..., :3] == ACCENT).all(axis=2) & (layer[..., 3] == 255))
        assert tuple(lines.min(axis=0)) == (height // 2, width // 2)


def test_the_heat_map_is_strongest_where_the_evidence_is() -> None:
    alpha = drawn(with_map((0.0, 0.0), (0.0, 1.0)))[..., 3]
    row, column = np.unravel_index(alpha.argmax(), alpha.shape)
    assert row > 40
    assert column > 40
    assert alpha[:30, :30].max() == 0


def test_a_weak_map_shows_its_place_as_clearly_as_a_strong_one() -> None:
    weak, strong = (drawn(with_map((0.0, 0.0), (0.0, level)))[..., 3] for level in (0.2, 0.9))
    assert abs(int(weak.max()) - int(strong.max())) <= 1


def test_a_flat_map_shows_nothing() -> None:
    assert drawn(with_map((0.0, 0.0), (0.0, 0.0)))[..., 3].max() == 0


@pytest.mark.parametrize("shape", [(80, 80), (80, 80, 3)])
def test_the_image_stays_what_it_is_outside_the_overlay(shape: tuple[int, ...]) -> None:
    pixels = np.full(shape, 100, np.uint8)
    overlay = draw_overlay(SEEN, columns=8, rows=8, width=80, height=80)
    composed = np.asarray(compose(pixels, overlay))
    assert composed.shape == (80, 80, 3)
    assert (composed[:20, :20] == 100).all()
    assert (composed[45:75, 45:75] != 100).any()
    assert np.asarray(compose(pixels, None)).shape == shape
    assert isinstance(compose(pixels, None), Image.Image)
