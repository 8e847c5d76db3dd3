"""Areas under ROC curves of several scores on the same cases, with what their errors share.

The covariance is DeLong's (DeLong, DeLong and Clarke-Pearson, Biometrics 1988;44:837-845), in Obuchowski's
form for patients with several cases (Biometrics 1997;53:567-578); where every patient has one case the two
are the same. The jackknife leaves out one patient at a time.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overread.statistics import CONFIDENCE, Estimate, Units, roc_auc

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
LEAST_PATIENTS = 2
"""With and without the finding; the variance of fewer is not defined."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoredCases:
    """Scores of several observers, such as detectors or readers, on the same cases."""

    scores: Floats  # (observers, cases) higher speaks for the finding
    positive: Booleans  # (cases,) by the reference standard
    patients: NDArray[np.intp]  # (cases,) number of the patient, from 0 without a gap

    @classmethod
    def of(cls, scores: Any, positive: Booleans, patients: Units) -> "ScoredCases":
        """Return the cases with their patients numbered.

        Raises:
            ValueError: a score is not known, or too few patients have a case with, or without, the finding.
        """
        matrix = np.atleast_2d(np.asarray(scores, dtype=np.float64))
        if np.isnan(matrix).any():
            raise ValueError("every observer must have a score of every case")
        numbers = np.unique(np.asarray(patients), return_inverse=True)[1]
        for kind in (positive, ~positive):
            if len(np.unique(numbers[kind])) < LEAST_PATIENTS:
                raise ValueError(f"needs {LEAST_PATIENTS} patients with and as many without the finding")
        return cls(scores=matrix, positive=positive, patients=numbers)


def auc_covariance(cases: ScoredCases) -> tuple[Floats, Floats]:
    """Return the area of each observer, (observers,), and their covariance, (observers, observers)."""
    positive, patients = cases.positive, cases.patients
    with_it, without = int(positive.sum()), int((~positive).sum())
    count = int(patients.max()) + 1
    areas, above, below = [], [], []
    for scores in cases.scores:
        area = roc_auc(scores, positive)
        of_positive, of_negative = _placements(scores, positive)
        areas.append(area)
        above.append(np.bincount(patients[positive], of_positive - area, minlength=count))
        below.append(np.bincount(patients[~positive], of_negative - area, minlength=count))
    owners = len(np.unique(patients[positive])), len(np.unique(patients[~positive]))
    first, second = np.array(above), np.array(below)
    covariance = owners[0] / (owners[0] - 1) * first @ first.T / with_it**2
    covariance += owners[1] / (owners[1] - 1) * second @ second.T / without**2
    crossed = first @ second.T
    covariance += count / (count - 1) * (crossed + crossed.T) / (with_it * without)
    return np.array(areas), covariance


def jackknife_areas(cases: ScoredCases) -> Floats:
    """Return the area of each observer without each patient in turn, (observers, patients).

    Raises:
        ValueError: without one of them there would be no case with, or without, the finding.
    """
    positive, patients = cases.positive, cases.patients
    count = int(patients.max()) + 1
    own_positive = np.bincount(patients[positive], minlength=count)
    own_negative = np.bincount(patients[~positive], minlength=count)
    with_it, without = int(positive.sum()), int((~positive).sum())
    pairs = (with_it - own_positive) * (without - own_negative)
    if not pairs.all():
        raise ValueError("one patient has all cases with, or without, the finding")
    found = []
    for scores in cases.scores:
        of_positive, of_negative = _placements(scores, positive)
        won = of_positive.sum() * without
        mixed = np.flatnonzero((own_positive > 0) & (own_negative > 0))
        lost = -_within(scores, cases, mixed, count)
        lost += np.bincount(patients[positive], of_positive * without, minlength=count)
        lost += np.bincount(patients[~positive], of_negative * with_it, minlength=count)
        found.append((won - lost) / pairs)
    return np.array(found)


def auc_estimate(scores: Floats, positive: Booleans, patients: Units) -> Estimate:
    """Return the area of one score with its 95 % interval on the scale of log odds; n is patients.

    On that scale the interval stays within 0 and 1 (Qin and Hotilovac, Stat Methods Med Res 2008;17:207-221).

    Raises:
        ValueError: as `ScoredCases.of`, or the order is perfect, of which no variance can be estimated.
    """
    cases = ScoredCases.of(scores, positive, patients)
    areas, covariance = auc_covariance(cases)
    area, variance = float(areas[0]), float(covariance[0, 0])
    if not 0 < area < 1 or variance <= 0:
        raise ValueError(f"of an area of {area:g} on these cases no interval can be given")
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    middle, half = math.log(area / (1 - area)), z * math.sqrt(variance) / (area * (1 - area))
    low, high = (1 / (1 + math.exp(-end)) for end in (middle - half, middle + half))
    return Estimate(value=area, low=low, high=high, n=int(cases.patients.max()) + 1)


def auc_difference(scores: Floats, positive: Booleans, patients: Units) -> Estimate:
    """Return the area of the second observer less that of the first, with its paired 95 % interval.

    Args:
        scores: (2, cases)
        positive: (cases,)
        patients: of each case.

    Raises:
        ValueError: as `ScoredCases.of`.
    """
    cases = ScoredCases.of(scores, positive, patients)
    areas, covariance = auc_covariance(cases)
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    lead = float(areas[1] - areas[0])
    half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * math.sqrt(max(variance, 0.0))
    return Estimate(value=lead, low=lead - half, high=lead + half, n=int(cases.patients.max()) + 1)


def _placements(scores: Floats, positive: Booleans) -> tuple[Floats, Floats]:
    """Return the share of negatives below each positive, and of positives above each negative; ties half."""
    up, down = scores[positive], scores[~positive]
    sorted_down, sorted_up = np.sort(down), np.sort(up)
    below = np.searchsorted(sorted_down, up, "left") + np.searchsorted(sorted_down, up, "right")
    above = 2 * len(up) - np.searchsorted(sorted_up, down, "left") - np.searchsorted(sorted_up, down, "right")
    return below / (2 * len(down)), above / (2 * len(up))


def _within(scores: Floats, cases: ScoredCases, mixed: NDArray[np.intp], count: int) -> Floats:
    """Return the pairs that a patient wins against himself, (patients,)."""
    won = np.zeros(count)
    for patient in mixed:
        own = cases.patients == patient
        up, down = scores[own & cases.positive], scores[own & ~cases.positive]
        won[patient] = float((up[:, None] > down).sum() + 0.5 * (up[:, None] == down).sum())
    return won
