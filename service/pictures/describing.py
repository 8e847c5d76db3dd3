"""What a viewer has to know of an image besides its pixels, read from the header in a child process."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from models.calibration import ScaledRegion, Spacing, pixel_aspect, scaled_regions, spacing_of
from models.dicom import numbers, read_header, text, whole_number
from models.display_frame import frame_header
from models.stored import layout_of
from overread.errors import InvalidDicomError, UndecodablePixelsError
from service.pictures.decoder import Decoder

_POSITIONS_MAX = 5000  # frames of one image whose places are told
_WORDS_MAX = 64  # characters, DICOM's own limit of a long string
_OPPOSITE = str.maketrans("LRAPHF", "RLPAFH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """Directions of the patient at the edges of an image (PS3.3 C.7.6.1.1.1): L, R, A, P, H, F."""

    left: str
    top: str
    right: str
    bottom: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDescription:
    """One image; None and empty where its header does not say."""

    sop_instance_uid: str
    series_instance_uid: str
    modality: str
    series_number: int | None
    series_description: str
    instance_number: int | None
    view: str  # View Position, with the side
    frames: int
    rows: int
    columns: int
    aspect: float  # height by width of a pixel
    spacing: Spacing | None
    regions: tuple[ScaledRegion, ...]
    edges: Edges | None
    positions_mm: tuple[float, ...]  # of each frame along the normal of the planes
    plane: tuple[float, ...]  # Image Orientation (Patient), rounded: what is parallel has the same
    frame_ms: float | None  # of a film


def describe_images(_: Decoder, paths: Sequence[Path]) -> list[ImageDescription | None]:
    """Return the description of each file, None for what is no image. Runs in a child process."""
    return [_described(path) for path in paths]


def _described(path: Path) -> ImageDescription | None:
    try:
        header = read_header(path)
        layout = layout_of(header)
    except (InvalidDicomError, UndecodablePixelsError):
        return None
    first = frame_header(header, 0)
    plane = numbers(first, "ImageOrientationPatient")
    plane = tuple(round(value, 3) for value in plane) if len(plane) == 6 else ()
    return ImageDescription(
        sop_instance_uid=text(header, "SOPInstanceUID"),
        series_instance_uid=text(header, "SeriesInstanceUID"),
        modality=text(header, "Modality").upper()[:16],
        series_number=_number(header, "SeriesNumber"),
        series_description=text(header, "SeriesDescription")[:_WORDS_MAX],
        instance_number=_number(header, "InstanceNumber"),
        view=" ".join(
            part for part in (text(header, "ImageLaterality"), text(header, "ViewPosition")) if part
        )[:_WORDS_MAX],
        frames=layout.frames,
        rows=layout.rows,
        columns=layout.columns,
        aspect=pixel_aspect(first),
        spacing=spacing_of(first),
        regions=scaled_regions(header),
        edges=_edges(header, plane),
        positions_mm=_positions(header, layout.frames),
        plane=plane,
        frame_ms=_frame_ms(header),
    )


def _number(header: Dataset, keyword: str) -> int | None:
    values = numbers(header, keyword)
    return int(values[0]) if values else None


def _positions(header: Dataset, frames: int) -> tuple[float, ...]:
    """Return where the planes lie along their normal; nothing where one of them does not say."""
    found = []
    for frame in range(min(frames, _POSITIONS_MAX)):
        of_frame = frame_header(header, frame)
        place, plane = numbers(of_frame, "ImagePositionPatient"), numbers(of_frame, "ImageOrientationPatient")
        if len(place) != 3 or len(plane) != 6:
            return ()
        found.append(round(float(np.dot(np.cross(plane[:3], plane[3:]), place)), 3))
    return tuple(found)


def _edges(header: Dataset, plane: Sequence[float]) -> Edges | None:
    directions = text(header, "PatientOrientation").upper().split("\\")
    if plane:
        directions = [_letter(plane[:3]), _letter(plane[3:])]
    if len(directions) != 2 or not all(set(part) <= set("LRAPHF") and part for part in directions):
        return None
    right, bottom = (part[:3] for part in directions)
    return Edges(left=right.translate(_OPPOSITE), right=right, top=bottom.translate(_OPPOSITE), bottom=bottom)


def _letter(direction: Sequence[float]) -> str:
    """Return the main direction: x runs to the left of the patient, y to the back, z to the head."""
    axis = int(np.argmax(np.abs(direction)))
    return ("LR", "PA", "HF")[axis][direction[axis] < 0]


def _frame_ms(header: Dataset) -> float | None:
    for keyword in ("FrameTime", "RecommendedDisplayFrameRate", "CineRate"):
        values = numbers(header, keyword)
        if values and values[0] > 0:
            milliseconds = values[0] if keyword == "FrameTime" else 1000 / values[0]
            return min(max(milliseconds, 10.0), 10_000.0)
    return None if whole_number(header, "NumberOfFrames", 1) == 1 else 100.0
