"""An image is described by numbers that another implementation finds too, and by nothing of the patient."""

import numpy as np
import pytest
from pydicom.dataset import Dataset
from scipy.fft import dctn

from models.describing import describe_image, embedding_of
from models.framing import AS_STORED, Framing
from models.guards import THUMBNAIL
from models.localisation import Box
from models.onnx_detector import OnnxDetector
from models.pixels import network_input_from, read_stored
from overread.appearance import EMBEDDING_SIZE, EXPOSURE, PIXELS, Appearance
from overread.ports import DescribingDetector, examine
from tests.models.radiographs import chest_with_shadow, ramp, write_radiograph
from tests.models.tiny_release import write_tiny_release

SHADOW = chest_with_shadow(column=40, row=100)


def described(path, framing=AS_STORED) -> tuple[Appearance, np.ndarray]:
    stored, header = read_stored(path)
    pixels = network_input_from(stored, header, rows=128, columns=128, framing=framing)
    return describe_image(stored, header, pixels, framing), pixels


def test_the_header_is_told_as_far_as_it_speaks_of_device_and_exposure(tmp_path) -> None:
    path = write_radiograph(
        tmp_path / "a.dcm",
        SHADOW,
        PatientName="Doe^Jane",
        PatientID="P1",
        InstitutionName="St Mary",
        StationName="ROOM1",
        Manufacturer="Maker",
        ManufacturerModelName="One  Plus",
        BitsStored=12,
        HighBit=11,
        KVP="125",
        ExposureIndex="410.5",
        DeviationIndex="-1.2",
    )
    found, _ = described(path)

    assert (found.view, found.scanner, found.bits) == ("PA", "Maker One Plus", 12)
    assert (found.rows, found.columns, found.photometric) == (300, 300, "MONOCHROME2")
    assert {name: found.measures[name] for name in EXPOSURE} == {
        "kilovolts": 125.0,
        "exposure_index": 410.5,
        "deviation_index": -1.2,
    }
    assert found.measures.keys() == EXPOSURE.keys() | PIXELS.keys()
    assert not any(word in repr(found) for word in ("Doe", "Jane", "P1'", "Mary", "ROOM1"))


def test_what_the_header_leaves_out_is_not_known(tmp_path) -> None:
    path = write_radiograph(tmp_path / "a.dcm", SHADOW, ViewPosition=None)
    found, _ = described(path)

    assert (found.view, found.scanner) == (None, None)
    assert not found.measures.keys() & EXPOSURE.keys()


def test_measures_are_those_of_the_pixels(tmp_path) -> None:
    path = write_radiograph(tmp_path / "a.dcm", SHADOW)
    found, pixels = described(path)
    step = 300 // 128
    stored = SHADOW[::step, ::step] / 2**16
    shares, _ = np.histogram(pixels, bins=64, range=(0, 1))
    shares = shares[shares > 0] / pixels.size

    expected = {
        "mean": pixels.mean(),
        "spread": pixels.std(),
        **{f"p{share:02}": np.percentile(pixels, share) for share in (5, 25, 50, 75, 95)},
        "detail": np.abs(np.diff(pixels)).mean(),
        "stored_low": np.percentile(stored, 1),
        "stored_middle": np.median(stored),
        "stored_high": np.percentile(stored, 99),
    }
    assert {name: found.measures[name] for name in expected} == pytest.approx(expected, abs=0.003)
    assert found.measures["entropy"] == pytest.approx(-(shares * np.log2(shares)).sum(), abs=0.05)


def test_the_border_is_the_area_beside_what_is_not_empty() -> None:
    pixels = np.zeros((100, 100), np.float32)
    pixels[10:60, 20:100] = 0.5  # half of the rows, four fifths of the columns
    found = describe_image(pixels, Dataset(), pixels, AS_STORED)

    assert found.measures["border"] == pytest.approx(1 - 0.5 * 0.8)
    empty = np.zeros((100, 100), np.float32)
    assert describe_image(empty, Dataset(), empty, AS_STORED).measures["border"] == 1.0


def test_what_was_put_right_is_told(tmp_path) -> None:
    path = write_radiograph(tmp_path / "a.dcm", SHADOW)
    framing = Framing(field=Box(left=0.1, top=0.0, right=1.0, bottom=1.0), quarter_turns=1, inverted=True)
    found, _ = described(path, framing)

    assert (found.quarter_turns, found.is_inverted, found.is_cut) == (1, True, True)
    plain, _ = described(path)
    assert (plain.quarter_turns, plain.is_inverted, plain.is_cut) == (0, False, False)


def test_the_embedding_is_the_cosine_transform_of_the_thumbnail() -> None:
    pixels = np.random.default_rng(4).random((THUMBNAIL * 2, THUMBNAIL * 2)).astype(np.float32)
    small = pixels.reshape(THUMBNAIL, 2, THUMBNAIL, 2).mean(axis=(1, 3))
    expected = dctn((small - small.mean()) / small.std(), norm="ortho")[:5, :5].ravel()[1:]

    assert len(embedding_of(pixels)) == EMBEDDING_SIZE
    assert embedding_of(pixels) == pytest.approx(expected, abs=0.001)


def test_the_embedding_sees_inversion_and_mirroring_and_no_brightness() -> None:
    pixels = np.random.default_rng(4).random((128, 128)).astype(np.float32)
    plain, odd = np.array(embedding_of(pixels)), np.arange(1, 25) % 5 % 2 == 1

    assert np.array(embedding_of(1 - pixels)) == pytest.approx(-plain, abs=0.001)
    assert np.array(embedding_of(pixels[:, ::-1])) == pytest.approx(np.where(odd, -plain, plain), abs=0.001)
    assert np.array(embedding_of(pixels * 0.5 + 0.2)) == pytest.approx(plain, abs=0.001)


def test_a_detector_gives_the_appearance_of_the_first_image_that_its_network_saw(tmp_path) -> None:
    detector = OnnxDetector(write_tiny_release(tmp_path / "tiny"))
    lateral = write_radiograph(tmp_path / "0.dcm", SHADOW, ViewPosition="LL")
    first = write_radiograph(tmp_path / "1.dcm", SHADOW, Manufacturer="First")
    second = write_radiograph(tmp_path / "2.dcm", ramp(), Manufacturer="Second")

    detection, found = examine(detector, [lateral, first, second])

    assert isinstance(detector, DescribingDetector)
    assert detection == detector.detect([lateral, first, second])
    assert found is not None
    assert found.scanner == "First"
    assert examine(detector, [lateral])[1] is None


def test_an_image_that_was_prepared_ahead_is_described_too(tmp_path) -> None:
    detector = OnnxDetector(write_tiny_release(tmp_path / "tiny"))
    path = write_radiograph(tmp_path / "1.dcm", SHADOW, Manufacturer="First")
    detector.prefetch([path])

    _, ahead = detector.detect_and_describe([path])
    assert ahead == detector.detect_and_describe([path])[1]
