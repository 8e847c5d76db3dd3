"""What people and networks see of an image, from any source."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset

from models.dicom import pixel_spacing_mm, read_header
from models.framing import Framing
from models.localisation import Box
from models.pixels import network_input, render_for_display
from overread.errors import InvalidDicomError, UndecodablePixelsError
from tests.models.radiographs import ramp, write_radiograph
from tests.models.test_decoding import real


def seen(path: Path) -> np.ndarray:
    return network_input(path, rows=64, columns=64)


def test_monochrome1_is_shown_inverted(tmp_path) -> None:
    window = {"WindowCenter": 2000, "WindowWidth": 4000}
    bright = render_for_display(write_radiograph(tmp_path / "2.dcm", ramp(), **window))
    path = write_radiograph(tmp_path / "1.dcm", ramp(), PhotometricInterpretation="MONOCHROME1", **window)
    np.testing.assert_allclose(render_for_display(path), 255 - bright.astype(int), atol=1)
    assert bright[0, 0] == 0
    assert bright[0, -1] == 255


def test_a_network_sees_an_inverted_image_the_same(tmp_path) -> None:
    pixels = ramp()
    direct = write_radiograph(tmp_path / "2.dcm", pixels)
    inverse = write_radiograph(tmp_path / "1.dcm", 4000 - pixels, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_allclose(seen(direct), seen(inverse), atol=0.01)


def test_the_window_is_applied_after_rescaling(tmp_path) -> None:
    path = write_radiograph(
        tmp_path / "w.dcm",
        ramp(low=0, high=1000),
        RescaleSlope=2,
        RescaleIntercept=-500,
        WindowCenter=500,
        WindowWidth=1001,
    )
    shown = render_for_display(path)[0]
    # Stored 250 is 0 after rescaling, the black end of the window; stored 750 is 1000, its white end.
    assert shown[round(299 * 0.245)] == 0
    assert shown[150] == pytest.approx(128, abs=2)
    assert shown[round(299 * 0.755)] == 255


def test_a_window_that_shows_nothing_is_replaced_by_the_range_of_the_image(tmp_path) -> None:
    path = write_radiograph(tmp_path / "w.dcm", ramp(), WindowCenter=60000, WindowWidth=10)
    assert render_for_display(path).std() > 60


def test_a_sigmoid_window_is_softer_than_a_linear_one(tmp_path) -> None:
    window = {"WindowCenter": 2000, "WindowWidth": 1000}
    linear = render_for_display(write_radiograph(tmp_path / "l.dcm", ramp(), **window))[0]
    soft = render_for_display(
        write_radiograph(tmp_path / "s.dcm", ramp(), VOILUTFunction="SIGMOID", **window)
    )[0]
    assert linear[110] == 0 < soft[110]
    assert soft[149] == pytest.approx(127, abs=3)


def test_a_network_does_not_see_the_window(tmp_path) -> None:
    plain = write_radiograph(tmp_path / "p.dcm", ramp())
    windowed = write_radiograph(tmp_path / "w.dcm", ramp(), WindowCenter=100, WindowWidth=500)
    np.testing.assert_array_equal(seen(plain), seen(windowed))


@pytest.mark.parametrize(("slope", "intercept"), [(1, 0), (0.25, 0), (3, -1024)])
def test_a_network_sees_no_difference_of_scale(tmp_path, slope, intercept) -> None:
    plain = write_radiograph(tmp_path / "p.dcm", ramp())
    scaled = write_radiograph(tmp_path / "s.dcm", ramp(), RescaleSlope=slope, RescaleIntercept=intercept)
    np.testing.assert_allclose(seen(plain), seen(scaled), atol=0.01)


def test_signed_pixels_keep_their_order(tmp_path) -> None:
    unsigned = write_radiograph(tmp_path / "u.dcm", ramp(low=0, high=4000))
    signed = write_radiograph(tmp_path / "s.dcm", ramp(low=-2000, high=2000, kind=np.int16))
    np.testing.assert_allclose(seen(unsigned), seen(signed), atol=0.01)
    assert render_for_display(signed)[0, -1] == 255


def test_padding_neither_shines_nor_stretches_the_grey_scale(tmp_path) -> None:
    pixels = ramp(low=1000, high=4000)
    padded = pixels.copy()
    padded[:, :40] = 65535
    path = write_radiograph(tmp_path / "p.dcm", padded, PixelPaddingValue=65535)
    assert render_for_display(path)[:, :40].max() == 0
    assert seen(path)[:, 0].max() < 0.1
    assert seen(path)[:, -1].min() > 0.9
    inverted = write_radiograph(
        tmp_path / "i.dcm", padded, PixelPaddingValue=65535, PhotometricInterpretation="MONOCHROME1"
    )
    assert render_for_display(inverted)[:, :40].max() == 0


def test_an_eight_bit_export_looks_like_its_original_to_a_network(tmp_path) -> None:
    original = real("RG1_UNCR.dcm")
    Image.fromarray(render_for_display(original)).save(tmp_path / "export.png")
    Image.fromarray(render_for_display(original)).save(tmp_path / "export.jpg", quality=95)
    for name in ("export.png", "export.jpg"):
        assert np.abs(seen(tmp_path / name) - seen(original)).mean() < 0.02


def test_a_sixteen_bit_png_is_read_in_full_depth(tmp_path) -> None:
    Image.fromarray(ramp(high=60000)).save(tmp_path / "deep.png")
    np.testing.assert_allclose(
        seen(tmp_path / "deep.png"), seen(write_radiograph(tmp_path / "d.dcm", ramp(high=60000)))
    )
    assert render_for_display(tmp_path / "deep.png")[0, -1] == 255


def test_a_network_input_lies_between_zero_and_one_and_an_empty_image_is_zero(tmp_path) -> None:
    image = seen(real("RG1_UNCR.dcm"))
    assert image.dtype == np.float32
    assert 0 <= image.min() < 0.1
    assert 0.9 < image.max() <= 1
    assert not seen(write_radiograph(tmp_path / "e.dcm", np.full((300, 300), 77, np.uint16))).any()


def test_lossy_and_lossless_copies_look_alike_to_a_network() -> None:
    original = seen(real("RG1_UNCR.dcm"))
    np.testing.assert_array_equal(original, seen(real("RG1_J2KR.dcm")))
    assert np.abs(original - seen(real("RG1_J2KI.dcm"))).max() < 0.05


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("mlut_18.dcm", (512, 512)),  # modality LUT
        ("vlut_04.dcm", (512, 512)),  # VOI LUT
        ("OBXXXX1A.dcm", (600, 800, 3)),  # palette
        ("SC_ybr_full_422_uncompressed.dcm", (100, 100, 3)),
        ("US1_J2KI.dcm", (480, 640, 3)),
        ("SC_rgb_32bit.dcm", (100, 100, 3)),
        ("JPGLosslessP14SV1_1s_1f_8b.dcm", (768, 1024)),
        ("JPEGLSNearLossless_16.dcm", (50, 10)),
        ("image_dfl.dcm", (512, 512)),
        ("liver_1frame.dcm", (512, 512)),  # one bit
        ("rtdose_1frame.dcm", (10, 10)),  # 32 bit
        ("color3d_jpeg_baseline.dcm", (480, 640, 3)),
    ],
)
def test_real_objects_of_every_kind_are_shown(name, shape) -> None:
    shown = render_for_display(real(name))
    assert (shown.shape, shown.dtype) == (shape, np.uint8)
    assert shown.std() > 5


@pytest.mark.parametrize(
    ("name", "table"), [("mlut_18.dcm", "ModalityLUTSequence"), ("vlut_04.dcm", "VOILUTSequence")]
)
def test_a_reversed_lookup_table_gives_the_negative(tmp_path, name, table) -> None:
    """The tables of the two objects are straight lines, so that applying none would go unnoticed."""
    dataset = dcmread(real(name))
    item = getattr(dataset, table)[0]
    item.LUTData = list(item.LUTData)[::-1]
    dataset.save_as(tmp_path / name)
    negative = render_for_display(tmp_path / name)
    np.testing.assert_allclose(255 - negative.astype(int), render_for_display(real(name)), atol=1)


@pytest.mark.parametrize(
    ("little", "big"),
    [("OBXXXX1A.dcm", "OBXXXX1A_expb.dcm"), ("gdcm-US-ALOKA-16.dcm", "gdcm-US-ALOKA-16_big.dcm")],
)
def test_a_palette_in_big_endian_gives_the_same_colours(little, big) -> None:
    np.testing.assert_array_equal(render_for_display(real(little)), render_for_display(real(big)))


def test_shrinking_keeps_the_aspect_ratio_and_never_enlarges() -> None:
    assert render_for_display(real("RG1_UNCR.dcm"), max_side=500).shape == (500, 471)
    assert render_for_display(real("OBXXXX1A.dcm"), max_side=400).shape == (300, 400, 3)
    assert render_for_display(real("SC_rgb.dcm"), max_side=400).shape == (100, 100, 3)


def test_a_broken_picture_is_an_error(tmp_path) -> None:
    Image.fromarray(ramp(kind=np.uint8, high=255)).save(tmp_path / "whole.png")
    content = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    for read in (seen, render_for_display):
        with pytest.raises(UndecodablePixelsError, match=r"cut\.png cannot be decoded"):
            read(tmp_path / "cut.png")
    (tmp_path / "text.txt").write_text("no picture")
    with pytest.raises(InvalidDicomError):
        seen(tmp_path / "text.txt")
    with pytest.raises(UndecodablePixelsError, match="cannot be opened"):
        seen(tmp_path / "absent.png")


@pytest.mark.parametrize(
    ("stated", "spacing"),
    [
        ({"PixelSpacing": [0.2, 0.1]}, (0.2, 0.1)),
        ({"ImagerPixelSpacing": [0.15, 0.15]}, (0.15, 0.15)),
        ({"PixelSpacing": [0, 0], "ImagerPixelSpacing": [0.15, 0.15]}, (0.15, 0.15)),
        ({"PixelSpacing": [0, 0]}, None),
        ({}, None),
    ],
)
def test_spacing_is_known_or_unknown_but_never_zero(stated, spacing) -> None:
    header = Dataset()
    for keyword, value in stated.items():
        setattr(header, keyword, value)
    assert pixel_spacing_mm(header) == spacing


def test_the_spacing_of_rg1_is_unknown() -> None:
    assert pixel_spacing_mm(read_header(real("RG1_UNCR.dcm"))) is None


@pytest.mark.parametrize("broken", [{"RescaleSlope": "nan"}, {"WindowCenter": "inf", "WindowWidth": "1"}])
def test_a_number_that_is_none_counts_as_absent(tmp_path, broken) -> None:
    path = write_radiograph(tmp_path / "n.dcm", ramp(), RescaleIntercept=0, **broken)
    assert render_for_display(path).std() > 60
    assert seen(path).std() > 0.1


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_framing_undoes_what_was_done_to_the_stored_pixels(tmp_path, turns) -> None:
    pixels = np.random.default_rng(3).integers(0, 4000, (64, 64)).astype(np.uint16)
    done = np.ascontiguousarray(np.rot90(4095 - pixels, -turns))
    good, bad = write_radiograph(tmp_path / "a.dcm", pixels), write_radiograph(tmp_path / "b.dcm", done)
    expected = network_input(good, rows=32, columns=32)
    framing = Framing(quarter_turns=turns, inverted=True)
    np.testing.assert_allclose(network_input(bad, rows=32, columns=32, framing=framing), expected, atol=1e-5)


def test_a_cut_leaves_no_trace_of_what_was_cut_away(tmp_path) -> None:
    pixels = np.random.default_rng(3).integers(500, 4000, (64, 64)).astype(np.uint16)
    bordered = np.pad(pixels, 32, constant_values=65535)
    good, bad = write_radiograph(tmp_path / "a.dcm", pixels), write_radiograph(tmp_path / "b.dcm", bordered)
    framing = Framing(field=Box(left=0.25, top=0.25, right=0.75, bottom=0.75))
    expected = network_input(good, rows=32, columns=32)
    assert (network_input(bad, rows=32, columns=32, framing=framing) == expected).all()
