"""Placement of an image on a network's input: cut to a square, padded to one or stretched; and back."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from models.framing import AS_STORED, Framing
from models.intensity import Grey
from models.localisation import Box, Map
from models.manifest import NetworkFile
from models.pixels import displayed_input_from, network_input_from

_WHOLE = Box(left=0.0, top=0.0, right=1.0, bottom=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A part of the stored image, on a part of the input."""

    framing: Framing = AS_STORED  # what of the stored image, and which way up
    field: Box = _WHOLE  # of the input that it covers, in shares; the rest is black

    def to_stored(self, box: Box) -> Box:
        """Return a box in shares of the input as shares of the stored image, without what lies beside it."""
        width, height = self.field.right - self.field.left, self.field.bottom - self.field.top
        across = [min(max((edge - self.field.left) / width, 0.0), 1.0) for edge in (box.left, box.right)]
        down = [min(max((edge - self.field.top) / height, 0.0), 1.0) for edge in (box.top, box.bottom)]
        return self.framing.to_stored(Box(left=across[0], top=down[0], right=across[1], bottom=down[1]))

    def cells(self, grid: Map) -> Map:
        """Return a grid over the input as one of as many cells over the framed image."""
        if self.field == _WHOLE:
            return grid
        rows = _sampled(grid.shape[0], self.field.top, self.field.bottom)
        columns = _sampled(grid.shape[1], self.field.left, self.field.right)
        return grid[np.ix_(rows, columns)]


def prepare(
    stored: NDArray[Any], header: Dataset, network: NetworkFile, framing: Framing = AS_STORED
) -> tuple[Grey, Placement]:
    """Return decoded pixels in [0, 1] as the network of a release sees them, and where on its input they lie.

    Raises:
        UndecodablePixelsError: a lookup table of the image is broken.
    """
    form = network.input_form
    read = displayed_input_from if form.grey == "displayed" else network_input_from
    rows, columns = _turned(stored.shape, framing)
    if form.fit == "crop":
        placement = Placement(framing=framing.cut(_middle_square(rows, columns)))
    elif form.fit == "pad":
        placement = Placement(framing=framing, field=_letterbox(rows / columns, network))
    else:
        placement = Placement(framing=framing)
    field = placement.field
    top, bottom = round(field.top * network.rows), round(field.bottom * network.rows)
    left, right = round(field.left * network.columns), round(field.right * network.columns)
    seen = read(stored, header, rows=bottom - top, columns=right - left, framing=placement.framing)
    if field == _WHOLE:
        return seen, placement
    pixels = np.zeros((network.rows, network.columns), np.float32)
    pixels[top:bottom, left:right] = seen
    return pixels, placement


def _turned(shape: tuple[int, ...], framing: Framing) -> tuple[float, float]:
    """Return rows and columns of what the framing keeps, the right way up."""
    rows = shape[0] * (framing.field.bottom - framing.field.top)
    columns = shape[1] * (framing.field.right - framing.field.left)
    return (columns, rows) if framing.quarter_turns % 2 else (rows, columns)


def _middle_square(rows: float, columns: float) -> Box:
    across, down = min(1.0, rows / columns), min(1.0, columns / rows)
    return Box(left=(1 - across) / 2, top=(1 - down) / 2, right=(1 + across) / 2, bottom=(1 + down) / 2)


def _letterbox(shape: float, network: NetworkFile) -> Box:
    """Return where an image of this ratio of rows to columns lies when its shape is kept: in the middle."""
    scale = min(network.rows / shape, network.columns)  # columns that the image then takes
    across = max(round(scale), 1) / network.columns
    down = max(round(scale * shape), 1) / network.rows
    left = round((1 - across) / 2 * network.columns) / network.columns
    top = round((1 - down) / 2 * network.rows) / network.rows
    return Box(left=left, top=top, right=left + across, bottom=top + down)


def _sampled(cells: int, start: float, end: float) -> NDArray[np.intp]:
    """Return which cell each of as many equal parts of a range of the input falls into."""
    middles = start + (np.arange(cells) + 0.5) / cells * (end - start)
    return np.minimum((middles * cells).astype(np.intp), cells - 1)
