"""Which series of a study a volume network is shown, and which of its slices."""

import numpy as np
import pytest

from models.bundle.manifest import VolumeUse
from models.bundle.series import choose_stack
from models.dicom import read_header, text
from overread.errors import InvalidDicomError
from tests.models.bundle.ct import Scan, write_enhanced, write_series

USE = VolumeUse(
    statement="tests",
    modalities=("CT",),
    body_parts=("chest", "thorax", "lung"),
    minimum_age_years=16.0,
    minimum_slices=8,
    maximum_slice_mm=3.0,
)
SMALL = Scan(rows=8, columns=8, slices=12)


def heights(stack) -> list[float]:
    return [round(item.height, 2) for item in stack.slices]


def series_of(choice) -> str:
    return text(choice.stack.slices[0].header, "SeriesInstanceUID")


def test_slices_come_in_the_order_of_their_place_whatever_their_names_and_numbers(tmp_path) -> None:
    downwards = Scan(rows=8, columns=8, slices=12, step=(0, 0, -2))  # the first slice is the highest
    order = list(np.random.default_rng(1).permutation(12))
    choice = choose_stack(write_series(tmp_path, downwards, order=order), USE)
    assert heights(choice.stack) == [-11, -9, -7, -5, -3, -1, 1, 3, 5, 7, 9, 11]
    assert [item.number for item in choice.stack.slices] == list(range(12, 0, -1))
    assert choice.stack.step_mm == pytest.approx(2)
    assert choice.remarks == ()


def test_a_localizer_is_no_slice(tmp_path) -> None:
    scout = write_series(tmp_path / "scout", SMALL, order=[0], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    axial = write_series(tmp_path / "axial", SMALL)
    choice = choose_stack([*scout, *axial], USE)
    assert len(choice.stack.slices) == 12
    assert "is a localizer" in choice.remarks[0]
    assert "is a localizer" in choose_stack(scout, USE).remarks[0]


def test_a_localizer_within_the_series_is_left_out(tmp_path) -> None:
    paths = write_series(tmp_path, SMALL, SeriesInstanceUID="1.2")
    scout = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "SeriesInstanceUID": "1.2"}
    choice = choose_stack([*write_series(tmp_path / "s", SMALL, order=[3], **scout), *paths], USE)
    assert len(choice.stack.slices) == 12
    assert "1 objects are not part" in choice.remarks[0]


def test_a_missing_slice_cuts_the_volume_and_is_said(tmp_path) -> None:
    choice = choose_stack(write_series(tmp_path, SMALL, order=[0, 1, *range(3, 12)]), USE)
    assert heights(choice.stack) == [-5, -3, -1, 1, 3, 5, 7, 9, 11]
    assert any("slices are missing between 2 runs" in remark for remark in choice.remarks)


def test_rounded_positions_are_no_gap(tmp_path) -> None:
    paths = write_series(tmp_path, SMALL)
    jittered = []
    for at, path in enumerate(paths):
        header = read_header(path)
        position = [*header.ImagePositionPatient[:2], float(header.ImagePositionPatient[2]) + 0.08 * (at % 2)]
        jittered += write_series(
            tmp_path / str(at), SMALL, order=[at], SeriesInstanceUID="1.2", ImagePositionPatient=position
        )
    assert len(choose_stack(jittered, USE).stack.slices) == 12


def test_of_slices_at_one_place_the_first_by_number_is_kept(tmp_path) -> None:
    first = write_series(tmp_path / "a", SMALL, SeriesInstanceUID="1.2")
    again = write_series(tmp_path / "b", SMALL, SeriesInstanceUID="1.2", InstanceNumber=99)
    choice = choose_stack([*again, *first], USE)
    assert {item.path for item in choice.stack.slices} == set(first)
    assert any("12 slices lie where another one lies" in remark for remark in choice.remarks)


@pytest.mark.parametrize(
    ("scan", "attributes", "reason"),
    [
        (SMALL, {"Modality": "PT"}, "has modality PT"),
        (SMALL, {"BodyPartExamined": "HEAD"}, "shows HEAD"),
        (SMALL, {"BodyPartExamined": None}, "does not say which body part"),
        (SMALL, {"PatientAge": "009Y"}, "of a patient under 16"),
        (SMALL, {"ImagePositionPatient": None}, "where its slices lie"),
        (SMALL, {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "where its slices lie"),
        (SMALL, {"SliceThickness": 5.0}, "slices of 5 mm"),
        (Scan(rows=8, columns=8, slices=12, step=(0, 0, 4)), {}, "slices of 4 mm"),
        (Scan(rows=8, columns=8, slices=7), {}, "has 7 even slices; 8 are needed"),
        (Scan(rows=8, columns=8, slices=12, cosines=(1, 0, 0, 0, 0, -1), step=(0, 2, 0)), {}, "not axial"),
    ],
)
def test_a_series_that_the_model_is_not_meant_for_is_named_with_the_reason(
    tmp_path, scan, attributes, reason
) -> None:
    choice = choose_stack(write_series(tmp_path, scan, SeriesInstanceUID="1.2.3", **attributes), USE)
    assert choice.stack is None
    (remark,) = choice.remarks
    assert remark.startswith("series 1.2.3 ")
    assert reason in remark


def test_the_description_tells_the_body_part_where_the_header_does_not(tmp_path) -> None:
    paths = write_series(tmp_path, SMALL, BodyPartExamined=None, SeriesDescription="Thorax 1.0 B30f")
    assert choose_stack(paths, USE).stack is not None


def test_the_series_with_most_slices_is_taken_unless_another_is_original_or_of_a_better_kernel(
    tmp_path,
) -> None:
    longer = Scan(rows=8, columns=8, slices=16)
    short = write_series(tmp_path / "a", SMALL, SeriesInstanceUID="1.1", ConvolutionKernel="B30f")
    long = write_series(tmp_path / "b", longer, SeriesInstanceUID="1.2", ConvolutionKernel="B70f")
    derived = write_series(
        tmp_path / "c", longer, SeriesInstanceUID="1.3", ImageType=["DERIVED", "SECONDARY", "AXIAL"]
    )
    study = [*short, *long, *derived]
    choice = choose_stack(study, USE)
    assert series_of(choice) == "1.2"
    assert "series 1.1 would do, but series 1.2 is better" in choice.remarks
    preferring = VolumeUse(
        statement="tests",
        modalities=("CT",),
        body_parts=("chest",),
        minimum_age_years=16.0,
        minimum_slices=8,
        maximum_slice_mm=3.0,
        preferred_kernels=("B3",),
    )
    assert series_of(choose_stack(study, preferring)) == "1.1"


def test_frames_of_an_enhanced_object_are_slices(tmp_path) -> None:
    choice = choose_stack([write_enhanced(tmp_path / "a.dcm", SMALL)], USE)
    assert [item.frame for item in choice.stack.slices] == list(range(12))
    assert heights(choice.stack)[:2] == [-11, -9]


def test_a_study_without_images_has_no_stack(tmp_path) -> None:
    assert choose_stack([], USE).stack is None
    (tmp_path / "a.dcm").write_bytes(b"no")
    with pytest.raises(InvalidDicomError):
        choose_stack([tmp_path / "a.dcm"], USE)
