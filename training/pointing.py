"""Whether the strongest place of a map lies in a box that a person drew, against one place for everybody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.statistics import Estimate
from training.datasets import FINDINGS, Radiograph
from training.metrics import share_estimate
from training.targets import box_masks

LEAST_BOXED = 5  # radiographs; a share of fewer says nothing
BASELINE_CELLS = 64

Maps = NDArray[np.floating]  # (findings, cells, cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointing:
    """Share of radiographs, not trained on, on which a finding's map peaks in a box of it."""

    finding: str
    hits: Estimate
    fixed: Estimate  # of the place that lies in most boxes of the other radiographs
    radiographs: int


def peak_in_box(radiograph: Radiograph, finding: str, class_map: NDArray[np.floating]) -> bool:
    """Return whether the map's largest cell has its centre in a box of the finding."""
    row, column = np.unravel_index(int(class_map.argmax()), class_map.shape)
    down, across = (row + 0.5) / class_map.shape[0], (column + 0.5) / class_map.shape[1]
    return any(
        box.column_min <= across <= box.column_max and box.row_min <= down <= box.row_max
        for box in radiograph.boxes
        if box.finding == finding
    )


def measure_pointing(
    radiographs: Sequence[Radiograph], maps: Sequence[Maps], known: Mapping[str, Sequence[Radiograph]]
) -> tuple[Pointing, ...]:
    """Return how often maps point, for every finding that enough of the radiographs have a box of.

    Args:
        radiographs: not trained on.
        maps: of each radiograph.
        known: to each radiograph's name, those that the fixed place may be learnt from.
    """
    found = []
    for at, finding in enumerate(FINDINGS):
        boxed = [index for index, item in enumerate(radiographs) if _has_box(item, finding)]
        if len(boxed) < LEAST_BOXED:
            continue
        hits = [peak_in_box(radiographs[index], finding, maps[index][at]) for index in boxed]
        fixed = [
            peak_in_box(radiographs[index], finding, _usual_place(known[radiographs[index].name], at))
            for index in boxed
        ]
        patients = [radiographs[index].patient for index in boxed]
        found.append(
            Pointing(
                finding=finding,
                hits=share_estimate(np.array(hits), patients),
                fixed=share_estimate(np.array(fixed), patients),
                radiographs=len(boxed),
            )
        )
    return tuple(found)


def _has_box(radiograph: Radiograph, finding: str) -> bool:
    return any(box.finding == finding for box in radiograph.boxes)


def _usual_place(radiographs: Sequence[Radiograph], at: int) -> NDArray[np.floating]:
    """Return in how many boxes of the finding each place lies."""
    boxed = [radiograph for radiograph in radiographs if _has_box(radiograph, FINDINGS[at])]
    places: NDArray[np.floating] = box_masks(boxed, cells=BASELINE_CELLS)[:, at].sum(dim=0).numpy()
    return places
