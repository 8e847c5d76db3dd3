"""From a box in the patient to boxes on the slices that it passes, and to a size."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.bundle.series import Stack
from models.bundle.slices import Slice
from overread.observation import ImageRegion, Laterality

MIDDLE_MM = 10.0  # either side of the midline, where right and left cannot be told apart


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PatientBox:
    """A box of any orientation in patient coordinates, and how sure the network is of it."""

    corners: NDArray[np.float64]  # (8, 3) in mm: DICOM's left, posterior, head
    size_mm: tuple[float, float, float]  # of its edges, the longest first
    score: float  # in [0, 1]
    label: int  # class number

    @property
    def middle(self) -> NDArray[np.float64]:
        """Its centre."""
        middle: NDArray[np.float64] = self.corners.mean(axis=0)
        return middle


def patient_box(
    box: NDArray[np.float64], affine: NDArray[np.float64], *, score: float, label: int
) -> PatientBox:
    """Return a box along the axes of a volume as one in the patient.

    Args:
        box: the lowest three indices, then the highest; whole numbers are middles of voxels.
        affine: (4, 4), from indices to patient coordinates.
        score: in [0, 1].
        label: class number.
    """
    ends = box.reshape(2, 3)
    picked = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    indices = np.stack([ends[picked[:, axis], axis] for axis in range(3)], axis=1)
    edges = np.linalg.norm(affine[:3, :3] * (ends[1] - ends[0]), axis=0)
    longest, middle, shortest = sorted((float(edge) for edge in edges), reverse=True)
    return PatientBox(
        corners=indices @ affine[:3, :3].T + affine[:3, 3],
        size_mm=(longest, middle, shortest),
        score=score,
        label=label,
    )


def regions_of(box: PatientBox, stack: Stack) -> tuple[ImageRegion, ...]:
    """Return where the box lies on each slice that it passes, the slice nearest to its middle first.

    A box between two slices lies on the nearer one; one outside the image has no region.
    """
    normal = stack.slices[0].grid.normal
    heights = box.corners @ normal
    centre = float(box.middle @ normal)
    ordered = sorted(stack.slices, key=lambda item: abs(item.height - centre))
    passed = [item for item in ordered if heights.min() <= item.height <= heights.max()]
    regions = (_region(box, item) for item in passed or ordered[:1])
    return tuple(region for region in regions if region is not None)


def side_of(boxes: Sequence[PatientBox], midline_mm: float | None) -> Laterality:
    """Return the side of the body on which the boxes lie, seen from its midline."""
    if midline_mm is None:
        return Laterality.UNSPECIFIED
    across = [float(box.middle[0]) - midline_mm for box in boxes]  # grows to the patient's left
    right, left = any(mm < -MIDDLE_MM for mm in across), any(mm > MIDDLE_MM for mm in across)
    if right and left:
        return Laterality.BILATERAL
    return Laterality.RIGHT if right else Laterality.LEFT if left else Laterality.UNSPECIFIED


def _region(box: PatientBox, item: Slice) -> ImageRegion | None:
    grid, relative = item.grid, box.corners - item.origin
    # In pixels from the middle of the first; regions count from its outer corner, half a pixel before.
    columns = relative @ grid.along_row / (grid.along_row @ grid.along_row) + 0.5
    rows = relative @ grid.along_column / (grid.along_column @ grid.along_column) + 0.5
    left, right = np.clip([columns.min(), columns.max()], 0, grid.columns)
    top, bottom = np.clip([rows.min(), rows.max()], 0, grid.rows)
    if right <= left or bottom <= top:
        return None
    return ImageRegion(
        sop_instance_uid=item.sop_instance_uid,
        frame=item.frame,
        column_min=float(left),
        row_min=float(top),
        column_max=float(right),
        row_max=float(bottom),
    )
