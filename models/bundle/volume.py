"""A stack of slices as one array in Hounsfield units, and where it lies in the patient."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.bundle.series import Stack
from models.bundle.slices import Slice, functional
from models.decoding import decode_frame
from models.dicom import numbers

AIR = -1024.0  # Hounsfield units; what padding outside the scanned circle becomes
BODY_FROM = -300.0  # Hounsfield units; soft tissue, against lung and air
COARSE = 4  # every so many voxels are enough to find the middle of a body

_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])  # from DICOM's left-posterior-head to right-anterior-head


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Volume:
    """Hounsfield units and their place."""

    values: NDArray[np.float32]  # (columns, rows, slices)
    affine: NDArray[np.float64]  # (4, 4): indices to mm in DICOM's patient coordinates, middle of a voxel

    @property
    def affine_ras(self) -> NDArray[np.float64]:
        """The same to right-anterior-head, which MONAI counts in."""
        turned: NDArray[np.float64] = _RAS @ self.affine
        return turned

    def midline_mm(self) -> float | None:
        """Return where the middle of the body lies from right to left; None where there is no body."""
        coarse = self.values[::COARSE, ::COARSE, ::COARSE] > BODY_FROM
        indices = np.argwhere(coarse) * COARSE
        if not len(indices):
            return None
        return float((indices @ self.affine[0, :3]).mean() + self.affine[0, 3])


def read_volume(stack: Stack) -> Volume:
    """Return the volume of a stack.

    Raises:
        UndecodablePixelsError: a slice cannot be decoded.
    """
    first, last = stack.slices[0], stack.slices[-1]
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = first.grid.along_row, first.grid.along_column
    # Not the normal: the slices of a tilted gantry are stacked at an angle to it.
    affine[:3, 2] = (last.origin - first.origin) / (len(stack.slices) - 1)
    affine[:3, 3] = first.origin
    values = np.empty((first.grid.columns, first.grid.rows, len(stack.slices)), np.float32)
    for at, item in enumerate(stack.slices):
        values[:, :, at] = _hounsfield(item).T
    return Volume(values=values, affine=affine)


def _hounsfield(item: Slice) -> NDArray[np.float32]:
    stored = decode_frame(item.path, item.header, item.frame)
    rescale = functional(item.header, item.frame, "PixelValueTransformationSequence")
    slope, intercept = numbers(rescale, "RescaleSlope"), numbers(rescale, "RescaleIntercept")
    values = stored.astype(np.float32)
    if slope and slope[0]:
        values *= np.float32(slope[0])
    if intercept:
        values += np.float32(intercept[0])
    padding = numbers(item.header, "PixelPaddingValue")
    if padding:
        limit = numbers(item.header, "PixelPaddingRangeLimit") or padding
        low, high = sorted((padding[0], limit[0]))
        values[(stored >= low) & (stored <= high)] = AIR
    return values
