import numpy as np
import pytest

from evaluation.ranking_metrics import (
    average_precision,
    expected_hits,
    precision_at,
    recall_at,
    reviews_at,
)

SCORES = np.array([0.9, 0.8, 0.7, 0.6])
CONFIRMED = np.array([1.0, 0.0, 1.0, 0.0])


def test_average_precision_is_the_mean_precision_at_each_confirmed_case() -> None:
    # precision 1/1 at the first, 2/3 at the third
    assert average_precision(SCORES, CONFIRMED) == pytest.approx((1 + 2 / 3) / 2)


def test_equal_scores_count_as_one_step_whatever_their_order_in_the_file() -> None:
    tied = np.array([0.5, 0.5, 0.5, 0.5])

    assert (
        average_precision(tied, CONFIRMED) == average_precision(tied, CONFIRMED[::-1]) == pytest.approx(0.5)
    )
    assert expected_hits(tied, CONFIRMED, 1) == pytest.approx(0.5)


@pytest.mark.parametrize(("looks", "hits"), [(0, 0.0), (1, 1.0), (1.5, 1.0), (2.5, 1.5), (4, 2.0)])
def test_a_fraction_of_a_look_finds_a_fraction(looks: float, hits: float) -> None:
    assert expected_hits(SCORES, CONFIRMED, looks) == pytest.approx(hits)


def test_precision_and_recall_at_a_budget() -> None:
    assert precision_at(SCORES, CONFIRMED, 0.5) == pytest.approx(1 / 2)
    assert recall_at(SCORES, CONFIRMED * np.array([3, 1, 1, 1]), 0.5) == pytest.approx(3 / 4)


def test_figures_that_are_not_defined_are_refused_rather_than_nan() -> None:
    nothing = np.zeros(4)

    with pytest.raises(ValueError, match="at least one confirmed"):
        average_precision(SCORES, nothing)
    with pytest.raises(ValueError, match="something to find"):
        recall_at(SCORES, nothing, 0.5)


def test_reviews_for_a_confirmed_case_are_the_inverse_of_precision() -> None:
    assert reviews_at(SCORES, CONFIRMED, 0.5) == pytest.approx(2.0)
    with pytest.raises(ValueError, match="none"):
        reviews_at(SCORES, np.array([0.0, 1.0, 1.0, 0.0]), 0.25)
