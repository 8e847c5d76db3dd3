"""How well scores tell cases with a finding from cases without: pure functions of scores and labels."""

import numpy as np
from numpy.typing import NDArray

from evaluation.ranking_metrics import Floats


def roc_auc(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """Return the share of pairs, one case with and one without, in the right order; ties count half.

    Raises:
        ValueError: there is no case with, or none without the finding.
    """
    count = int(positive.sum())
    others = len(positive) - count
    if count == 0 or others == 0:
        raise ValueError("an AUC needs cases with and without the finding")
    _, places, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(sizes)
    ranks = (ends - (sizes - 1) / 2)[places]  # of equal scores the mean, from 1
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * others))
