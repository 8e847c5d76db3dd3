"""Which studies a detector of the registry is asked about."""

from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from models.registry import Route
from models.routing import RoutedDetector, admits, describe
from overread.errors import InvalidDicomError
from overread.observation import Detection, ObserverIdentity
from tests.models.radiographs import ramp, write_radiograph


def header(**attributes: str) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def image(path: Path, modality: str) -> Path:
    return write_radiograph(path, ramp(8, 8), Modality=modality)


class AskedDetector:
    """Notes what it is asked about."""

    identity = ObserverIdentity(name="asked", version="1")
    findings = ("mass",)

    def __init__(self) -> None:
        self.asked: list[tuple[Path, ...]] = []
        self.hinted: list[tuple[Path, ...]] = []

    def prefetch(self, instances) -> None:
        self.hinted.append(tuple(instances))

    def detect(self, instances) -> Detection:
        self.asked.append(tuple(instances))
        return Detection(detector=self.identity, operating_point="half")


@pytest.mark.parametrize(
    ("route", "passes"),
    [
        (Route(), True),
        (Route(modalities=("DX",)), True),
        (Route(modalities=("CT", "MR")), False),
        (Route(body_parts=("chest", "thorax")), True),
        (Route(body_parts=("knee",)), False),
        (Route(views=("PA",)), True),
        (Route(views=("LL",)), False),
        (Route(modalities=("DX",), body_parts=("chest",), views=("AP",)), False),
    ],
)
def test_every_part_of_a_route_must_let_the_image_pass(route, passes) -> None:
    stated = header(Modality="DX", BodyPartExamined="CHEST", ViewPosition="PA")

    assert admits(route, stated) is passes


@pytest.mark.parametrize("keyword", ["Modality", "BodyPartExamined", "ViewPosition"])
def test_what_a_header_leaves_out_is_not_held_against_it(keyword) -> None:
    stated = header(Modality="DX", BodyPartExamined="CHEST", ViewPosition="PA")
    setattr(stated, keyword, "")

    assert admits(Route(modalities=("DX",), body_parts=("chest",), views=("PA",)), stated)


def test_a_study_with_one_image_on_the_route_goes_to_the_detector_whole(tmp_path) -> None:
    inner = AskedDetector()
    study = (
        image(tmp_path / "1.dcm", "CT"),
        image(tmp_path / "2.dcm", "DX"),
    )

    detection = RoutedDetector(inner, Route(modalities=("DX",))).detect(study)

    assert inner.asked == [study]
    assert (detection.detector, detection.operating_point) == (inner.identity, "half")


def test_a_study_off_the_route_is_not_applicable_and_says_why(tmp_path) -> None:
    inner = AskedDetector()
    study = (image(tmp_path / "1.dcm", "CT"),)

    detection = RoutedDetector(inner, Route(modalities=("DX", "CR"))).detect(study)

    assert inner.asked == []
    assert detection.detector == inner.identity
    assert detection.not_applicable == "the registry asks it about modality DX or CR only"


def test_a_hint_is_passed_on(tmp_path) -> None:
    inner = AskedDetector()

    RoutedDetector(inner, Route(modalities=("DX",))).prefetch((tmp_path,))

    assert inner.hinted == [(tmp_path,)]


def test_a_file_that_is_no_dicom_is_an_input_error_not_a_route(tmp_path) -> None:
    path = tmp_path / "1.dcm"
    path.write_bytes(b"nothing")

    with pytest.raises(InvalidDicomError):
        RoutedDetector(AskedDetector(), Route(modalities=("DX",))).detect((path,))


def test_a_route_is_described_in_words() -> None:
    assert describe(Route()) == "every study"
    assert describe(Route(modalities=("CR",), views=("PA", "AP"))) == "modality CR, view PA or AP"
