"""Scores become probabilities and decisions."""

import numpy as np
import pytest

from overread.errors import InvalidFileError
from training.calibration import (
    agreement,
    balanced_threshold,
    choose_operating_points,
    curve_values,
    fit_platt,
    for_more_networks,
    high_precision_threshold,
    screening_threshold,
)


def test_platt_finds_the_curve_that_made_the_labels() -> None:
    random = np.random.default_rng(7)
    logits = random.normal(scale=2, size=20_000)
    labels = (random.random(20_000) < 1 / (1 + np.exp(-(0.6 * logits - 1.5)))).astype(float)
    fitted = fit_platt(logits, labels)
    assert (fitted.slope, fitted.intercept) == pytest.approx((0.6, -1.5), abs=0.05)


def test_calibrated_probabilities_have_the_prevalence_of_the_cohort() -> None:
    random = np.random.default_rng(8)
    labels = (np.arange(200) < 20).astype(float)
    logits = labels * 2 + random.normal(size=200) + 3
    fitted = fit_platt(logits, labels)
    scores = 1 / (1 + np.exp(-logits))
    assert np.mean([fitted.probability(float(score)) for score in scores]) == pytest.approx(0.1, abs=0.01)


def test_a_perfect_separation_does_not_run_away() -> None:
    logits, labels = np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0.0, 0.0, 1.0, 1.0])
    assert 0.5 < fit_platt(logits, labels).slope < 3


def test_scores_against_the_labels_never_turn_the_order_around() -> None:
    logits, labels = np.linspace(-3, 3, 200), (np.linspace(-3, 3, 200) < 0).astype(float)
    assert fit_platt(logits, labels).slope > 0


def test_operating_points_keep_what_they_promise() -> None:
    probabilities = np.linspace(0.005, 0.995, 100)
    labels = np.zeros(100)
    labels[[20, 45, *range(60, 100)]] = 1  # 42 positives
    screening = screening_threshold(probabilities, labels)
    assert (probabilities[labels == 1] >= screening).mean() >= 0.90
    strict = high_precision_threshold(probabilities, labels)
    assert (probabilities[labels == 0] < strict).mean() >= 0.95
    balanced = balanced_threshold(probabilities, labels)
    sensitivity = (probabilities[labels == 1] >= balanced).mean()
    assert sensitivity == pytest.approx((probabilities[labels == 0] < balanced).mean(), abs=0.05)


def test_each_point_names_its_cohort_and_every_finding() -> None:
    probabilities = {"mass": np.array([0.1, 0.2, 0.7, 0.9]), "edema": np.array([0.9, 0.2, 0.7, 0.1])}
    labels = {"mass": np.array([0.0, 0, 1, 1]), "edema": np.array([1.0, 0, 1, 0])}
    points = choose_operating_points(probabilities, labels, cohort="four patients")
    assert [point.name for point in points] == ["balanced", "screening", "high_precision"]
    for point in points:
        assert point.cohort == "four patients"
        assert set(point.thresholds) == {"mass", "edema"}
        assert 0.2 < point.thresholds["mass"] <= 0.7


def test_a_finding_that_no_validation_patient_has_cannot_be_calibrated() -> None:
    with pytest.raises(InvalidFileError, match="give more radiographs"):
        fit_platt(np.array([0.1, 0.2]), np.array([0.0, 0.0]))


def test_the_curve_for_more_networks_is_the_one_that_they_would_have_been_given() -> None:
    random = np.random.default_rng(3)
    truth = random.normal(loc=-1, scale=1.5, size=50_000)
    labels = (random.random(50_000) < 1 / (1 + np.exp(-truth))).astype(float)
    networks = truth + random.normal(scale=0.75, size=(8, 50_000))
    few, all_of_them = networks[:2].mean(axis=0), networks.mean(axis=0)
    alike = agreement(networks[:2, :, np.newaxis])
    assert alike == pytest.approx(0.8, abs=0.01)  # a fifth of the variance of each is noise
    curve = fit_platt(few, labels)
    steeper = for_more_networks(curve, few, alike=alike, fitted=2, released=8)
    expected = fit_platt(all_of_them, labels)
    assert curve.slope < 0.88
    assert (steeper.slope, steeper.intercept) == pytest.approx((expected.slope, expected.intercept), abs=0.03)
    assert curve_values(steeper, all_of_them).mean() == pytest.approx(labels.mean(), abs=0.01)


def test_one_network_a_fold_leaves_the_curve_as_it_is() -> None:
    logits, labels = np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0.0, 0.0, 1.0, 1.0])
    assert agreement(logits[np.newaxis, :, np.newaxis]) is None
    curve = fit_platt(logits, labels)
    assert for_more_networks(curve, logits, alike=None, fitted=1, released=4) == curve
