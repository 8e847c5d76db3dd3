"""Frames for the viewer: every value as pydicom has it, and shown as the picture shows it."""

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut
from pydicom.sequence import Sequence
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from models.decoding import decode_frame
from models.dicom import read_header
from models.display_frame import DisplayFrame, display_frame, frame_header
from models.pixels import Window, render_for_display
from tests.service.material import dicom_bytes

FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"
GREY = (
    "CT_small.dcm",
    "MR_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "JPEG2000.dcm",
    "JPEGLSNearLossless_08.dcm",
    "JPEGLSNearLossless_16.dcm",
    "image_dfl.dcm",
    "liver_1frame.dcm",
    "examples_overlay.dcm",
)
COLOUR = (
    "examples_rgb_color.dcm",
    "examples_ybr_color.dcm",
    "examples_palette.dcm",
    "SC_rgb_rle_16bit.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "ExplVR_BigEnd.dcm",
)


def frame_of(path: Path, number: int = 0) -> DisplayFrame:
    header = read_header(path)
    return display_frame(decode_frame(path, header, number), frame_header(header, number))


def file_of(folder: Path, dataset: Dataset) -> Path:
    path = folder / "image.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


def radiograph(values: np.ndarray, **elements: object) -> Dataset:
    bits = values.dtype.itemsize * 8
    given = {
        "Rows": values.shape[0],
        "Columns": values.shape[1],
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(values.dtype.kind == "i"),
        "PixelData": values.tobytes(),
    }
    return dcmread(io.BytesIO(dicom_bytes(**(given | elements))))


def looked_at(frame: DisplayFrame) -> np.ndarray:
    """What the viewer makes of a grey frame with its own window."""
    if frame.table is not None:
        shown = frame.table[frame.values.astype(int) - frame.least]
    else:
        window = frame.windows[0].window
        place = (frame.values * frame.slope + frame.intercept - window.black) / (window.white - window.black)
        if frame.sigmoid:
            place = 1 / (1 + np.exp(-4 * np.clip(place - 0.5, -20, 20)))
        shown = np.rint(np.clip(place, 0, 1) * 255).astype(np.uint8)
    return 255 - shown if frame.inverted else shown


@pytest.mark.parametrize("name", GREY)
def test_grey_values_of_real_files_are_those_of_pydicom(name: str) -> None:
    dataset = dcmread(FOLDER / name)

    frame = frame_of(FOLDER / name)

    assert frame.values.dtype in (np.uint8, np.uint16, np.int16)
    expected = apply_modality_lut(dataset.pixel_array, dataset)
    np.testing.assert_array_equal(frame.values * frame.slope + frame.intercept, expected)
    assert (frame.least, frame.most) == (int(frame.values.min()), int(frame.values.max()))


@pytest.mark.parametrize("name", GREY)
def test_a_viewer_with_the_first_window_shows_what_the_picture_shows(name: str) -> None:
    shown = looked_at(frame_of(FOLDER / name)).astype(int)

    assert np.abs(shown - render_for_display(FOLDER / name)).max() <= 1  # rounding of 32-bit floats


@pytest.mark.parametrize("name", COLOUR)
def test_colours_of_real_files_are_rgb_of_8_bits(name: str) -> None:
    frame = frame_of(FOLDER / name)

    assert (frame.values.dtype, frame.values.shape[2], frame.windows) == (np.uint8, 3, ())
    np.testing.assert_array_equal(frame.values, render_for_display(FOLDER / name))


