"""Real images for the tests of results: slices and radiographs that come with pydicom, as one study."""

import io
from collections.abc import Sequence
from pathlib import Path

from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.data.data_manager import DATA_ROOT
from pydicom.uid import UID

STUDY, ACCESSION, PATIENT = "2.25.1", "A1", "P1"
OF_EVERY_SYNTAX = (
    "CT_small.dcm",
    "J2K_pixelrep_mismatch.dcm",
    "MR_small_implicit.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_RLE.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "MR2_J2KI.dcm",
    "RG1_UNCR.dcm",
    "RG3_J2KI.dcm",
)
"""Slices and radiographs: implicit, explicit and big endian, RLE, JPEG-LS, JPEG 2000 of both kinds."""
_CT_SERIES = Path(DATA_ROOT) / "test_files" / "dicomdirtests" / "98892001" / "CT5N"


def real(*names: str | Path) -> list[bytes]:
    """Files of pydicom, by name or path, as the images of one study of the tests; nothing else is changed."""
    return [_in_study(_path(name), number) for number, name in enumerate(names, 1)]


def ct_series() -> list[bytes]:
    """Five slices of a CT, of 16 by 16 pixels, in the order of their names, which is not that in the body."""
    return real(*sorted(_CT_SERIES.iterdir()))


def uids_of(images: Sequence[bytes]) -> list[str]:
    """Their SOP Instance UIDs."""
    return [str(dcmread(io.BytesIO(content), stop_before_pixels=True).SOPInstanceUID) for content in images]


def _path(name: str | Path) -> Path:
    return name if isinstance(name, Path) else Path(str(get_testdata_file(name)))


def _in_study(path: Path, number: int) -> bytes:
    image = dcmread(path)
    image.StudyInstanceUID, image.AccessionNumber, image.PatientID = UID(STUDY), ACCESSION, PATIENT
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = UID(f"{STUDY}.1.{number}")
    image.save_as(buffer := io.BytesIO(), enforce_file_format=True)
    return buffer.getvalue()
