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

    def take(self, other: "_Patch") -> None:
        """Make the other a part of this one, unless it is this one."""
        if other is self:
            return
        self.left, self.top = min(self.left, other.left), min(self.top, other.top)
        self.right, self.bottom = max(self.right, other.right), max(self.bottom, other.bottom)
        self.strength += other.strength
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
        patch = _Patch(left=left, top=top, right=right, bottom=top + 1, strength=strength)
        for start, end, other in above:
            if start < right and left < end:
                other.whole().take(patch.whole())
        here.append((left, right, patch))
        patches.append(patch)
    return [patch for patch in patches if patch.joined is None]


def _runs(fine: Map) -> list[tuple[int, int, int, float]]:
    """Return row, start, end and summed evidence of each run of cells from `BOX_LEVEL` on, in that order."""
    height, width = fine.shape
    strong = np.zeros((height, width + 2), np.int8)  # with nothing at either end
    strong[:, 1:-1] = fine >= BOX_LEVEL
    steps = strong[:, 1:] - strong[:, :-1]
    rows, starts = np.nonzero(steps == 1)
    ends = np.nonzero(steps == -1)[1]
    totals = np.zeros((height, width + 1))
    np.cumsum(fine, axis=1, out=totals[:, 1:])
    strengths = totals[rows, ends] - totals[rows, starts]
    return list(zip(rows.tolist(), starts.tolist(), ends.tolist(), strengths.tolist(), strict=True))
