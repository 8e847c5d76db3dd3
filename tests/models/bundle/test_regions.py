"""From boxes in a volume to boxes on slices, sizes and sides."""

import numpy as np
import pytest

from models.bundle.regions import PatientBox, patient_box, regions_of, side_of
from models.bundle.series import Stack
from models.bundle.slices import slices_of
from models.dicom import read_header
from overread.observation import Laterality
from tests.models.bundle.ct import Scan, write_series

SCAN = Scan(slices=10, rows=40, columns=60, spacing=(1.0, 2.0))


@pytest.fixture(scope="module")
def stack(tmp_path_factory) -> Stack:
    paths = write_series(tmp_path_factory.mktemp("series"), SCAN)
    return Stack(slices=tuple(item for path in paths for item in slices_of(path, read_header(path))))


def box_around(middle, half=(4.0, 3.0, 3.0)) -> PatientBox:
    ends = np.array([np.array(middle) - half, np.array(middle) + half]).reshape(-1)
    return patient_box(ends, np.eye(4), score=0.9, label=0)


def test_a_box_lies_on_the_slices_that_it_passes_the_middle_one_first(stack) -> None:
    middle = SCAN.point(4, row=20, column=30)
    regions = regions_of(box_around(middle), stack)
    uids = [item.sop_instance_uid for item in stack.slices]
    # 3 mm either way at 2 mm a slice: the middle one and one on each side.
    assert [uids.index(region.sop_instance_uid) for region in regions] == [4, 3, 5]
    first = regions[0]
    # Columns are 2 mm wide, rows 1 mm; the middle of pixel 30 is 30.5 from the edge.
    assert (first.column_min, first.column_max) == pytest.approx((28.5, 32.5))
    assert (first.row_min, first.row_max) == pytest.approx((17.5, 23.5))


def test_a_box_between_two_slices_lies_on_the_nearer_one(stack) -> None:
    between = SCAN.point(6, row=20, column=30) + np.array([0, 0, 0.8])
    (region,) = regions_of(box_around(between, half=(4.0, 3.0, 0.1)), stack)
    assert region.sop_instance_uid == stack.slices[6].sop_instance_uid


def test_a_box_is_cut_at_the_edge_and_has_no_region_beyond_it(stack) -> None:
    (region, *_) = regions_of(box_around(SCAN.point(4, row=0, column=59)), stack)
    assert region.row_min == 0
    assert region.column_max == 60
    assert regions_of(box_around(SCAN.point(4, row=20, column=90)), stack) == ()


def test_the_size_is_that_of_the_edges_in_mm_longest_first() -> None:
    turned = np.eye(4)
    turned[:3, :3] = np.array([[0, -2, 0], [1, 0, 0], [0, 0, 3]])  # a quarter turn, 1, 2 and 3 mm voxels
    box = patient_box(np.array([0, 0, 0, 10, 4, 5.0]), turned, score=0.9, label=0)
    assert box.size_mm == pytest.approx((15, 10, 8))
    assert box.middle == pytest.approx([-4, 5, 7.5])


@pytest.mark.parametrize(
    ("across", "midline", "side"),
    [
        ([30], 0.0, Laterality.LEFT),  # patient coordinates grow to the left
        ([-30], 0.0, Laterality.RIGHT),
        ([30], 60.0, Laterality.RIGHT),
        ([4], 0.0, Laterality.UNSPECIFIED),
        ([30, -40], 0.0, Laterality.BILATERAL),
        ([30, 4], 0.0, Laterality.LEFT),
        ([], 0.0, Laterality.UNSPECIFIED),
        ([30], None, Laterality.UNSPECIFIED),
    ],
)
def test_the_side_is_the_patients_seen_from_the_midline(across, midline, side) -> None:
    assert side_of([box_around((mm, 0, 0)) for mm in across], midline) is side
