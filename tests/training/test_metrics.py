"""AUC and its interval over several findings, with the arithmetic shown."""

import numpy as np
import pytest

from training.metrics import auc_estimate, auc_gain_estimate, mean_auc_estimate, share_estimate

LABELS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
SCORES = np.array([[0.1, 0.9], [0.2, 0.1], [0.8, 0.9], [0.9, 0.1]])  # AUC 1 of one finding, 0 of the other
PATIENTS = ["a", "b", "c", "d"]


def test_an_auc_counts_the_patients_that_it_rests_on() -> None:
    found = auc_estimate(SCORES[:, 0], LABELS[:, 0], ["a", "a", "b", "c"], resamples=50, seed=1)

    assert (found.value, found.n) == (1.0, 3)


def test_an_auc_of_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="a positive and a negative"):
        auc_estimate(SCORES[:, 0], np.zeros(4), PATIENTS)


def test_the_mean_is_over_findings() -> None:
    assert mean_auc_estimate(SCORES, LABELS, PATIENTS, resamples=100, seed=3).value == pytest.approx(0.5)


def test_a_round_that_draws_no_positive_leaves_the_interval_a_number() -> None:
    labels, scores = np.array([[1.0], [0.0], [0.0]]), np.array([[0.9], [0.1], [0.2]])

    found = mean_auc_estimate(scores, labels, ["a", "b", "c"], resamples=50, seed=0)

    assert (found.low, found.value, found.high) == (1, 1, 1)


def test_a_gain_is_the_difference_of_the_means_in_pairs() -> None:
    better = np.stack([SCORES[:, 0], -SCORES[:, 1]], axis=1)  # AUC 1 of both

    gain = auc_gain_estimate(better, SCORES, LABELS, PATIENTS, resamples=50, seed=3)
    none = auc_gain_estimate(SCORES, SCORES, LABELS, PATIENTS, resamples=50, seed=3)

    assert gain.value == pytest.approx(0.5)
    assert (none.low, none.value, none.high) == (0, 0, 0)


def test_a_share_is_that_of_the_hits() -> None:
    found = share_estimate(np.array([True, False, True, True]), PATIENTS)

    assert found.value == 0.75
    assert found.low < 0.75 < found.high
