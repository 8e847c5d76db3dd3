"""What the header of an image says of the memory that it takes."""

import io
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGLSLossless, RLELossless

from overread.errors import InvalidDicomError
from service.pictures.form import ImageForm, read_form
from tests.service.material import dicom_bytes

PIXELS = 30 * 20


def form_of(folder: Path, content: bytes, syntax: str | None = None) -> ImageForm:
    path = folder / "image.dcm"
    dataset = dcmread(io.BytesIO(content))
    if syntax in {RLELossless, JPEGLSLossless}:
        dataset.compress(syntax)
    elif syntax is not None:
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset["PixelData"].VR = "OW"
    dataset.save_as(path, enforce_file_format=True)
    return read_form(path)


def radiograph(samples: int = 1, frames: int = 1) -> bytes:
    pixels = np.zeros((frames, 30, 20, samples), np.uint16 if samples == 1 else np.uint8)
    kind = {
        1: {"BitsAllocated": 16, "BitsStored": 16, "HighBit": 15},
        3: {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0},
    }[samples]
    if frames > 1:
        kind["NumberOfFrames"] = frames
    return dicom_bytes(Rows=30, Columns=20, PixelData=pixels.tobytes(), **kind)


@pytest.mark.parametrize("syntax", [None, RLELossless, JPEGLSLossless])
@pytest.mark.parametrize(("samples", "bytes_each"), [(1, 2), (3, 3)])
def test_rows_columns_and_bytes_are_read_in_every_transfer_syntax(
    tmp_path: Path, syntax: str | None, samples: int, bytes_each: int
) -> None:
    form = form_of(tmp_path, radiograph(samples), syntax)

    assert (form.rows, form.columns, form.frames, form.frame_bytes) == (30, 20, 1, PIXELS * bytes_each)
    assert form.needs_decoding == (syntax is not None)


def test_numbers_of_the_other_byte_order_are_read_as_they_are_meant() -> None:
    path = Path(str(get_testdata_file("ExplVR_BigEnd.dcm")))
    header = dcmread(path)

    form = read_form(path)

    assert (form.rows, form.columns, form.frames) == (header.Rows, header.Columns, 1)
    assert form.needs_decoding


def test_a_frame_of_many_takes_the_memory_of_one(tmp_path: Path) -> None:
    one, many = form_of(tmp_path, radiograph()), form_of(tmp_path, radiograph(frames=7))

    assert many.frames == 7
    assert many.memory_bytes == one.memory_bytes


def test_what_is_deflated_takes_the_memory_of_all_that_it_inflates_to(tmp_path: Path) -> None:
    plain = form_of(tmp_path, radiograph(frames=100))
    deflated = form_of(tmp_path, radiograph(frames=100), DeflatedExplicitVRLittleEndian)

    assert deflated.needs_decoding
    assert deflated.memory_bytes - plain.memory_bytes >= 100 * PIXELS * 2


def test_an_object_without_pixels_takes_the_memory_of_its_file(tmp_path: Path) -> None:
    form = form_of(tmp_path, dicom_bytes(PixelData=None, PatientComments="x" * 10_000))

    assert (form.rows, form.columns) == (0, 0)
    assert form.packed_bytes == (tmp_path / "image.dcm").stat().st_size


@pytest.mark.parametrize("content", [b"", b"no DICOM", dicom_bytes()[:-10]])
def test_a_file_that_cannot_be_walked_over_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(content)

    with pytest.raises(InvalidDicomError):
        read_form(path)
