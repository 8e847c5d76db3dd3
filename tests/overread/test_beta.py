import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.stats import beta, f, gamma, t
from statsmodels.stats.proportion import proportion_confint

from overread.beta import beta_quantile, beta_share, exact_limits, fisher_tail, gamma_quantile, student_limit

shape = some.floats(0.05, 5000)
CHECKED = settings(max_examples=60, deadline=None)  # a busy machine is no failure


@CHECKED
@given(some.floats(0, 1), shape, shape)
def test_the_share_below_is_that_of_scipy(x, a, b) -> None:
    assert beta_share(x, a, b) == pytest.approx(float(beta.cdf(x, a, b)), abs=1e-9)


@CHECKED
@given(some.sampled_from([0.025, 0.5, 0.975]), some.floats(0.5, 5000), some.floats(0.5, 5000))
def test_the_quantile_is_that_of_scipy(probability, a, b) -> None:
    assert beta_quantile(probability, a, b) == pytest.approx(float(beta.ppf(probability, a, b)), abs=1e-8)


@pytest.mark.parametrize(("hits", "total"), [(0, 20), (20, 20), (3, 50), (499, 1000), (1, 100_000)])
def test_exact_limits_are_those_of_clopper_and_pearson(hits, total) -> None:
    assert exact_limits(hits, total) == pytest.approx(
        proportion_confint(hits, total, method="beta"), abs=1e-9
    )


@CHECKED
@given(some.floats(1, 5000), some.sampled_from([0.9, 0.95, 0.99]))
def test_the_limits_of_student_are_those_of_scipy_for_broken_degrees_of_freedom_too(
    degrees, confidence
) -> None:
    expected = float(t.ppf((1 + confidence) / 2, degrees))

    assert student_limit(degrees, confidence=confidence) == pytest.approx(expected, rel=1e-6)


@CHECKED
@given(some.floats(0, 50), some.integers(1, 20), some.floats(1, 500))
def test_the_tail_of_fisher_is_that_of_scipy(ratio, above, below) -> None:
    assert fisher_tail(ratio, above, below) == pytest.approx(float(f.sf(ratio, above, below)), abs=1e-9)


@CHECKED
@given(some.sampled_from([0.025, 0.5, 0.975]), some.floats(0.5, 500), some.floats(0.2, 100))
def test_the_quantile_of_the_gamma_distribution_is_that_of_scipy(probability, form, scale) -> None:
    expected = float(gamma.ppf(probability, form, scale=scale))

    assert gamma_quantile(probability, form * scale, form * scale**2) == pytest.approx(expected, rel=2e-3)
