"""A stack of slices as Hounsfield units at their place."""

import numpy as np
import pytest

from models.bundle.series import Stack
from models.bundle.slices import slices_of
from models.bundle.volume import AIR, Volume, read_volume
from models.dicom import read_header
from overread.errors import UndecodablePixelsError
from tests.models.bundle.ct import Scan, write_enhanced, write_series, write_slice

TILT = (0, float(np.cos(0.3)), -float(np.sin(0.3)))


def stack_of(paths) -> Stack:
    return Stack(slices=tuple(item for path in paths for item in slices_of(path, read_header(path))))


@pytest.mark.parametrize(
    "scan",
    [
        Scan(slices=4),
        Scan(slices=4, cosines=(0, 1, 0, -1, 0, 0)),
        Scan(slices=4, cosines=(1, 0, 0, *TILT)),
    ],
)
def test_indices_lead_to_the_patient_coordinates_of_the_pixel(tmp_path, scan) -> None:
    volume = read_volume(stack_of(write_series(tmp_path, scan)))
    assert volume.values.shape == (scan.columns, scan.rows, scan.slices)
    column, row, slice_at = 70, 20, 3
    found = (volume.affine @ [column, row, slice_at, 1])[:3]
    assert found == pytest.approx(scan.point(slice_at, row, column), abs=1e-3)
    assert volume.values[column, row, slice_at] == scan.pixels(slice_at)[row, column]
    assert (volume.affine_ras @ [0, 0, 0, 1])[:2] == pytest.approx(-volume.affine[:2, 3])


def test_frames_of_an_enhanced_object_give_the_same_volume(tmp_path) -> None:
    scan = Scan(slices=4)
    one = read_volume(stack_of([write_enhanced(tmp_path / "one.dcm", scan)]))
    many = read_volume(stack_of(write_series(tmp_path / "many", scan)))
    assert np.array_equal(one.values, many.values)
    assert np.allclose(one.affine, many.affine)


def test_stored_values_become_hounsfield_units_and_padding_air(tmp_path) -> None:
    scan = Scan(rows=2, columns=2, slices=2)
    stored = np.array([[0, 500], [1024, 2000]], np.int16) - 1024  # as write_slice stores them
    attributes = {"RescaleSlope": 2, "RescaleIntercept": -1000, "PixelPaddingValue": 0}
    paths = [
        write_slice(tmp_path / f"{at}.dcm", scan, stored, ImagePositionPatient=[0, 0, at], **attributes)
        for at in range(2)
    ]
    values = read_volume(stack_of(paths)).values[:, :, 0].T
    assert values.tolist() == [[AIR, 0], [1048, 3000]]


def test_a_slice_that_cannot_be_decoded_is_an_error(tmp_path) -> None:
    paths = write_series(tmp_path, Scan(slices=2), PixelData=b"\0\0")
    with pytest.raises(UndecodablePixelsError, match="truncated"):
        read_volume(stack_of(paths))


def test_the_midline_is_the_middle_of_what_is_denser_than_air() -> None:
    values = np.full((40, 40, 8), -1000, np.float32)
    values[8:33] = 40  # columns 8 to 32; every fourth one is looked at
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[0, 3] = -100
    assert Volume(values=values, affine=affine).midline_mm() == pytest.approx(-100 + 2 * 20)
    assert Volume(values=np.full((8, 8, 8), -1000, np.float32), affine=affine).midline_mm() is None
