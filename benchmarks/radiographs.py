"""Radiographs for the benchmarks: the real chest of the pydicom-data package, each a little different.

A made picture would not do: the input guard refuses what is no chest radiograph, and nothing is measured.
"""

from functools import cache
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    generate_uid,
)

from models.decoding import decode_frame
from models.dicom import read_header

SIDE = 2048
HIGHEST = (1 << 14) - 1  # 14 bits are stored
SOURCE = "RG1_UNCR.dcm"


def radiograph(generator: np.random.Generator, side: int = SIDE) -> NDArray[np.uint16]:
    """Return (side, side) pixels, larger is denser: another exposure and other grain each time."""
    gain, offset = generator.uniform(0.6, 0.85), generator.uniform(0.02, 0.1)
    grain = generator.normal(0, 20, (side, side)).astype(np.float32)
    pixels: NDArray[np.uint16] = np.clip((_chest(side) * gain + offset) * HIGHEST + grain, 0, HIGHEST).astype(
        np.uint16
    )
    return pixels


def dicom_of(pixels: NDArray[np.uint16], *, compressed: bool) -> Dataset:
    """Return a frontal chest radiograph with these pixels, uncompressed or as lossless JPEG 2000."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "DX", "CHEST", "PA"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 14, 13, 0
    dataset.PixelSpacing = [0.17, 0.17]
    dataset.PixelData = pixels.tobytes()
    if compressed:
        dataset.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    return dataset


def write_radiographs(folder: Path, count: int, *, compressed: bool = False, side: int = SIDE) -> list[Path]:
    """Write so many radiographs and return their files."""
    generator = np.random.default_rng(count)
    paths = [folder / f"{number}-{side}-{'j2k' if compressed else 'plain'}.dcm" for number in range(count)]
    for path in paths:
        dicom_of(radiograph(generator, side), compressed=compressed).save_as(path, enforce_file_format=True)
    return paths


@cache
def _chest(side: int) -> NDArray[np.float32]:
    """Return the chest in [0, 1]; it is stored as MONOCHROME1."""
    path = Path(cast("str", get_testdata_file(SOURCE, download=False)))
    stored = decode_frame(path, read_header(path)).astype(np.float32)
    low, high = np.percentile(stored, [0.5, 99.5])
    picture = Image.fromarray(np.clip((high - stored) / (high - low), 0, 1))
    return np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR), np.float32)
