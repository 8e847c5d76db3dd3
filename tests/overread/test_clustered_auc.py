"""Areas and their covariance against a plain count of all pairs, and against the program of Iowa."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from overread.clustered_auc import (
    ScoredCases,
    auc_covariance,
    auc_difference,
    auc_estimate,
    jackknife_areas,
)
from tests.overread.van_dyke import van_dyke


def made(seed: int = 4, patients: int = 60):
    random = np.random.default_rng(seed)
    owner = np.repeat(np.arange(patients), random.integers(1, 4, patients))
    alike = random.normal(size=patients)[owner]
    positive = random.random(len(owner)) < 0.4
    scores = np.round(random.normal(size=(3, len(owner))) + positive + alike, 1)  # with ties
    return scores, positive, owner


def pair_kernel(scores, positive):
    up, down = scores[positive][:, None], scores[~positive]
    return (up > down) + 0.5 * (up == down)


def test_areas_are_those_of_scikit_learn() -> None:
    scores, positive, owner = made()
    areas, _ = auc_covariance(ScoredCases.of(scores, positive, owner))

    assert areas == pytest.approx([roc_auc_score(positive, one) for one in scores], abs=1e-12)


def test_with_one_case_a_patient_the_covariance_is_delongs_written_out() -> None:
    scores, positive, _ = made()
    _, covariance = auc_covariance(ScoredCases.of(scores, positive, list(range(len(positive)))))
    kernels = [pair_kernel(one, positive) for one in scores]
    of_positive = np.cov([kernel.mean(axis=1) for kernel in kernels]) / positive.sum()
    of_negative = np.cov([kernel.mean(axis=0) for kernel in kernels]) / (~positive).sum()

    assert covariance == pytest.approx(of_positive + of_negative, rel=1e-9)


def test_for_patients_of_several_cases_it_is_obuchowskis_written_out() -> None:
    scores, positive, owner = made()
    areas, covariance = auc_covariance(ScoredCases.of(scores, positive, owner))
    kernel, area = pair_kernel(scores[0], positive), areas[0]
    up, down = kernel.mean(axis=1), kernel.mean(axis=0)
    patients = np.unique(owner)
    a = np.array([(up[owner[positive] == p] - area).sum() for p in patients])
    b = np.array([(down[owner[~positive] == p] - area).sum() for p in patients])
    m, n = positive.sum(), (~positive).sum()
    with_it, without = len(set(owner[positive])), len(set(owner[~positive]))
    expected = with_it / (with_it - 1) * (a**2).sum() / m**2
    expected += without / (without - 1) * (b**2).sum() / n**2
    expected += 2 * len(patients) / (len(patients) - 1) * (a * b).sum() / (m * n)

    assert covariance[0, 0] == pytest.approx(expected, rel=1e-9)


def test_the_jackknife_counts_what_is_left_without_a_patient() -> None:
    scores, positive, owner = made()
    left_out = jackknife_areas(ScoredCases.of(scores, positive, owner))

    for patient in (0, 1, 17, 59):
        rest = owner != patient
        expected = [roc_auc_score(positive[rest], one[rest]) for one in scores]
        assert left_out[:, patient] == pytest.approx(expected, abs=1e-12)


def test_the_interval_of_one_area_is_walds_on_the_scale_of_log_odds() -> None:
    scores, positive, owner = made()
    estimate = auc_estimate(scores[0], positive, owner)
    areas, covariance = auc_covariance(ScoredCases.of(scores[0], positive, owner))
    area, error = areas[0], covariance[0, 0] ** 0.5
    middle, half = np.log(area / (1 - area)), stats.norm.ppf(0.975) * error / (area * (1 - area))

    assert (estimate.low, estimate.high) == pytest.approx(
        (1 / (1 + np.exp(half - middle)), 1 / (1 + np.exp(-half - middle)))
    )
    assert estimate.n == 60


def test_the_difference_of_two_areas_is_paired() -> None:
    """Reader 5 of Van Dyke et al.: Iowa prints 0.10016, and 0.04406 by jackknife; DeLong's is near it."""
    cases = van_dyke()
    found = auc_difference(cases.scores[[4, 9]], cases.positive, cases.patients)

    assert found.value == pytest.approx(0.10016, abs=5e-6)
    assert (found.high - found.low) / 2 / 1.96 == pytest.approx(0.04406, rel=0.02)


def test_of_a_perfect_order_no_interval_is_given() -> None:
    positive = np.repeat([True, False], 10)

    with pytest.raises(ValueError, match="no interval"):
        auc_estimate(positive.astype(float), positive, list(range(20)))


def test_what_cannot_carry_a_variance_is_said() -> None:
    with pytest.raises(ValueError, match="2 patients"):
        ScoredCases.of([0.1, 0.2, 0.3], np.array([True, True, False]), ["a", "a", "b"])
    with pytest.raises(ValueError, match="every case"):
        ScoredCases.of([0.1, np.nan], np.array([True, False]), ["a", "b"])
