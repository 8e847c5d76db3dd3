import math
from itertools import islice

import numpy as np
import pytest

from overread.statistics import (
    Estimate,
    bootstrap,
    bootstrap_estimate,
    mean_estimate,
    mean_of_defined,
    patient_samples,
    percentile_interval,
    proportion,
    roc_auc,
    student_quantile,
)


def test_an_estimate_is_text_with_its_interval_and_n_or_in_the_format_that_is_asked_for() -> None:
    estimate = Estimate(value=0.25, low=0.1, high=0.5, n=12)

    assert str(estimate) == f"{estimate}" == "0.250 [0.100, 0.500] n=12"
    assert f"{estimate:.0%}" == "25% [10%, 50%]"
    assert f"{estimate:+.1f}" == "+0.2 [+0.1, +0.5]"


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    # Newcombe, Statist Med 1998;17:857, table I: 81/263, 15/148, 0/20 and 1/29 by the score method.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_the_interval_of_a_proportion_is_wilsons(hits, total, low, high) -> None:
    found = proportion(hits, total)

    assert (found.value, found.n) == (hits / total, total)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_a_proportion_of_nothing_may_be_anything() -> None:
    found = proportion(0, 0)

    assert math.isnan(found.value)
    assert (found.low, found.high, found.n) == (0.0, 1.0, 0)


@pytest.mark.parametrize(("degrees", "quantile"), [(4, 2.776), (9, 2.262), (19, 2.093), (39, 2.023)])
def test_students_quantiles_are_those_of_the_tables(degrees: int, quantile: float) -> None:
    assert student_quantile(0.975, degrees) == pytest.approx(quantile, abs=0.005)


def test_a_mean_has_students_interval() -> None:
    found = mean_estimate([1.0, 2.0, 3.0, 4.0, 5.0])

    assert (found.value, found.n) == (3.0, 5)
    # sd 1.5811, divided by the root of 5, times 2.776
    assert found.high - 3.0 == pytest.approx(2.776 * 1.5811 / 5**0.5, abs=0.005)
    assert found.low == pytest.approx(6.0 - found.high)
    # at 99 %, 4.604
    assert mean_estimate([1.0, 2.0, 3.0, 4.0, 5.0], confidence=0.99).high > 3.0 + 4.5 * 1.5811 / 5**0.5


def test_too_few_values_give_no_interval_rather_than_a_wrong_one() -> None:
    with pytest.raises(ValueError, match="at least 5 values"):
        mean_estimate([1.0, 2.0, 3.0, 4.0])


@pytest.mark.parametrize(
    ("scores", "positive", "auc"),
    [
        ([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], 1.0),
        ([0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1], 0.0),
        ([0.5, 0.5, 0.5, 0.5], [0, 1, 0, 1], 0.5),
        ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 0.75),  # pairs: .35>.1, .35<.4, .8>.1, .8>.4
        ([0.3, 0.3, 0.1], [1, 0, 0], 0.75),  # one pair in order, one tied: 1.5 of 2
        ([0.1, 0.5, 0.5, 0.9], [0, 0, 1, 1], 0.875),  # one tie of four pairs
    ],
)
def test_the_auc_is_the_share_of_pairs_in_order(scores, positive, auc) -> None:
    assert roc_auc(np.array(scores), np.array(positive, bool)) == pytest.approx(auc)


def test_an_auc_of_one_class_is_refused_and_not_a_number_out_of_nowhere() -> None:
    with pytest.raises(ValueError, match="a positive and a negative"):
        roc_auc(np.array([0.1, 0.2]), np.array([True, True]))


def test_patients_are_drawn_with_all_their_cases_and_alike_for_the_same_seed() -> None:
    patients = ["b", "a", "b", "c", "a", "b"]

    samples = list(islice(patient_samples(patients, seed=1), 50))

    for sample in samples:
        counts = np.bincount(sample, minlength=6)
        assert counts[0] == counts[2] == counts[5]
        assert counts[1] == counts[4]
        assert counts[0] + counts[1] + counts[3] == 3  # as many patients as there are
    again = islice(patient_samples(patients, seed=1), 50)
    assert all(np.array_equal(one, other) for one, other in zip(samples, again, strict=True))
    assert any(not np.array_equal(sample, samples[0]) for sample in samples)


def test_samples_of_nobody_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one case"):
        next(patient_samples([], seed=1))


def test_a_sample_on_which_the_figure_is_not_defined_is_drawn_again() -> None:
    positive = np.array([True, False, False])
    scores = np.array([0.9, 0.1, 0.2])

    drawn = bootstrap(
        ["a", "b", "c"], lambda rows: roc_auc(scores[rows], positive[rows]), resamples=40, seed=0
    )

    assert drawn.tolist() == [1.0] * 40
    assert any(0 not in rows for rows in islice(patient_samples(["a", "b", "c"], seed=0), 40))


def test_an_interval_by_percentiles_holds_its_share_of_the_values() -> None:
    drawn = np.arange(101.0)

    assert percentile_interval(drawn) == pytest.approx((2.5, 97.5))
    assert percentile_interval(drawn, confidence=0.9) == pytest.approx((5.0, 95.0))


def test_a_bootstrap_estimate_rests_on_patients_and_narrows_with_their_number() -> None:
    random = np.random.default_rng(0)
    widths = []
    for count in (60, 960):
        values = random.normal(size=2 * count)
        patients = np.repeat(np.arange(count), 2)
        found = bootstrap_estimate(
            patients, lambda rows, values=values: float(values[rows].mean()), resamples=300, seed=2
        )
        assert found.low < found.value < found.high
        assert (found.n, found.value) == (count, values.mean())
        widths.append(found.high - found.low)
    assert widths[1] < widths[0] / 2.5  # a sixteenth of the variance is a quarter of the width


def test_twice_the_same_cases_of_a_patient_do_not_narrow_the_interval() -> None:
    values = np.random.default_rng(3).normal(size=100)
    once = bootstrap_estimate(np.arange(100), lambda rows: float(values[rows].mean()), resamples=200, seed=4)
    doubled = np.repeat(values, 2)

    twice = bootstrap_estimate(
        np.repeat(np.arange(100), 2), lambda rows: float(doubled[rows].mean()), resamples=200, seed=4
    )

    assert (twice.low, twice.high, twice.n) == pytest.approx((once.low, once.high, once.n))


def test_the_mean_of_figures_leaves_out_those_that_are_not_defined() -> None:
    def never(_):
        raise ValueError("not defined")

    rows = np.arange(3)
    assert mean_of_defined([lambda _: 1.0, never, lambda _: 2.0], rows) == 1.5
    with pytest.raises(ValueError, match="no figure"):
        mean_of_defined([never], rows)
