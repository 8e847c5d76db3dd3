"""Targets of the training: weak labels, softened by radiologists and other networks, and places."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.calibration import fit_platt
from training.datasets import ANY, EXPERT_FINDINGS, FINDINGS, Radiograph

Targets = NDArray[np.float32]  # (radiographs, findings), probabilities

LABELLED, UNLABELLED = 0.93, 0.03  # how often a mined label, and how often its absence, means the finding
EXPERT_SEEN, EXPERT_UNSEEN = 0.95, 0.03
_LEAST_SPREAD = 1e-3  # of log odds
SAME_SHADOW = ("pneumonia", "opacity")  # seen where a consolidation is drawn, if the report names them


@dataclass(frozen=True, slots=True, kw_only=True)
class Blend:
    """Weights of the sources; what is left is the mined label's."""

    reads: float = 0.5  # of the other detector, where it has read the image
    expert: float = 0.5  # of the radiologists, where they have, on the findings that they looked for


def label_matrix(radiographs: Sequence[Radiograph]) -> NDArray[np.float32]:
    """Return 1 where the label file names the finding, else 0; shape (radiographs, findings)."""
    rows = [[finding in radiograph.findings for finding in FINDINGS] for radiograph in radiographs]
    return np.array(rows, np.float32).reshape(len(radiographs), len(FINDINGS))


def soft_targets(radiographs: Sequence[Radiograph], blend: Blend) -> Targets:
    """Return the probability to teach for every radiograph and finding.

    Args:
        radiographs: those that are trained on.
        blend: how much each source weighs.
    """
    labels = label_matrix(radiographs)
    targets = UNLABELLED + (LABELLED - UNLABELLED) * labels
    _blend_reads(targets, radiographs, labels, blend.reads)
    for row, radiograph in zip(targets, radiographs, strict=True):
        if radiograph.expert is not None:
            for finding in EXPERT_FINDINGS:
                seen = EXPERT_SEEN if finding in radiograph.expert else EXPERT_UNSEEN
                at = FINDINGS.index(finding)
                row[at] = (1 - blend.expert) * row[at] + blend.expert * seen
    return targets.astype(np.float32)


def _blend_reads(
    targets: Targets, radiographs: Sequence[Radiograph], labels: NDArray[np.floating], weight: float
) -> None:
    """Blend in the other detector's probabilities, each finding calibrated to these labels.

    It was trained at another prevalence. A finding that its images lack, or that all have, stays as it is.
    """
    read = [index for index, radiograph in enumerate(radiographs) if radiograph.reads is not None]
    if not read:
        return
    odds = np.array([_log_odds(radiographs[index]) for index in read])
    for at in range(len(FINDINGS)):
        if 0 < labels[read, at].mean() < 1:
            curve = fit_platt(odds[:, at], labels[read, at])
            calibrated = 1 / (1 + np.exp(-(curve.slope * odds[:, at] + curve.intercept)))
            targets[read, at] = (1 - weight) * targets[read, at] + weight * calibrated


def standard_reads(
    radiographs: Sequence[Radiograph],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the other detector's log odds, standardised, and which radiographs it has read.

    Returns:
        (radiographs, findings) with mean 0 and variance 1 over those read, 0 for the others; and
        (radiographs), whether it was read.
    """
    read = np.array([radiograph.reads is not None for radiograph in radiographs], bool)
    values = np.zeros((len(radiographs), len(FINDINGS)), np.float32)
    if read.any():
        odds = np.array([_log_odds(radiographs[int(at)]) for at in np.flatnonzero(read)])
        values[read] = (odds - odds.mean(axis=0)) / np.maximum(odds.std(axis=0), _LEAST_SPREAD)
    return values, read


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
        consolidation = mask[FINDINGS.index("consolidation")]
        for finding in set(SAME_SHADOW) & radiograph.findings:
            at = FINDINGS.index(finding)
            mask[at] = torch.maximum(mask[at], consolidation)
    return masks


def places_known(radiographs: Sequence[Radiograph]) -> Tensor:
    """Return 1 where the masks of a radiograph and finding are to be believed, (radiographs, findings).

    Radiologists drew what they saw of what they looked for, so an empty mask of theirs says that there is
    none. Where nobody looked, an empty mask says nothing.
    """
    known = torch.zeros(len(radiographs), len(FINDINGS))
    for row, radiograph in zip(known, radiographs, strict=True):
        drawn = {box.finding for box in radiograph.boxes}
        if "consolidation" in drawn:
            drawn |= set(SAME_SHADOW) & radiograph.findings
        if radiograph.expert is not None:
            drawn |= EXPERT_FINDINGS
        for finding in drawn:
            row[FINDINGS.index(finding)] = 1
    return known
