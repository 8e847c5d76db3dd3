"""Draws where a detector's evidence for a finding lies: heat map and boxes, on the image or on nothing."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from models.dicom import read_header
from models.pixels import render_for_display
from models.stored import layout_of
from overread.observation import DetectorObservation, HeatMap, ImageRegion
from service.pictures.decoder import Decoder
from service.pictures.drawing import to_png
from service.web.picture_size import PictureSize

Rgb = tuple[int, int, int]

ACCENT: Rgb = (255, 176, 32)  # amber: seen on grey without taking the eyes' dark adaptation as blue does
_SHADOW: Rgb = (0, 0, 0)
_FAINTEST = 0.3  # of the strongest evidence: haze over the whole image hides what it should show
_FLAT = 1e-3  # a map whose strongest evidence is below this shows nothing
_BYTES_PER_PIXEL = (
    40  # of the overlay and what it is made of; `benchmarks.pictures --memory` prints what it took
)
_STRONGEST_ALPHA = 130  # of 255, so that the image stays readable under the strongest evidence


class Ground(StrEnum):
    """Background of the overlay."""

    IMAGE = "image"
    TRANSPARENT = "transparent"


def overlay_bytes(columns: int, rows: int, max_side: int) -> int:
    """Return the memory that an overlay on an image of that size takes beyond the image."""
    width, height = PictureSize(columns=columns, rows=rows).fitted(max_side)
    return width * height * _BYTES_PER_PIXEL


def draw_evidence(
    _: Decoder,
    path: Path,
    *,
    observation: DetectorObservation,
    ground: Ground,
    max_side: int,
    boxes: bool = True,
) -> bytes:
    """Return the overlay of an observation as PNG, on its image or on nothing. Runs in a child process.

    Without boxes it is the heat map alone, for a viewer that draws them itself at any size.

    Raises:
        InvalidDicomError: the header cannot be read.
        UndecodablePixelsError: the object is no image, or its pixels cannot be decoded.
    """
    observation = observation if boxes else replace(observation, regions=())
    layout = layout_of(read_header(path))
    size = PictureSize(columns=layout.columns, rows=layout.rows)
    width, height = size.fitted(max_side)
    pixels = None
    if ground is Ground.IMAGE:
        pixels = render_for_display(path, frame=frame_of(observation), max_side=max_side)
        height, width = pixels.shape[:2]
    layer = draw_overlay(observation, columns=size.columns, rows=size.rows, width=width, height=height)
    return to_png(layer if pixels is None else compose(pixels, layer))


def frame_of(observation: DetectorObservation) -> int:
    """Return the frame that the observation is drawn on."""
    regions = [*observation.regions]
    if observation.heat_map is not None:
        regions.append(observation.heat_map.region)
    return regions[0].frame if regions else 0


def draw_overlay(
    observation: DetectorObservation, *, columns: int, rows: int, width: int, height: int
) -> Image.Image:
    """Return a transparent picture of where the observation lies on an image of columns by rows."""
    overlay = Image.new("RGBA", (width, height), (*ACCENT, 0))
    across, down = width / columns, height / rows
    if observation.heat_map is not None:
        _lay_heat_map(overlay, observation.heat_map, across=across, down=down)
    for region in observation.regions:
        _draw_box(overlay, region, across=across, down=down)
    return overlay


def compose(image: npt.NDArray[np.uint8], overlay: Image.Image | None) -> Image.Image:
    """Return the image, grey or RGB, with the overlay on top."""
    picture = Image.fromarray(image)
    if overlay is None:
        return picture
    return Image.alpha_composite(picture.convert("RGBA"), overlay).convert("RGB")


def _lay_heat_map(overlay: Image.Image, heat_map: HeatMap, *, across: float, down: float) -> None:
    values = np.clip(np.asarray(heat_map.values, dtype=np.float32), 0.0, 1.0)
    left, top, right, bottom = _pixels(heat_map.region, across=across, down=down)
    size = (max(right - left, 1), max(bottom - top, 1))
    smooth = np.asarray(Image.fromarray(values, mode="F").resize(size, Image.Resampling.BICUBIC))
    # The level of the map tells how likely it is, which the page says in numbers; the picture says where.
    relative = smooth / max(float(values.max()), _FLAT)
    strength = np.clip((relative - _FAINTEST) / (1.0 - _FAINTEST), 0.0, 1.0)
    alpha = Image.fromarray((strength * _STRONGEST_ALPHA).astype(np.uint8))
    layer = Image.new("RGBA", overlay.size, (*ACCENT, 0))
    layer.paste(Image.new("RGBA", size, (*ACCENT, 255)), (left, top), alpha)
    overlay.alpha_composite(layer)


def _draw_box(overlay: Image.Image, region: ImageRegion, *, across: float, down: float) -> None:
    box = _pixels(region, across=across, down=down)
    line = max(round(max(overlay.size) / 400), 2)
    pen = ImageDraw.Draw(overlay)
    outer = (box[0] - line, box[1] - line, box[2] + line, box[3] + line)
    pen.rectangle(outer, outline=(*_SHADOW, 170), width=line)
    pen.rectangle(box, outline=(*ACCENT, 255), width=line)


def _pixels(region: ImageRegion, *, across: float, down: float) -> tuple[int, int, int, int]:
    left, right = round(region.column_min * across), round(region.column_max * across)
    top, bottom = round(region.row_min * down), round(region.row_max * down)
    return left, top, max(right, left + 1), max(bottom, top + 1)
