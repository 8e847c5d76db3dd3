"""A map points where its largest cell lies in a box, and is held against one place for everybody."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

from training.datasets import FINDINGS, Box, Radiograph
from training.pointing import LEAST_BOXED, measure_pointing, peak_in_box

EFFUSION = FINDINGS.index("effusion")


def boxed(patient: int, *, left: float) -> Radiograph:
    box = Box(finding="effusion", column_min=left, row_min=0.5, column_max=left + 0.25, row_max=0.75)
    return Radiograph(
        name=str(patient),
        path=Path(),
        patient=str(patient),
        findings=frozenset({"effusion"}),
        view="PA",
        sex="F",
        age_years=50,
        boxes=(box,),
    )


def peak(row: int, column: int) -> np.ndarray:
    maps = np.zeros((len(FINDINGS), 4, 4))
    maps[:, row, column] = 1.0
    return maps


@pytest.mark.parametrize(("row", "column", "inside"), [(2, 1, True), (2, 2, False), (1, 1, False)])
def test_the_peak_is_the_middle_of_the_largest_cell(row, column, inside) -> None:
    assert peak_in_box(boxed(1, left=0.25), "effusion", peak(row, column)[EFFUSION]) is inside
    assert not peak_in_box(boxed(1, left=0.25), "mass", peak(row, column)[EFFUSION])


def test_the_fixed_place_is_learnt_from_others() -> None:
    radiographs = [boxed(at, left=0.25) for at in range(6)]
    elsewhere = [boxed(9, left=0.75)]
    maps = [peak(2, 1)] * 5 + [peak(0, 0)]
    (found,) = measure_pointing(radiographs, maps, {one.name: elsewhere for one in radiographs})
    assert (found.finding, found.radiographs) == ("effusion", 6)
    assert found.hits.value == pytest.approx(5 / 6)
    assert found.fixed.value == 0
    (found,) = measure_pointing(radiographs, maps, {one.name: radiographs for one in radiographs})
    assert found.fixed.value == 1


def test_few_boxes_say_nothing() -> None:
    radiographs = [boxed(at, left=0.25) for at in range(LEAST_BOXED - 1)]
    maps = [peak(2, 1)] * len(radiographs)
    assert measure_pointing(radiographs, maps, {one.name: radiographs for one in radiographs}) == ()
