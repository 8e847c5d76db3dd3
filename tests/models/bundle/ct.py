"""CT series made by the tests: a bright ball in air, sampled in patient coordinates."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid

AIR, BALL = -900, 250  # Hounsfield units
RADIUS_MM = 5.0


@dataclass(frozen=True, kw_only=True)
class Scan:
    """How the scanner stood; the slices lie about the patient's origin."""

    ball: tuple[float, float, float] = (14.0, -9.0, 6.0)  # in patient coordinates: left, posterior, head
    cosines: tuple[float, ...] = (1, 0, 0, 0, 1, 0)
    spacing: tuple[float, float] = (1.1, 0.8)  # of rows, of columns
    step: tuple[float, float, float] = (0, 0, 2.0)  # from one slice to the next
    rows: int = 56
    columns: int = 80
    slices: int = 26
    attributes: dict[str, Any] = field(default_factory=dict)

    def origins(self) -> NDArray[np.float64]:
        """Return the middle of the first pixel of every slice."""
        row, column = (np.array(self.cosines[at : at + 3], float) for at in (0, 3))
        corner = (
            row * self.spacing[1] * (self.columns - 1) / 2 + column * self.spacing[0] * (self.rows - 1) / 2
        )
        along = (np.arange(self.slices) - (self.slices - 1) / 2)[:, None] * np.array(self.step)
        return along - corner

    def point(self, slice_at: int, row: float, column: float) -> NDArray[np.float64]:
        """Return the patient coordinates of the middle of a pixel."""
        across, down = (np.array(self.cosines[at : at + 3], float) for at in (0, 3))
        return self.origins()[slice_at] + across * self.spacing[1] * column + down * self.spacing[0] * row

    def pixels(self, slice_at: int) -> NDArray[np.int16]:
        """Return Hounsfield units of one slice."""
        rows, columns = np.mgrid[0 : self.rows, 0 : self.columns]
        across, down = (np.array(self.cosines[at : at + 3], float) for at in (0, 3))
        points = (
            self.origins()[slice_at]
            + columns[..., None] * across * self.spacing[1]
            + rows[..., None] * down * self.spacing[0]
        )
        noise = np.random.default_rng(slice_at).normal(0, 20, (self.rows, self.columns))
        inside = np.linalg.norm(points - np.array(self.ball), axis=-1) <= RADIUS_MM
        return (np.where(inside, BALL, AIR) + noise).astype(np.int16)


def write_series(
    folder: Path, scan: Scan, *, order: list[int] | None = None, **attributes: Any
) -> list[Path]:
    """Write one file a slice, in this order of names, and return them; None leaves an attribute out."""
    folder.mkdir(parents=True, exist_ok=True)
    series, study = generate_uid(), generate_uid()
    paths = []
    for name, at in enumerate(order if order is not None else range(scan.slices)):
        stated = {
            "SeriesInstanceUID": series,
            "StudyInstanceUID": study,
            "ImagePositionPatient": [round(float(value), 4) for value in scan.origins()[at]],
            "InstanceNumber": at + 1,
            **scan.attributes,
            **attributes,
        }
        paths.append(write_slice(folder / f"{name:03}.dcm", scan, scan.pixels(at), **stated))
    return paths


def write_slice(path: Path, scan: Scan, hounsfield: NDArray[np.int16], **attributes: Any) -> Path:
    """Write one CT image, stored as scanners do: unsigned, with an intercept."""
    stated = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": generate_uid(),
        "Modality": "CT",
        "BodyPartExamined": "CHEST",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "ImageOrientationPatient": [round(float(value), 6) for value in scan.cosines],
        "PixelSpacing": list(scan.spacing),
        "SliceThickness": 2.0,
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        **_image(hounsfield + 1024),
        **attributes,
    }
    return _save(path, stated)


def write_enhanced(path: Path, scan: Scan) -> Path:
    """Write all slices as frames of one Enhanced CT object."""
    shared, frames = Dataset(), []
    shared.PlaneOrientationSequence = _item(ImageOrientationPatient=[float(value) for value in scan.cosines])
    shared.PixelMeasuresSequence = _item(PixelSpacing=list(scan.spacing), SliceThickness=2.0)
    shared.PixelValueTransformationSequence = _item(RescaleSlope=1, RescaleIntercept=-1024)
    for at in range(scan.slices):
        frame = Dataset()
        origin = [round(float(value), 4) for value in scan.origins()[at]]
        frame.PlanePositionSequence = _item(ImagePositionPatient=origin)
        frames.append(frame)
    stated = {
        "SOPClassUID": EnhancedCTImageStorage,
        "SOPInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "Modality": "CT",
        "BodyPartExamined": "CHEST",
        "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
        "NumberOfFrames": scan.slices,
        "SharedFunctionalGroupsSequence": Sequence([shared]),
        "PerFrameFunctionalGroupsSequence": Sequence(frames),
        **_image(np.stack([scan.pixels(at) for at in range(scan.slices)]) + 1024),
    }
    return _save(path, stated)


def _image(stored: NDArray[Any]) -> dict[str, Any]:
    return {
        "Rows": stored.shape[-2],
        "Columns": stored.shape[-1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "PixelData": stored.astype(np.uint16).tobytes(),
    }


def _save(path: Path, stated: dict[str, Any]) -> Path:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = stated["SOPClassUID"]
    dataset.file_meta.MediaStorageSOPInstanceUID = stated["SOPInstanceUID"]
    for keyword, value in stated.items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def _item(**attributes: Any) -> Sequence:
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return Sequence([dataset])
