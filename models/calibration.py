"""Distances in an image: what its header says of the size of a pixel, and of which plane it says it.

PS3.3 10.7.1: on a projection radiograph Imager Pixel Spacing is measured at the detector, where the shadow of
the patient is larger than the patient. Pixel Spacing is of the patient only where it was calibrated: the
header says so (Pixel Spacing Calibration Type), or it differs from that of the detector. In cross-sections it
is of the patient by definition (PS3.3 C.7.6.2). Ultrasound has a scale in each region (PS3.3 C.8.5.5).
"""

from dataclasses import dataclass
from enum import StrEnum
from math import isclose

from pydicom.dataset import Dataset

from models.dicom import BROKEN_INPUT, numbers, text, whole_number

_CROSS_SECTIONAL = frozenset({"CT", "MR", "PT", "NM"})
_CENTIMETRES, _TWO_DIMENSIONAL = 3, 1  # PS3.3 C.8.5.5.1.15 and C.8.5.5.1.1
_REGIONS_MAX = 64
_LARGEST_MM = 100.0


class SpacingKind(StrEnum):
    """Plane in which the distance of pixels holds."""

    PATIENT = "PATIENT"  # cross-sectional: in the plane of the image
    CALIBRATED = "CALIBRATED"  # projection: corrected to the patient
    DETECTOR = "DETECTOR"  # projection: at the detector, larger than the patient
    UNKNOWN = "UNKNOWN"  # projection: the header does not tell whether it was corrected

    @property
    def is_measured(self) -> bool:
        """Whether lengths may be told in millimetres of the patient."""
        return self in {SpacingKind.PATIENT, SpacingKind.CALIBRATED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spacing:
    """Distance of the centres of neighbouring pixels."""

    row_mm: float  # of two rows
    column_mm: float  # of two columns
    kind: SpacingKind
    words: str  # what it is, for whoever measures


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledRegion:
    """Part of an ultrasound image with a scale of its own, in pixels from 0, both ends within it."""

    column_min: int
    row_min: int
    column_max: int
    row_max: int
    row_mm: float
    column_mm: float


def spacing_of(header: Dataset) -> Spacing | None:
    """Return the size of the pixels of an image; None where the header says nothing usable."""
    own, detector = _pair(header, "PixelSpacing"), _pair(header, "ImagerPixelSpacing")
    if own is not None and _is_cross_sectional(header):
        return _spacing(own, SpacingKind.PATIENT, "Pixel Spacing, in the plane of the image")
    calibration = text(header, "PixelSpacingCalibrationType").upper()
    if own is not None and calibration in {"GEOMETRY", "FIDUCIAL"}:
        how = "from the geometry" if calibration == "GEOMETRY" else "with an object of known size"
        return _spacing(own, SpacingKind.CALIBRATED, f"Pixel Spacing, calibrated {how}")
    if own is not None and detector is not None and not _same(own, detector):
        return _spacing(own, SpacingKind.CALIBRATED, "Pixel Spacing, corrected from that of the detector")
    if detector is not None:
        return _spacing(
            detector, SpacingKind.DETECTOR, "Imager Pixel Spacing, at the detector: not calibrated"
        )
    if own is not None:
        return _spacing(own, SpacingKind.UNKNOWN, "Pixel Spacing of unknown calibration")
    return None


def scaled_regions(header: Dataset) -> tuple[ScaledRegion, ...]:
    """Return the regions of an ultrasound image that have a scale in centimetres in both directions."""
    try:
        items = list(header.get("SequenceOfUltrasoundRegions") or ())[:_REGIONS_MAX]
    except BROKEN_INPUT:
        return ()
    return tuple(region for item in items if (region := _region(item)) is not None)


def pixel_aspect(header: Dataset) -> float:
    """Return height by width of one pixel as it is to be shown: by its spacing, else Pixel Aspect Ratio."""
    spacing = spacing_of(header)
    if spacing is not None:
        return spacing.row_mm / spacing.column_mm
    ratio = numbers(header, "PixelAspectRatio")  # PS3.3 C.7.6.3.1.7: vertical, horizontal
    return ratio[0] / ratio[1] if len(ratio) == 2 and min(ratio) > 0 and max(ratio) < 1e6 else 1.0


def _region(item: Dataset) -> ScaledRegion | None:
    units = {whole_number(item, f"PhysicalUnits{axis}Direction", 0) for axis in "XY"}
    deltas = [abs(value) for axis in "XY" for value in numbers(item, f"PhysicalDelta{axis}")[:1]]
    corners = [
        whole_number(item, f"RegionLocation{corner}", -1) for corner in ("MinX0", "MinY0", "MaxX1", "MaxY1")
    ]
    if (
        units != {_CENTIMETRES}
        or whole_number(item, "RegionSpatialFormat", 0) != _TWO_DIMENSIONAL
        or len(deltas) != 2
        or not all(0 < delta * 10 < _LARGEST_MM for delta in deltas)
        or min(corners) < 0
    ):
        return None
    left, top, right, bottom = corners
    return ScaledRegion(
        column_min=left,
        row_min=top,
        column_max=right,
        row_max=bottom,
        row_mm=deltas[1] * 10,
        column_mm=deltas[0] * 10,
    )


def _is_cross_sectional(header: Dataset) -> bool:
    return (
        text(header, "Modality").upper() in _CROSS_SECTIONAL
        or len(numbers(header, "ImageOrientationPatient")) == 6
    )


def _spacing(pair: tuple[float, float], kind: SpacingKind, words: str) -> Spacing:
    return Spacing(row_mm=pair[0], column_mm=pair[1], kind=kind, words=words)


def _pair(header: Dataset, keyword: str) -> tuple[float, float] | None:
    values = numbers(header, keyword)
    usable = len(values) == 2 and min(values) > 0 and max(values) < _LARGEST_MM
    return (values[0], values[1]) if usable else None


def _same(first: tuple[float, float], second: tuple[float, float]) -> bool:
    return all(isclose(a, b, rel_tol=1e-4) for a, b in zip(first, second, strict=True))
