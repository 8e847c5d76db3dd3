"""Single slices of a volume: where each lies in the patient, from classic and from enhanced CT objects."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage

from models.dicom import BROKEN_INPUT, numbers, text, whole_number

Vector = NDArray[np.float64]  # (3,) in mm, patient coordinates: left, posterior, head (PS3.3 C.7.6.2.1.1)

_ON_THE_PLANE = 0.01  # of a unit vector; what rounding of the header may cost


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """Geometry of the pixels of a slice in the patient; slices of one volume share it."""

    rows: int
    columns: int
    along_row: Vector  # mm from one column to the next
    along_column: Vector  # mm from one row to the next

    @property
    def normal(self) -> Vector:
        """Unit vector at right angles to the slice."""
        cross: Vector = np.cross(self.along_row, self.along_column)
        return cross / np.linalg.norm(cross)

    def is_same(self, other: "Grid") -> bool:
        """Whether slices on both can be stacked."""
        return (
            (self.rows, self.columns) == (other.rows, other.columns)
            and np.allclose(self.along_row, other.along_row, atol=1e-3)
            and np.allclose(self.along_column, other.along_column, atol=1e-3)
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slice:
    """One frame of one object."""

    path: Path
    header: Dataset
    sop_instance_uid: str
    frame: int  # counted from 0
    number: int  # Instance Number, or the frame's; settles what else is equal
    grid: Grid
    origin: Vector  # middle of the first pixel
    thickness_mm: float | None

    @property
    def height(self) -> float:
        """Distance from the patient's origin along the normal."""
        return float(self.origin @ self.grid.normal)


def slices_of(path: Path, header: Dataset) -> tuple[Slice, ...]:
    """Return the slices of a CT object; none where it does not say where they lie."""
    storage = text(header, "SOPClassUID")
    if storage == CTImageStorage:
        found = _slice(path, header, header, header, header, frame=0)
        return () if found is None else (found,)
    if storage == EnhancedCTImageStorage:
        return tuple(_frames(path, header))
    return ()


def _frames(path: Path, header: Dataset) -> Iterator[Slice]:
    """Yield the frames that say where they lie (PS3.3 C.7.6.16.2): each for itself, or all together."""
    for frame in range(whole_number(header, "NumberOfFrames", 1)):
        position, orientation, measures = (
            _functional(header, frame, keyword)
            for keyword in ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
        )
        found = _slice(path, header, position, orientation, measures, frame=frame)
        if found is not None:
            yield found


def functional(header: Dataset, frame: int, keyword: str) -> Dataset:
    """Return the functional group of a frame, the shared one, or the header of an object that has none."""
    grouped = _functional(header, frame, keyword)
    return grouped if len(grouped) else header


def _functional(header: Dataset, frame: int, keyword: str) -> Dataset:
    for groups, at in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        try:
            return header[groups].value[at][keyword].value[0]  # type: ignore[no-any-return]  # a Dataset
        except BROKEN_INPUT:
            continue
    return Dataset()


def _slice(
    path: Path, header: Dataset, position: Dataset, orientation: Dataset, measures: Dataset, *, frame: int
) -> Slice | None:
    """Return a slice whose geometry stands in these data sets; None where it is absent or impossible."""
    origin = numbers(position, "ImagePositionPatient")
    cosines = numbers(orientation, "ImageOrientationPatient")
    spacing = numbers(measures, "PixelSpacing")
    rows, columns = whole_number(header, "Rows", 0), whole_number(header, "Columns", 0)
    if (len(origin), len(cosines), len(spacing)) != (3, 6, 2) or min(*spacing, rows, columns) <= 0:
        return None
    row, column = np.array(cosines[:3]), np.array(cosines[3:])
    if abs(row @ column) > _ON_THE_PLANE or not np.allclose(
        [row @ row, column @ column], 1, atol=_ON_THE_PLANE
    ):
        return None
    thickness = numbers(measures, "SliceThickness")
    return Slice(
        path=path,
        header=header,
        sop_instance_uid=text(header, "SOPInstanceUID"),
        frame=frame,
        number=frame or whole_number(header, "InstanceNumber", 0),
        # Pixel Spacing names the distance of rows first (PS3.3 10.7.1.3).
        grid=Grid(rows=rows, columns=columns, along_row=row * spacing[1], along_column=column * spacing[0]),
        origin=np.array(origin),
        thickness_mm=thickness[0] if thickness and thickness[0] > 0 else None,
    )
