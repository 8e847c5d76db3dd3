import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.stats import beta
from statsmodels.stats.proportion import proportion_confint

from evaluation.audit.beta import beta_quantile, beta_share, exact_limits

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
