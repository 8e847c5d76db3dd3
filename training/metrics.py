"""How well a score tells patients with a finding from those without, and how sure that figure is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHARE_ROUNDS, SHARE_SEED = 1000, 1

Scores = NDArray[np.floating]
Labels = NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


def roc_auc(scores: Scores, labels: Labels) -> float:
    """Return the chance that a positive scores above a negative; a tie counts half (Hanley, McNeil 1982).

    Raises:
        ValueError: there is no positive or no negative.
    """
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        raise ValueError("an AUC needs a positive and a negative")
    values, first, counts = np.unique(scores, return_inverse=True, return_counts=True)
    upper = np.cumsum(counts)
    ranks = (upper - (counts - 1) / 2)[first]
    del values
    return float((ranks[labels == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def patient_samples(patients: Sequence[str], *, rounds: int, seed: int) -> list[NDArray[np.intp]]:
    """Return the image indices of each bootstrap round; patients are drawn with all their images."""
    names = sorted(set(patients))
    images = {
        name: np.array([at for at, patient in enumerate(patients) if patient == name]) for name in names
    }
    random = np.random.default_rng(seed)
    drawn = random.integers(0, len(names), size=(rounds, len(names)))
    return [np.concatenate([images[names[at]] for at in row]) for row in drawn]


def auc_interval(scores: Scores, labels: Labels, samples: Sequence[NDArray[np.intp]]) -> Interval:
    """Return the AUC with the 2.5th and 97.5th percentile over bootstrap rounds that hold both classes.

    Raises:
        ValueError: there is no positive or no negative.
    """
    value = roc_auc(scores, labels)
    drawn = [roc_auc(scores[sample], labels[sample]) for sample in samples if 0 < labels[sample].mean() < 1]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(value=value, low=float(low), high=float(high))


def mean_auc_interval(scores: Scores, labels: Labels, samples: Sequence[NDArray[np.intp]]) -> Interval:
    """Return the mean AUC over findings (columns) with its interval; each round takes the findings it holds.

    Raises:
        ValueError: a finding has no positive or no negative.
    """
    value = float(np.mean([roc_auc(scores[:, at], labels[:, at]) for at in range(labels.shape[1])]))
    drawn = []
    for sample in samples:
        held = [at for at in range(labels.shape[1]) if 0 < labels[sample, at].mean() < 1]
        if held:  # of few patients, a round may draw none with a finding
            drawn.append(np.mean([roc_auc(scores[sample, at], labels[sample, at]) for at in held]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(value=value, low=float(low), high=float(high))


def gain_interval(
    scores: Scores, others: Scores, labels: Labels, samples: Sequence[NDArray[np.intp]]
) -> Interval:
    """Return by how much the mean AUC over findings (columns) exceeds that of other scores, in pairs.

    A finding counts where there is a positive and a negative, as in each round; NaN where there is none.
    """
    drawn = [_gain(scores[sample], others[sample], labels[sample]) for sample in samples]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Interval(value=_gain(scores, others, labels), low=float(low), high=float(high))


def _gain(scores: Scores, others: Scores, labels: Labels) -> float:
    held = [at for at in range(labels.shape[1]) if 0 < labels[:, at].mean() < 1]
    gains = [roc_auc(scores[:, at], labels[:, at]) - roc_auc(others[:, at], labels[:, at]) for at in held]
    return float(np.mean(gains)) if gains else float("nan")


def share_interval(hits: NDArray[np.bool_], patients: Sequence[str]) -> Interval:
    """Return the share of hits with the 2.5th and 97.5th percentile of rounds over patients."""
    samples = patient_samples(patients, rounds=SHARE_ROUNDS, seed=SHARE_SEED)
    low, high = np.percentile([hits[sample].mean() for sample in samples], [2.5, 97.5])
    return Interval(value=float(hits.mean()), low=float(low), high=float(high))
