"""What the viewer is told of an image, by its header."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from models.calibration import SpacingKind
from service.pictures.decoder import Decoder
from service.pictures.describing import Edges, ImageDescription, describe_images
from tests.service.desk.viewer_images import grey_image, written

VALUES = np.zeros((8, 8), np.uint16)


def item(**elements: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def described(folder: Path, dataset: Dataset) -> ImageDescription:
    path = folder / "image.dcm"
    path.write_bytes(written(dataset))
    (found,) = describe_images(Decoder(), [path])
    assert found is not None
    return found


def test_an_axial_slice_tells_its_place_its_edges_and_its_millimetres(tmp_path: Path) -> None:
    image = grey_image(
        VALUES,
        Modality="CT",
        SeriesNumber=3,
        SeriesDescription="Axial",
        InstanceNumber=5,
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        ImagePositionPatient=[-100, -120, 42.5],
        PixelSpacing=[0.8, 0.8],
    )

    found = described(tmp_path, image)

    assert (found.series_number, found.series_description, found.instance_number) == (3, "Axial", 5)
    assert found.positions_mm == (42.5,)
    assert found.edges == Edges(left="R", right="L", top="A", bottom="P")
    assert found.spacing is not None
    assert found.spacing.kind is SpacingKind.PATIENT
    assert found.frame_ms is None


def test_a_radiograph_tells_its_edges_by_patient_orientation(tmp_path: Path) -> None:
    found = described(tmp_path, grey_image(VALUES, PatientOrientation=["L", "F"], ViewPosition="PA"))

    assert found.edges == Edges(left="R", right="L", top="H", bottom="F")
    assert found.view == "PA"
    assert described(tmp_path, grey_image(VALUES, PatientOrientation=["?", "F"])).edges is None


def test_an_enhanced_object_tells_the_place_of_each_frame(tmp_path: Path) -> None:
    frames = np.zeros((3, 8, 8), np.uint16)
    groups = []
    for place in (10, 5, 0):
        group = Dataset()
        group.PlanePositionSequence = [item(ImagePositionPatient=[0, 0, place])]
        groups.append(group)
    shared = item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        PixelMeasuresSequence=[item(PixelSpacing=[0.5, 0.5])],
    )

    found = described(
        tmp_path,
        grey_image(
            frames,
            NumberOfFrames=3,
            SharedFunctionalGroupsSequence=[shared],
            PerFrameFunctionalGroupsSequence=groups,
        ),
    )

    assert found.positions_mm == (10, 5, 0)
    assert found.spacing is not None
    assert (found.spacing.kind, found.spacing.row_mm) == (SpacingKind.PATIENT, 0.5)


@pytest.mark.parametrize(
    ("pace", "milliseconds"), [({"FrameTime": 40}, 40), ({"CineRate": 20}, 50), ({}, 100)]
)
def test_a_film_tells_its_pace(tmp_path: Path, pace: dict[str, object], milliseconds: float) -> None:
    frames = np.zeros((2, 8, 8), np.uint16)

    found = described(tmp_path, grey_image(frames, NumberOfFrames=2, **pace))

    assert (found.frames, found.frame_ms) == (2, milliseconds)


def test_what_is_no_image_or_no_dicom_is_none_and_harms_no_other(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("no DICOM at all")
    (tmp_path / "image").write_bytes(written(grey_image(VALUES)))

    found = describe_images(Decoder(), [tmp_path / "words", tmp_path / "image"])

    assert [item is None for item in found] == [True, False]