@pytest.mark.parametrize("syntax", [None, RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_every_lossless_transfer_syntax_gives_the_same_16_bits(tmp_path: Path, syntax: str | None) -> None:
    values = np.random.default_rng(1).integers(0, 65536, (40, 50), dtype=np.uint16)
    dataset = radiograph(values)
    if syntax is not None:
        dataset.compress(syntax, generate_instance_uid=False)

    np.testing.assert_array_equal(frame_of(file_of(tmp_path, dataset)).values, values)


def test_rescaling_that_is_no_whole_number_stays_exact(tmp_path: Path) -> None:
    values = np.arange(-50, 50, dtype=np.int16).reshape(10, 10)

    frame = frame_of(file_of(tmp_path, radiograph(values, RescaleSlope="0.37", RescaleIntercept="-2.5")))

    assert (frame.slope, frame.intercept) == (0.37, -2.5)
    np.testing.assert_array_equal(frame.values, values)


def test_padding_is_as_dark_as_the_darkest_value_and_as_light_on_monochrome1(tmp_path: Path) -> None:
    values = np.array([[-2000, 10], [20, 30]], np.int16)
    padded = {"PixelPaddingValue": -2000}
    dark = frame_of(file_of(tmp_path, radiograph(values, **padded)))
    light = frame_of(file_of(tmp_path, radiograph(values, PhotometricInterpretation="MONOCHROME1", **padded)))

    assert (dark.values[0, 0], dark.least, dark.inverted) == (10, 10, False)
    assert (light.values[0, 0], light.most, light.inverted) == (30, 30, True)


def table_of(values: list[int], first: int, bits: int) -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(values), first, bits])
    item.add_new("LUTData", "US", values)
    return Sequence([item])


def test_a_modality_table_gives_its_values(tmp_path: Path) -> None:
    dataset = radiograph(np.array([[0, 1], [2, 3]], np.uint8))
    dataset.ModalityLUTSequence = table_of([100, 300, 200, 65535], 0, 16)
    dataset.ModalityLUTSequence[0].ModalityLUTType = "US"

    frame = frame_of(file_of(tmp_path, dataset))

    assert frame.values.tolist() == [[100, 300], [200, 65535]]


def test_a_table_for_the_screen_is_sent_as_what_each_value_is_shown_as(tmp_path: Path) -> None:
    dataset = radiograph(np.array([[10, 11], [12, 13]], np.uint16))
    dataset.VOILUTSequence = table_of([0, 255, 51, 102], 10, 8)

    frame = frame_of(file_of(tmp_path, dataset))

    assert frame.table is not None
    assert looked_at(frame).tolist() == [[0, 255], [51, 102]]


def test_the_windows_are_those_of_the_header_the_one_that_shows_something_first(tmp_path: Path) -> None:
    values = np.arange(100, dtype=np.uint16).reshape(10, 10)
    dataset = radiograph(
        values,
        WindowCenter=[5000, 50, 20],
        WindowWidth=[10, 100, 40],
        WindowCenterWidthExplanation=["NOTHING", "ALL", "DARK"],
    )

    names = [item.name for item in frame_of(file_of(tmp_path, dataset)).windows]

    assert names == ["ALL", "NOTHING", "DARK"]


def test_a_frame_of_an_enhanced_object_has_the_rescaling_and_the_window_of_its_own_group(
    tmp_path: Path,
) -> None:
    values = np.stack([np.full((8, 8), 7, np.uint16), np.arange(64, dtype=np.uint16).reshape(8, 8)])
    dataset = radiograph(values[0], NumberOfFrames=2, PixelData=values.tobytes())
    shared, groups = Dataset(), [Dataset(), Dataset()]
    shared.FrameVOILUTSequence = Sequence([Dataset()])
    shared.FrameVOILUTSequence[0].WindowCenter = 0
    shared.FrameVOILUTSequence[0].WindowWidth = 101
    for number, group in enumerate(groups):
        item = Dataset()
        item.RescaleSlope, item.RescaleIntercept, item.RescaleType = number + 1, -10 * number, "US"
        group.PixelValueTransformationSequence = Sequence([item])
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    dataset.PerFrameFunctionalGroupsSequence = Sequence(groups)

    frame = frame_of(file_of(tmp_path, dataset), 1)

    assert (frame.slope, frame.intercept) == (2, -10)
    np.testing.assert_array_equal(frame.values, values[1])
    assert frame.windows[0].window == Window.linear(0, 101)


def test_32_bits_are_brought_to_16_within_half_a_step() -> None:
    path = FOLDER / "rtdose_1frame.dcm"
    dataset = dcmread(path)

    frame = frame_of(path)

    error = np.abs(frame.values * frame.slope + frame.intercept - dataset.pixel_array)
    assert error.max() <= frame.slope * 0.51
    assert frame.values.dtype == np.uint16
