"""DICOM radiographs made by the tests."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid


def write_radiograph(path: Path, pixels: NDArray[Any], **attributes: Any) -> Path:
    """Write a frontal chest radiograph; an attribute given as None is left out."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(attributes.pop("TransferSyntaxUID", ExplicitVRLittleEndian))
    dataset.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    stated = {
        "SOPClassUID": DigitalXRayImageStorageForPresentation,
        "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": generate_uid(),
        "Modality": "DX",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "Rows": pixels.shape[-2],
        "Columns": pixels.shape[-1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": pixels.dtype.itemsize * 8,
        "BitsStored": pixels.dtype.itemsize * 8,
        "HighBit": pixels.dtype.itemsize * 8 - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        "PixelData": pixels.tobytes(),
        **attributes,
    }
    dataset.file_meta.MediaStorageSOPInstanceUID = stated["SOPInstanceUID"]
    for keyword, value in stated.items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def ramp(
    rows: int = 300, columns: int = 300, *, low: int = 0, high: int = 4000, kind: type = np.uint16
) -> NDArray[Any]:
    """Return an image that grows from left to right."""
    return np.tile(np.linspace(low, high, columns).astype(kind), (rows, 1))


def chest_with_shadow(*, column: int, row: int = 100, side: int = 300) -> NDArray[np.uint16]:
    """Return a dark field with one bright shadow of 60 pixels."""
    pixels = np.random.default_rng(5).integers(0, 200, size=(side, side), dtype=np.uint16)
    pixels[row : row + 60, column : column + 60] += 3000
    return pixels
