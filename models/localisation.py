"""Localisation: from a coarse class map to a heat map, boxes and the patient's side."""

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
SPECK = 1.5  # summed evidence of interpolated cells; beside a patch, less than that has no box
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
    """Return boxes around the strongest evidence, strongest first, at most `MOST_BOXES`, without specks."""
    fine = _refine(evidence)
    rows, columns = fine.shape
    strongest = sorted(_patches(fine), key=lambda patch: patch.strength, reverse=True)[:MOST_BOXES]
    return tuple(
        Box(
            left=patch.left / columns,
            top=patch.top / rows,
            right=patch.right / columns,
            bottom=patch.bottom / rows,
        )
        for patch in strongest
        if patch is strongest[0] or patch.strength >= SPECK
    )


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


@dataclass(slots=True, kw_only=True)
class _Patch:
    """Connected cells, while they are gathered row by row; in cells, ends exclusive."""

    left: int
    top: int
    right: int
    bottom: int
    strength: float  # sum of the evidence
    joined: "_Patch | None" = None  # the patch that it turned out to be a part of

    def whole(self) -> "_Patch":
        return self if self.joined is None else self.joined.whole()

    def grow(self, *, left: int, right: int, bottom: int, strength: float) -> None:
        """Take in a run of cells of the row that ends at `bottom`."""
        self.left = min(self.left, left)
        self.right = max(self.right, right)
        self.bottom = bottom
        self.strength += strength

    def take(self, other: "_Patch") -> None:
        """Make the other, which ends in the same row or the one above, a part of this one."""
        self.top = min(self.top, other.top)
        self.grow(left=other.left, right=other.right, bottom=self.bottom, strength=other.strength)
        other.joined = self


def _patches(fine: Map) -> list[_Patch]:
    """Return every connected patch (four neighbours) of cells from `BOX_LEVEL` on.

    Rows are taken as runs of such cells: walking cell by cell took nearly as long as the network.
    """
    patches: list[_Patch] = []
    above: list[tuple[int, int, _Patch]] = []  # left, right and patch of each run of the row above
    here: list[tuple[int, int, _Patch]] = []
    row = -1
    for top, left, right, strength in _runs(fine):
        if top != row:
            above, here, row = (here if top == row + 1 else []), [], top
        patch: _Patch | None = None
        for start, end, other in above:
            if start < right and left < end:
                whole = other.whole()
                if patch is None:
                    patch = whole
                    patch.grow(left=left, right=right, bottom=top + 1, strength=strength)
                elif whole is not patch:
                    patch.take(whole)
        if patch is None:
            patch = _Patch(left=left, top=top, right=right, bottom=top + 1, strength=strength)
            patches.append(patch)
        here.append((left, right, patch))
    return [patch for patch in patches if patch.joined is None]


def _runs(fine: Map) -> list[tuple[int, int, int, float]]:
    """Return row, start, end and summed evidence of each run of cells from `BOX_LEVEL` on, in that order."""
    rows, columns = fine.shape
    between = np.zeros((rows + 1, columns + 1), np.float32)  # a cell of nothing ends every row, and a row all
    between[:-1, :-1] = fine
    flat = between.ravel()
    strong = flat >= BOX_LEVEL
    edges = np.flatnonzero(strong[1:] != strong[:-1]) + 1
    if strong[0]:
        edges = np.concatenate([[0], edges])
    if not len(edges):
        return []
    strengths = np.add.reduceat(flat, edges)[::2]
    tops, starts = np.divmod(edges[::2], columns + 1)
    ends = edges[1::2] - tops * (columns + 1)
    return list(zip(tops.tolist(), starts.tolist(), ends.tolist(), strengths.tolist(), strict=True))
