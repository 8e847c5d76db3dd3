"""Where a network looks: from a coarse class map to a heat map, boxes and the patient's side."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from overread.observation import Laterality

Map = NDArray[np.float32]

FINENESS = 4  # a grid cell is divided into this many, by interpolation, before boxes are drawn
BOX_LEVEL = 0.6  # of the strongest evidence in the image
MOST_BOXES = 3
CELLS = 64  # a side, of the map that stands for a network's own boxes
ONE_SIDE_SHARE = 0.75  # of the evidence above `BOX_LEVEL`; less on either side is bilateral


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """An axis-parallel box in shares of the image's width and height."""

    left: float
    top: float
    right: float
    bottom: float


def relative_evidence(class_map: Map) -> Map:
    """Return the map scaled to [0, 1] within the image: 0 below its mean, 1 at its peak.

    The level of a class map says how likely the finding is, which the probability says better; its shape says
    where. A flat map is zero everywhere.
    """
    mean, peak = float(class_map.mean()), float(class_map.max())
    if peak - mean < 1e-6:
        return np.zeros(class_map.shape, np.float32)
    relative: Map = np.clip((class_map - mean) / (peak - mean), 0, 1).astype(np.float32)
    return relative


def evidence_of_boxes(boxes: Sequence[Box]) -> Map:
    """Return a map that is 1 where a network that draws boxes itself drew one, and 0 elsewhere."""
    covered = np.zeros((CELLS, CELLS), np.float32)
    for box in boxes:
        top, left = (min(int(edge * CELLS), CELLS - 1) for edge in (box.top, box.left))
        covered[
            top : max(round(box.bottom * CELLS), top + 1), left : max(round(box.right * CELLS), left + 1)
        ] = 1
    return covered


def find_boxes(evidence: Map) -> tuple[Box, ...]:
    """Return boxes around the strongest evidence, the strongest first, at most `MOST_BOXES`."""
    fine = _refine(evidence)
    patches = _patches(fine >= BOX_LEVEL)
    strongest = sorted(patches, key=lambda patch: float(fine[patch].sum()), reverse=True)[:MOST_BOXES]
    return tuple(_box(patch, fine.shape) for patch in strongest)


def find_laterality(evidence: Map, *, mirrored: bool) -> Laterality:
    """Return the patient's side on which the evidence lies.

    On a frontal image the patient's right is on the left, unless `mirrored`.
    """
    strong = np.where(evidence >= BOX_LEVEL, evidence, 0)
    columns = strong.sum(axis=0)
    total = float(columns.sum())
    if total <= 0:
        return Laterality.UNSPECIFIED
    half = len(columns) // 2
    middle = float(columns[half]) / 2 if len(columns) % 2 else 0.0
    left_share = (float(columns[:half].sum()) + middle) / total
    if 1 - ONE_SIDE_SHARE < left_share < ONE_SIDE_SHARE:
        return Laterality.BILATERAL
    return Laterality.RIGHT if (left_share > 0.5) != mirrored else Laterality.LEFT


def _refine(evidence: Map) -> Map:
    rows, columns = evidence.shape
    image = Image.fromarray(np.ascontiguousarray(evidence, np.float32))
    return np.asarray(image.resize((columns * FINENESS, rows * FINENESS), Image.Resampling.BILINEAR))


def _patches(mask: NDArray[np.bool_]) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return the cells of every connected patch (four neighbours) as index arrays."""
    left = {(int(row), int(column)) for row, column in zip(*np.nonzero(mask), strict=True)}
    patches = []
    while left:
        reached = [left.pop()]
        for row, column in reached:  # grows while it is walked
            for cell in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
                if cell in left:
                    left.remove(cell)
                    reached.append(cell)
        rows, columns = zip(*reached, strict=True)
        patches.append((np.array(rows), np.array(columns)))
    return patches


def _box(patch: tuple[NDArray[np.intp], NDArray[np.intp]], shape: tuple[int, ...]) -> Box:
    rows, columns = patch
    return Box(
        left=float(columns.min()) / shape[1],
        top=float(rows.min()) / shape[0],
        right=float(columns.max() + 1) / shape[1],
        bottom=float(rows.max() + 1) / shape[0],
    )
