"""Whose millimetres the spacing of an image are (PS3.3 10.7.1)."""

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from models.calibration import ScaledRegion, SpacingKind, pixel_aspect, scaled_regions, spacing_of


def image(**elements: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize(
    ("elements", "kind", "row_mm"),
    [
        ({"Modality": "CT", "PixelSpacing": [0.8, 0.7]}, SpacingKind.PATIENT, 0.8),
        (
            {"Modality": "OT", "PixelSpacing": [0.8, 0.7], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]},
            SpacingKind.PATIENT,
            0.8,
        ),
        ({"Modality": "DX", "ImagerPixelSpacing": [0.2, 0.2]}, SpacingKind.DETECTOR, 0.2),
        (
            {"Modality": "DX", "PixelSpacing": [0.2, 0.2], "ImagerPixelSpacing": [0.2, 0.2]},
            SpacingKind.DETECTOR,
            0.2,
        ),
        (
            {"Modality": "DX", "PixelSpacing": [0.15, 0.15], "ImagerPixelSpacing": [0.2, 0.2]},
            SpacingKind.CALIBRATED,
            0.15,
        ),
        (
            {
                "Modality": "DX",
                "PixelSpacing": [0.2, 0.2],
                "ImagerPixelSpacing": [0.2, 0.2],
                "PixelSpacingCalibrationType": "FIDUCIAL",
            },
            SpacingKind.CALIBRATED,
            0.2,
        ),
        ({"Modality": "CR", "PixelSpacing": [0.2, 0.2]}, SpacingKind.UNKNOWN, 0.2),
    ],
)
def test_spacing_is_of_the_patient_only_where_the_header_says_so(
    elements: dict[str, object], kind: SpacingKind, row_mm: float
) -> None:
    spacing = spacing_of(image(**elements))

    assert spacing is not None
    assert (spacing.kind, spacing.row_mm) == (kind, row_mm)


def test_only_the_two_kinds_of_the_patient_tell_millimetres() -> None:
    assert {kind for kind in SpacingKind if kind.is_measured} == {SpacingKind.PATIENT, SpacingKind.CALIBRATED}


@pytest.mark.parametrize("spacing", [[0, 0.2], [0.2], ["1000", "1000"]])
def test_a_spacing_that_cannot_be_is_none(spacing: list[object]) -> None:
    assert spacing_of(image(Modality="CT", PixelSpacing=spacing)) is None


def test_pixels_are_as_high_as_their_rows_are_apart() -> None:
    assert pixel_aspect(image(Modality="MR", PixelSpacing=[2, 1])) == 2
    assert pixel_aspect(image(Modality="US", PixelAspectRatio=[3, 2])) == 1.5
    assert pixel_aspect(image(Modality="US")) == 1


def region(**elements: object) -> Dataset:
    given = {
        "RegionSpatialFormat": 1,
        "PhysicalUnitsXDirection": 3,
        "PhysicalUnitsYDirection": 3,
        "PhysicalDeltaX": 0.02,
        "PhysicalDeltaY": 0.03,
        "RegionLocationMinX0": 10,
        "RegionLocationMinY0": 20,
        "RegionLocationMaxX1": 110,
        "RegionLocationMaxY1": 220,
    }
    return image(**(given | elements))


def test_a_region_of_ultrasound_has_its_scale_in_millimetres_and_one_over_time_has_none() -> None:
    over_time = region(PhysicalUnitsXDirection=4)

    found = scaled_regions(image(SequenceOfUltrasoundRegions=Sequence([region(), over_time])))

    assert found == (
        ScaledRegion(
            column_min=10, row_min=20, column_max=110, row_max=220, row_mm=pytest.approx(0.3), column_mm=0.2
        ),
    )
