"""What the network is taught: the weak labels, softened by what another detector reads, and the boxes."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.datasets import ANY, FINDINGS, Radiograph


def label_matrix(radiographs: Sequence[Radiograph]) -> NDArray[np.float32]:
    """Return 1 where the label file names the finding, else 0; shape (radiographs, findings)."""
    rows = [[finding in radiograph.findings for finding in FINDINGS] for radiograph in radiographs]
    return np.array(rows, np.float32).reshape(len(radiographs), len(FINDINGS))


def soft_targets(
    radiographs: Sequence[Radiograph], *, smoothing: float, reads_weight: float
) -> NDArray[np.float32]:
    """Return the probability to teach for every radiograph and finding.

    Labels are smoothed. Where another detector has read the image, its probabilities are shifted in log odds
    to the prevalence of these labels, because it was trained at another one, and averaged in.
    """
    labels = label_matrix(radiographs)
    targets = labels * (1 - smoothing) + smoothing / 2
    read = [index for index, radiograph in enumerate(radiographs) if radiograph.reads is not None]
    if not read:
        return targets
    odds = np.array([_log_odds(radiographs[index]) for index in read])
    prevalence = np.clip(labels[read].mean(axis=0), 0.005, 0.995)
    shifted = odds - odds.mean(axis=0) + np.log(prevalence / (1 - prevalence))
    targets[read] = (1 - reads_weight) * targets[read] + reads_weight / (1 + np.exp(-shifted))
    return targets


def _log_odds(radiograph: Radiograph) -> list[float]:
    reads = dict(radiograph.reads or {})
    reads[ANY] = 1 - float(np.prod([1 - value for value in reads.values()]))
    probabilities = np.clip([reads[finding] for finding in FINDINGS], 1e-5, 1 - 1e-5)
    return [float(value) for value in np.log(probabilities / (1 - probabilities))]


def box_masks(radiographs: Sequence[Radiograph], *, cells: int) -> Tensor:
    """Return 1 in the cells that a box of the finding covers; (radiographs, findings, cells, cells)."""
    masks = torch.zeros(len(radiographs), len(FINDINGS), cells, cells)
    for mask, radiograph in zip(masks, radiographs, strict=True):
        for box in radiograph.boxes:
            rows = slice(
                round(box.row_min * cells), max(round(box.row_max * cells), round(box.row_min * cells) + 1)
            )
            left = round(box.column_min * cells)
            mask[FINDINGS.index(box.finding), rows, left : max(round(box.column_max * cells), left + 1)] = 1
    return masks
