"""Unlikeness of an image to the training radiographs, to layers that were never trained on them.

The frozen layers are as ImageNet left them, so training radiographs look to them as new ones of the same kind
do, and what is usual can be learnt from all of them.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.manifest import Familiarity
from training.views import UNCHANGED, Views

GRID = 2  # the features are averaged over quarters of the image
SHRINKAGE = 0.1  # of covariances towards none
QUANTILES = 101


class Unusualness(nn.Module):
    """Squared Mahalanobis distance of an image's averaged features, per dimension: about 1 is usual."""

    centre: Tensor
    whitening: Tensor

    def __init__(self, centre: NDArray[np.floating], whitening: NDArray[np.floating]) -> None:
        super().__init__()
        self.register_buffer("centre", torch.from_numpy(centre).float())
        self.register_buffer("whitening", torch.from_numpy(whitening).float())

    def forward(self, features: Tensor) -> Tensor:
        """Return the distance (batch,) of features (batch, channels, cells, cells) of the frozen layers."""
        deviations = (average(features) - self.centre) @ self.whitening
        return (deviations * deviations).mean(dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """Centre of the training radiographs, and their distances from it."""

    distance: Unusualness
    left_out: NDArray[np.float64]  # of each radiograph, its patient left out when the distance was fitted

    def familiarity(self, output: str, cohort: str) -> Familiarity:
        """Return it as a manifest states it."""
        levels = np.quantile(self.left_out, np.linspace(0, 1, QUANTILES))
        quantiles = tuple(round(float(level), 5) for level in levels)
        return Familiarity(output=output, cohort=cohort, quantiles=quantiles)


def average(features: Tensor) -> Tensor:
    """Return the averages over quarters of the image, (batch, channels x 4)."""
    cells = features.shape[-1] // GRID
    return functional.avg_pool2d(features, cells, cells).flatten(1)


def learn_usual(views: Views, folds: NDArray[np.intp]) -> Usual:
    """Return what is usual among radiographs.

    Every view counts: exposure, noise and position as they may be elsewhere are not unusual.

    Args:
        views: of the radiographs.
        folds: of the radiographs, one each; all those of a patient are in one.
    """
    seen = np.stack(
        [average(torch.from_numpy(np.array(view)).float()).numpy() for view in views.features]
    ).astype(np.float64)
    distances = np.zeros(seen.shape[1])
    for fold in np.unique(folds):
        fitted = _fit(seen[:, folds != fold])
        held = folds == fold
        distances[held] = _distances(fitted, seen[UNCHANGED, held])
    return Usual(distance=_fit(seen), left_out=distances)


def _fit(seen: NDArray[np.float64]) -> Unusualness:
    samples = seen.reshape(-1, seen.shape[-1])
    covariance = np.cov(samples.T)
    shrunken = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.diag(np.diag(covariance))
    values, vectors = np.linalg.eigh(shrunken)
    return Unusualness(samples.mean(axis=0), vectors / np.sqrt(np.maximum(values, 1e-9)))


def _distances(unusualness: Unusualness, averaged: NDArray[np.float64]) -> NDArray[np.float64]:
    deviations = (averaged - unusualness.centre.numpy()) @ unusualness.whitening.numpy()
    distances: NDArray[np.float64] = (deviations * deviations).mean(axis=1)
    return distances
