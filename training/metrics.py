"""Discrimination of scores between patients with and without a finding: AUC of one finding and of several.

Intervals are by resampling patients. Scores and labels have shape (images,), or (images, findings) where
several findings are meant; a label is 1 where the finding is there, else 0.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from overread.statistics import Estimate, Rows, bootstrap_estimate, mean_of_defined, roc_auc

RESAMPLES = 1000
SEED = 1

Scores = NDArray[np.floating]
Labels = NDArray[np.floating]


def auc_estimate(
    scores: Scores, labels: Labels, patients: Sequence[str], *, resamples: int = RESAMPLES, seed: int = SEED
) -> Estimate:
    """Return the AUC of one finding.

    Raises:
        ValueError: there is no positive or no negative.
    """
    figure = partial(_auc, scores, labels)
    return bootstrap_estimate(patients, figure, resamples=resamples, seed=seed)


def mean_auc_estimate(
    scores: Scores, labels: Labels, patients: Sequence[str], *, resamples: int = RESAMPLES, seed: int = SEED
) -> Estimate:
    """Return the mean AUC over findings; one that has no positive or no negative in a sample is left out.

    Raises:
        ValueError: no finding has both.
    """
    figures = [partial(_auc, scores[:, at], labels[:, at]) for at in range(labels.shape[1])]
    return bootstrap_estimate(patients, partial(mean_of_defined, figures), resamples=resamples, seed=seed)


def auc_gain_estimate(
    scores: Scores,
    others: Scores,
    labels: Labels,
    patients: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Estimate:
    """Return by how much the mean AUC over findings exceeds that of other scores, in pairs.

    Raises:
        ValueError: no finding has a positive and a negative.
    """
    figures = [partial(_gain, scores[:, at], others[:, at], labels[:, at]) for at in range(labels.shape[1])]
    return bootstrap_estimate(patients, partial(mean_of_defined, figures), resamples=resamples, seed=seed)


def share_estimate(hits: NDArray[np.bool_], patients: Sequence[str]) -> Estimate:
    """Return the share of hits, shape (images,)."""
    return bootstrap_estimate(patients, lambda rows: float(hits[rows].mean()), resamples=RESAMPLES, seed=SEED)


def _auc(scores: Scores, labels: Labels, rows: Rows) -> float:
    return roc_auc(scores[rows], labels[rows] == 1)


def _gain(scores: Scores, others: Scores, labels: Labels, rows: Rows) -> float:
    return _auc(scores, labels, rows) - _auc(others, labels, rows)
