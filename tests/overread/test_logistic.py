import numpy as np
import pytest

from overread.logistic import fit_logistic, predict, sigmoid

FREE = 1e-9


def test_without_features_the_intercept_is_the_log_odds_of_the_share() -> None:
    outcomes = np.array([1.0, 0.0, 0.0, 0.0])

    (intercept,) = fit_logistic(np.empty((4, 0)), outcomes, np.array([FREE]))

    assert intercept == pytest.approx(np.log(1 / 3))


def test_coefficients_that_made_the_outcomes_are_found_again() -> None:
    generator = np.random.default_rng(3)
    features = generator.normal(size=(40_000, 2))
    outcomes = (generator.random(40_000) < sigmoid(features @ [1.0, -2.0] + 0.5)).astype(float)

    coefficients = fit_logistic(features, outcomes, np.full(3, FREE))

    assert coefficients == pytest.approx([0.5, 1.0, -2.0], abs=0.1)
    assert predict(features, coefficients).mean() == pytest.approx(outcomes.mean(), abs=1e-6)


def test_a_high_precision_holds_a_coefficient_where_it_was_put() -> None:
    features = np.array([[0.0], [1.0], [2.0], [3.0]])
    outcomes = np.array([0.0, 0.0, 1.0, 1.0])

    held = fit_logistic(features, outcomes, np.array([FREE, 1e9]), mode=np.array([0.0, 0.7]))

    assert held[1] == pytest.approx(0.7, abs=1e-6)


def test_rare_outcomes_that_a_feature_nearly_separates_do_not_make_it_run_away() -> None:
    features = np.column_stack([np.full(60, -9.2), np.zeros(60)])
    outcomes = np.zeros(60)
    outcomes[:2] = 1.0

    coefficients = fit_logistic(features, outcomes, np.array([1.0, 10.0, 2.0]), np.array([0.0, 1.0, 0.0]))

    assert predict(features, coefficients)[0] == pytest.approx(2 / 60, rel=0.3)


def test_features_that_are_not_finite_are_refused() -> None:
    with pytest.raises((FloatingPointError, np.linalg.LinAlgError)):
        fit_logistic(np.array([[np.nan], [1.0]]), np.array([0.0, 1.0]), np.ones(2))
