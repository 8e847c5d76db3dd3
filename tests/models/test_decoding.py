"""Broken and lying pixel data give an error that says what to do."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit

from models.codestream import SCANS_MAX, has_many_scans, stated_size
from models.decoding import decode_frame
from models.dicom import read_header
from models.pixels import read_stored
from models.stored import with_pixels
from overread.errors import InvalidDicomError, UndecodablePixelsError
from tests.models.radiographs import ramp, write_radiograph


def real(name: str) -> Path:
    path = get_testdata_file(name)
    assert path, f"pydicom-data lacks {name}"
    return Path(str(path))


def decode(path: Path, frame: int = 0) -> np.ndarray:
    return decode_frame(path, read_header(path), frame)


@pytest.mark.parametrize(
    ("plain", "compressed"),
    [
        ("RG1_UNCR.dcm", "RG1_J2KR.dcm"),
        ("RG3_UNCR.dcm", "RG3_J2KR.dcm"),
        ("693_UNCR.dcm", "693_J2KR.dcm"),
        ("MR2_UNCR.dcm", "MR2_J2KR.dcm"),
        ("US1_UNCR.dcm", "US1_J2KR.dcm"),
        ("emri_small.dcm", "emri_small_RLE.dcm"),
        ("emri_small.dcm", "emri_small_jpeg_ls_lossless.dcm"),
        ("emri_small.dcm", "emri_small_jpeg_2k_lossless.dcm"),
        ("emri_small.dcm", "emri_small_big_endian.dcm"),
        ("MR_small.dcm", "MR_small_implicit.dcm"),
        ("SC_rgb_16bit.dcm", "SC_rgb_rle_16bit.dcm"),
    ],
)
def test_a_lossless_copy_decodes_to_the_same_pixels(plain, compressed) -> None:
    np.testing.assert_array_equal(decode(real(plain)), decode(real(compressed)))


def test_jpeg_lossless_decodes_to_the_known_range() -> None:
    pixels = decode(real("JPEG-LL.dcm"))
    assert (pixels.shape, pixels.min(), pixels.max()) == ((1024, 256), 0, 278)


@pytest.mark.parametrize("name", ["emri_small.dcm", "emri_small_RLE.dcm", "emri_small_big_endian.dcm"])
def test_every_frame_of_a_multi_frame_object_is_reached(name: str) -> None:
    header = read_header(real(name))
    frames = [decode_frame(real(name), header, frame) for frame in range(10)]
    np.testing.assert_array_equal(frames, dcmread(real("emri_small.dcm")).pixel_array)
    with pytest.raises(UndecodablePixelsError, match="no frame 10; it has 10"):
        decode(real(name), 10)


def test_something_else_than_dicom_is_named_as_such(tmp_path) -> None:
    path = tmp_path / "letter.dcm"
    path.write_bytes(b"Dear colleague" * 100)
    with pytest.raises(InvalidDicomError, match="not a DICOM file"):
        read_header(path)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.999])
def test_truncated_pixels_are_an_error_and_never_a_picture(tmp_path, share) -> None:
    for name in ("RG1_UNCR.dcm", "RG1_J2KR.dcm"):
        content = real(name).read_bytes()
        path = tmp_path / name
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(UndecodablePixelsError, match="send it again"):
            decode(path)


@pytest.mark.parametrize("kept", [140, 300, 700])
def test_a_file_cut_off_in_its_header_is_an_error(tmp_path, kept) -> None:
    path = tmp_path / "cut.dcm"
    path.write_bytes(real("RG1_UNCR.dcm").read_bytes()[:kept])
    with pytest.raises((InvalidDicomError, UndecodablePixelsError)):
        decode(path)


def test_an_object_without_pixel_data_is_an_error(tmp_path) -> None:
    for syntax in ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2"):
        path = write_radiograph(tmp_path / "no.dcm", ramp(), PixelData=None, TransferSyntaxUID=syntax)
        with pytest.raises(UndecodablePixelsError, match="has no pixel data"):
            decode(path)


@pytest.mark.parametrize(
    ("lie", "message"),
    [
        (
            {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7},
            "bytes of pixel data where the header promises",
        ),
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, "truncated"),
        ({"BitsStored": 20, "HighBit": 19}, "contradict"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}, "truncated"),
        ({"SamplesPerPixel": 7}, "contradict"),
        ({"Rows": 0}, "no image"),
        ({"Rows": 301}, "truncated"),
        ({"Columns": 149}, "bytes of pixel data where the header promises"),
        ({"NumberOfFrames": 2}, "truncated"),
        ({"NumberOfFrames": 1_000_000}, "truncated"),
        ({"NumberOfFrames": 2_000_000_000}, "1000000 are the limit"),
        ({"Rows": 65535, "Columns": 65535}, "limit"),
    ],
)
def test_a_header_that_lies_about_its_pixels_is_an_error(tmp_path, lie, message) -> None:
    path = write_radiograph(tmp_path / "lie.dcm", ramp(), **lie)
    with pytest.raises(UndecodablePixelsError, match=message):
        decode(path)


def test_a_compressed_image_of_another_size_than_its_header_is_an_error(tmp_path) -> None:
    dataset = dcmread(real("RG3_J2KR.dcm"))
    dataset.Rows = 16000
    dataset.save_as(tmp_path / "bomb.dcm")
    with pytest.raises(UndecodablePixelsError, match="the codestream"):
        decode(tmp_path / "bomb.dcm")


def test_an_unsupported_transfer_syntax_is_named(tmp_path) -> None:
    dataset = dcmread(real("RG3_J2KR.dcm"))
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"  # MPEG2
    dataset.save_as(tmp_path / "mpeg.dcm")
    with pytest.raises(UndecodablePixelsError, match=r"MPEG2 .* not supported"):
        decode(tmp_path / "mpeg.dcm")


def test_compressed_bytes_that_are_noise_are_an_error(tmp_path) -> None:
    noise = np.random.default_rng(1).bytes(5000)
    path = write_radiograph(tmp_path / "noise.dcm", ramp())
    dataset = dcmread(path)
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    dataset.PixelData = encapsulate([noise])
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path)
    with pytest.raises(UndecodablePixelsError, match="cannot be decoded"):
        decode(path)


@pytest.mark.parametrize(
    ("codestream", "size"),
    [
        (b"\xff\x4f\xff\x51\x00\x29\x00\x00" + struct.pack(">4I", 640, 480, 0, 0) + b"\x00" * 20, (480, 640)),
        (b"\xff\xd8\xff\xc0\x00\x0b\x08" + struct.pack(">2H", 480, 640) + b"\x01\x01\x11\x00", (480, 640)),
        (b"\xff\xd8\xff\xe0\x00\x04ab\xff\xf7\x00\x0b\x08" + struct.pack(">2H", 3, 5) + b"\x01", (3, 5)),
        (b"\xff\xd8\xff\xc4", None),
        (b"nothing", None),
        (b"", None),
    ],
)
def test_a_codestream_states_its_own_size(codestream, size) -> None:
    assert stated_size(codestream) == size


def test_runs_beyond_the_frame_do_not_end_the_process(tmp_path: Path) -> None:
    dataset = dcmread(real("MR_small_RLE.dcm"))
    segment = b"\x81\x07" * 40  # 128 times 7 each: 5,120 bytes where the frame has 4,096
    header = struct.pack("<16L", 2, 64, 64 + len(segment), *[0] * 13)
    dataset.PixelData = encapsulate([header + segment * 2])
    path = tmp_path / "runs.dcm"
    dataset.save_as(path)
    assert (decode(path) == 0x0707).all()


# --- codestreams made to hurt


def jpeg(*, scans: int, side: int = 16, comment: bytes = b"") -> bytes:
    """A progressive JPEG whose last scan is there again and again."""
    buffer = io.BytesIO()
    picture = Image.fromarray(np.arange(side * side, dtype=np.uint8).reshape(side, side))
    picture.save(buffer, "JPEG", progressive=True, comment=comment)
    whole = buffer.getvalue()
    own, last = whole.count(b"\xff\xda") - comment.count(b"\xff\xda"), whole.rindex(b"\xff\xda")
    return whole[:-2] + whole[last:-2] * max(scans - own, 0) + whole[-2:]


def test_a_jpeg_of_the_usual_scans_is_decoded_and_one_of_many_is_not(tmp_path) -> None:
    for scans, refused in ((SCANS_MAX, False), (SCANS_MAX + 1, True)):
        assert has_many_scans(jpeg(scans=scans)) is refused
        path = write_jpeg(tmp_path / f"{scans}.dcm", jpeg(scans=scans))
        picture = tmp_path / f"{scans}.jpg"
        picture.write_bytes(jpeg(scans=scans))
        if refused:
            for read in (decode, read_stored):
                with pytest.raises(UndecodablePixelsError, match=f"more than {SCANS_MAX} scans"):
                    read(path if read is decode else picture)
        else:
            assert decode(path).shape == read_stored(picture)[0].shape == (16, 16)


def write_jpeg(path: Path, codestream: bytes) -> Path:
    dataset = dcmread(write_radiograph(path, ramp()))
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.Rows = dataset.Columns = 16
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    dataset.PixelData = encapsulate([codestream])
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path, enforce_file_format=True)
    return path


def test_only_scans_of_the_image_itself_are_counted() -> None:
    mark = b"\xff\xda"
    assert not has_many_scans(jpeg(scans=4, comment=mark * (SCANS_MAX + 1)))
    assert not has_many_scans(jpeg(scans=4) + mark * (SCANS_MAX + 1))
    assert not has_many_scans(b"\xff\x4f\xff\x51" + mark * (SCANS_MAX + 1))
    assert not has_many_scans(b"\xff\xd8\xff\xda")


def test_nothing_after_the_pixel_data_of_a_deflated_object_is_read(tmp_path) -> None:
    path = write_radiograph(tmp_path / "plain.dcm", ramp())
    dataset = dcmread(path)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.add_new(0x7FE10010, "LO", "VENDOR")
    dataset.save_as(path, enforce_file_format=True)

    whole = with_pixels(path)

    np.testing.assert_array_equal(whole.pixel_array, ramp())
    assert 0x7FE10010 not in whole
