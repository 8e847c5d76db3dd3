"""Frames are found in the file, each read alone."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEGLSLossless

from models.decoding import decode_frame
from models.dicom import read_header
from models.stored import locate_frames
from overread.errors import UndecodablePixelsError
from tests.models.test_decoding import real

COMPRESSED = ["emri_small_RLE.dcm", "emri_small_jpeg_ls_lossless.dcm", "emri_small_jpeg_2k_lossless.dcm"]


def frames_of(path: Path) -> list[bytes]:
    frames = locate_frames(path, read_header(path))
    return [frames.read(number) for number in range(frames.layout.frames)]


@pytest.mark.parametrize("name", COMPRESSED)
def test_compressed_frames_are_given_as_they_are_stored(name: str) -> None:
    dataset = dcmread(real(name))
    assert frames_of(real(name)) == list(generate_frames(dataset.PixelData, number_of_frames=10))


def test_plain_frames_are_given_as_they_are_stored() -> None:
    pixels = dcmread(real("emri_small.dcm")).PixelData
    assert b"".join(frames_of(real("emri_small.dcm"))) == pixels
    assert len(frames_of(real("emri_small.dcm"))) == 10


@pytest.mark.parametrize("table", [True, False], ids=["offset table", "no table"])
def test_frames_of_several_fragments_are_put_together(tmp_path: Path, table: bool) -> None:
    dataset = dcmread(real("emri_small_jpeg_ls_lossless.dcm"))
    frames = list(generate_frames(dataset.PixelData, number_of_frames=10))
    dataset.PixelData = encapsulate(frames, fragments_per_frame=3, has_bot=table)
    path = tmp_path / "fragments.dcm"
    dataset.save_as(path)
    assert [frame.rstrip(b"\0") for frame in frames_of(path)] == [frame.rstrip(b"\0") for frame in frames]
    assert np.array_equal(
        decode_frame(path, read_header(path), 7),
        decode_frame(real("emri_small.dcm"), read_header(real("emri_small.dcm")), 7),
    )


def test_frames_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    dataset = dcmread(real("emri_small_jpeg_ls_lossless.dcm"))
    frames = list(generate_frames(dataset.PixelData, number_of_frames=10))
    dataset.PixelData = encapsulate(frames[:9], has_bot=False)
    path = tmp_path / "missing.dcm"
    dataset.save_as(path)
    assert dataset.file_meta.TransferSyntaxUID == JPEGLSLossless
    with pytest.raises(UndecodablePixelsError, match="cannot be told apart"):
        frames_of(path)


def test_frames_of_single_bits_start_within_a_byte(tmp_path: Path) -> None:
    bits = np.random.default_rng(1).integers(0, 2, (3, 5, 5), np.uint8)
    dataset = dcmread(real("liver.dcm"))
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = 5, 5, 3
    dataset.PixelData = np.packbits(bits.ravel(), bitorder="little").tobytes()
    path = tmp_path / "bits.dcm"
    dataset.save_as(path)
    for frame, expected in zip(frames_of(path), bits, strict=True):
        shown = np.unpackbits(np.frombuffer(frame, np.uint8), bitorder="little")[:25]
        assert np.array_equal(shown.reshape(5, 5), expected)


def test_there_is_no_frame_beyond_the_last() -> None:
    frames = locate_frames(real("emri_small.dcm"), read_header(real("emri_small.dcm")))
    with pytest.raises(UndecodablePixelsError, match="no frame 10"):
        frames.read(10)
