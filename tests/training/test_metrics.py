"""AUC and its interval, with the arithmetic shown."""

import numpy as np
import pytest

from training.metrics import auc_interval, mean_auc_interval, patient_samples, roc_auc


@pytest.mark.parametrize(
    ("scores", "labels", "auc"),
    [
        ([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], 1.0),
        ([0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1], 0.0),
        ([0.5, 0.5, 0.5, 0.5], [0, 1, 0, 1], 0.5),
        ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 0.75),  # 3 of the 4 pairs are in order
        ([0.3, 0.3, 0.1], [1, 0, 0], 0.75),  # one pair in order, one tied: 1.5 of 2
    ],
)
def test_the_auc_is_the_share_of_pairs_in_order(scores, labels, auc) -> None:
    assert roc_auc(np.array(scores), np.array(labels, float)) == pytest.approx(auc)


def test_an_auc_of_one_class_is_refused_and_not_a_number_out_of_nowhere() -> None:
    with pytest.raises(ValueError, match="a positive and a negative"):
        roc_auc(np.array([0.1, 0.2]), np.array([1.0, 1.0]))


def test_patients_are_drawn_with_all_their_images() -> None:
    samples = patient_samples(["a", "a", "b"], rounds=50, seed=1)
    for sample in samples:
        counts = np.bincount(sample, minlength=3)
        assert counts[0] == counts[1]
        assert counts[0] + counts[2] == 2  # two patients per round
    again = patient_samples(["a", "a", "b"], rounds=50, seed=1)
    assert all(np.array_equal(one, other) for one, other in zip(samples, again, strict=True))


def test_an_interval_holds_its_figure_and_narrows_with_more_patients() -> None:
    random = np.random.default_rng(0)
    widths = []
    for count in (60, 960):
        labels = (np.arange(count) % 2).astype(float)
        scores = labels + random.normal(size=count)
        samples = patient_samples([str(at) for at in range(count)], rounds=300, seed=2)
        interval = auc_interval(scores, labels, samples)
        assert interval.low < interval.value < interval.high
        widths.append(interval.high - interval.low)
    assert widths[1] < widths[0] / 2  # a sixteenth of the variance is a quarter of the width


def test_the_mean_is_over_findings() -> None:
    labels = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
    scores = np.array([[0.1, 0.9], [0.2, 0.1], [0.8, 0.9], [0.9, 0.1]])
    samples = patient_samples(["a", "b", "c", "d"], rounds=100, seed=3)
    assert mean_auc_interval(scores, labels, samples).value == pytest.approx((1.0 + 0.0) / 2)


def test_a_round_that_draws_no_positive_leaves_the_interval_a_number() -> None:
    labels, scores = np.array([[1.0], [0.0], [0.0]]), np.array([[0.9], [0.1], [0.2]])
    samples = patient_samples(["a", "b", "c"], rounds=50, seed=0)
    assert any(labels[sample].sum() == 0 for sample in samples)
    interval = mean_auc_interval(scores, labels, samples)
    assert (interval.low, interval.value, interval.high) == (1, 1, 1)
