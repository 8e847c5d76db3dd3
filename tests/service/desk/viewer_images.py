"""Images for the tests of the viewer: radiographs and stacks with values that tell where they come from."""

import io
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from service.store.database import Store
from tests.service.material import NOW, dicom_bytes, send_image


def written(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def grey_image(values: NDArray[np.generic], **elements: object) -> Dataset:
    """A radiograph of these values, of 8 or 16 bits, signed or not; further elements by keyword."""
    bits = values.dtype.itemsize * 8
    given: dict[str, object] = {
        "Rows": values.shape[-2],
        "Columns": values.shape[-1],
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(values.dtype.kind == "i"),
        "PixelData": values.tobytes(),
    }
    return dcmread(io.BytesIO(dicom_bytes(**(given | elements))))  # type: ignore[arg-type]


def ramp(rows: int = 64, columns: int = 96) -> NDArray[np.uint16]:
    """Values of 12 bits that differ at every pixel of a row and of a column."""
    row, column = np.mgrid[:rows, :columns]
    return ((row * 37 + column * 29) % 4096).astype(np.uint16)


def slice_values(number: int, side: int = 64) -> NDArray[np.int16]:
    """A slice of a CT in HU whose first pixel is its number."""
    row, column = np.mgrid[:side, :side]
    values = (np.hypot(row - side / 2, column - side / 2) * 20 - 300 + number).astype(np.int16)
    values[0, 0] = number
    return values


def ct_slice(study: str, number: int, *, place_mm: float, side: int = 64, **elements: object) -> bytes:
    """One slice; the numbers of the slices run against their places, as of some scanners."""
    given: dict[str, object] = {
        "StudyInstanceUID": study,
        "SeriesInstanceUID": f"{study}.3",
        "SOPInstanceUID": f"{study}.3.{number}",
        "Modality": "CT",
        "BodyPartExamined": "CHEST",
        "SeriesNumber": 3,
        "SeriesDescription": "Axial",
        "InstanceNumber": number,
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "ImagePositionPatient": [0, 0, place_mm],
        "PixelSpacing": [0.8, 0.8],
        "RescaleSlope": 1,
        "RescaleIntercept": 0,
        "WindowCenter": 40,
        "WindowWidth": 400,
    }
    dataset = grey_image(slice_values(number, side), **(given | elements))
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return written(dataset)


def send_ct(store: Store, study: str, slices: int, *, now: datetime = NOW, **elements: object) -> None:
    """A chest CT of slices 5 mm apart: number 1 lies nearest to the feet."""
    for number in range(1, slices + 1):
        send_image(store, ct_slice(study, number, place_mm=5.0 * number, **elements), now=now)
