"""Curves of a detector: ROC, precision over recall, free response (FROC), from the strictest threshold on.

Equal scores are one step. Of free response see Bunch et al., Proc SPIE 1977;127:124-135; its summary is the
mean sensitivity at seven numbers of false marks an image (van Ginneken et al., Med Image Anal
2010;14:707-722).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Integers = NDArray[np.intp]

FALSE_MARKS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False marks an image at which the sensitivity of a FROC curve is averaged."""
NO_LESION = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Marks:
    """Marks on images, and the lesions that are there."""

    scores: Floats  # (marks,)
    case: Integers  # (marks,) number of the case, from 0
    lesion: Integers  # (marks,) number of the lesion that it hits, `NO_LESION` for none
    lesion_case: Integers  # (lesions,) number of its case
    cases: int


def roc_points(scores: Floats, positive: Booleans) -> tuple[Floats, Floats]:
    """Return false positive and true positive rates at every threshold, from (0, 0) to (1, 1).

    Raises:
        ValueError: there is no positive or no negative.
    """
    hits, others = _counts(scores, positive)
    if not hits[-1] or not others[-1]:
        raise ValueError("a ROC curve needs a positive and a negative")
    return np.r_[0.0, others / others[-1]], np.r_[0.0, hits / hits[-1]]


def precision_recall_points(scores: Floats, positive: Booleans) -> tuple[Floats, Floats]:
    """Return recall and precision at every threshold, recall ascending.

    Raises:
        ValueError: there is no positive.
    """
    hits, others = _counts(scores, positive)
    if not hits[-1]:
        raise ValueError("recall needs a positive")
    return hits / hits[-1], hits / (hits + others)


def sensitivity_at(grid: Floats, scores: Floats, positive: Booleans) -> Floats:
    """Return the true positive rate at these false positive rates, straight between the points of the ROC.

    Raises:
        ValueError: as `roc_points`.
    """
    across, up = roc_points(scores, positive)
    last = np.r_[across[1:] != across[:-1], True]  # of a rise straight up its end
    return np.interp(grid, across[last], up[last])


def precision_at_recall(grid: Floats, scores: Floats, positive: Booleans) -> Floats:
    """Return the precision at the strictest threshold that reaches each recall.

    Raises:
        ValueError: as `precision_recall_points`.
    """
    recall, precision = precision_recall_points(scores, positive)
    return precision[np.searchsorted(recall, grid - 1e-12, "left")]


def froc_points(marks: Marks, weights: Floats | None = None) -> tuple[Floats, Floats]:
    """Return false marks an image and the share of lesions that are hit, at every threshold from none on.

    Several marks of one lesion count once, by the highest.

    Args:
        marks: of all cases.
        weights: (cases,) how often each case counts, as a resample has it; None counts each once.

    Raises:
        ValueError: there is no lesion.
    """
    of_case = np.ones(marks.cases) if weights is None else weights
    total = float(of_case[marks.lesion_case].sum())
    if not total:
        raise ValueError("a FROC curve needs a lesion")
    best = np.full(len(marks.lesion_case), -np.inf)
    hit = marks.lesion != NO_LESION
    np.maximum.at(best, marks.lesion[hit], marks.scores[hit])
    found = best > -np.inf
    scores = np.r_[best[found], marks.scores[~hit]]
    gains = np.r_[of_case[marks.lesion_case[found]], np.zeros(int((~hit).sum()))]
    costs = np.r_[np.zeros(int(found.sum())), of_case[marks.case[~hit]]]
    order = np.argsort(-scores, kind="stable")
    ends = _ends(scores[order])
    false, true = np.cumsum(costs[order])[ends], np.cumsum(gains[order])[ends]
    return np.r_[0.0, false / of_case.sum()], np.r_[0.0, true / total]


def lesions_found_at(grid: Floats, marks: Marks, weights: Floats | None = None) -> Floats:
    """Return the share of lesions hit with at most so many false marks an image.

    Raises:
        ValueError: as `froc_points`.
    """
    across, up = froc_points(marks, weights)
    return up[np.searchsorted(across, grid + 1e-12, "right") - 1]


def _counts(scores: Floats, positive: Booleans) -> tuple[Floats, Floats]:
    """Return how many positives and negatives reach each threshold, the highest first."""
    order = np.argsort(-scores, kind="stable")
    ends = _ends(scores[order])
    hits = np.cumsum(positive[order]).astype(np.float64)
    return hits[ends], np.cumsum(~positive[order]).astype(np.float64)[ends]


def _ends(ordered: Floats) -> Booleans:
    """Return which entries are the last of their equals."""
    ends: Booleans = np.append(ordered[1:] != ordered[:-1], True)
    return ends[: len(ordered)]
