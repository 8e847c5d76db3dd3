import numpy as np
import pytest
from scipy.stats import binom

from overread.audit.control_charts import (
    FALSE_ALARMS,
    binomial_limits,
    cusum,
    funnel_limits,
    overdispersion,
)

TOTALS = np.full(24, 400.0)


def alarm_share(shift: float, histories: int = 150) -> float:
    random = np.random.default_rng(8)
    alarms = 0
    for seed in range(histories):
        share = np.where(np.arange(24) < 12, 0.05, 0.05 * shift)
        hits = random.binomial(TOTALS.astype(int), share).astype(float)
        chart = cusum(hits, TOTALS, 6, seed=seed)
        alarms += bool(chart.alarms.any())
    return alarms / histories


def test_a_cusum_gives_false_alarms_as_rarely_as_it_says() -> None:
    """150 histories: the standard error of a share of .05 is .018."""
    assert alarm_share(1.0) == pytest.approx(FALSE_ALARMS, abs=0.045)


def test_a_cusum_finds_twice_the_share() -> None:
    assert alarm_share(2.0, histories=50) > 0.9


def test_a_cusum_says_its_rate_of_false_alarms_and_rises_only_after_the_reference() -> None:
    hits = np.r_[np.full(12, 20.0), np.full(12, 40.0)]
    chart = cusum(hits, TOTALS, 6, seed=1)

    assert chart.false_alarms <= FALSE_ALARMS
    assert not chart.upwards[:6].any()
    assert not chart.alarms[:12].any()
    assert chart.alarms[-1]


def test_months_without_a_hit_in_the_reference_carry_no_cusum() -> None:
    assert cusum(np.r_[np.zeros(6), np.ones(18)], TOTALS, 6, seed=1) is None


def test_limits_of_a_month_are_the_exact_binomial_ones() -> None:
    low, high = binomial_limits(0.07, 321)

    assert low * 321 == binom.ppf(0.001, 321, 0.07)
    assert high * 321 == binom.ppf(0.999, 321, 0.07)


def test_funnel_limits_narrow_with_size_and_widen_with_overdispersion() -> None:
    units = np.array([50.0, 5000.0])
    (_, narrow), (low, high) = funnel_limits(0.1, units)
    assert high[0] > high[1] > narrow[1] > 0.1
    assert low[0] == 0.0
    assert (funnel_limits(0.1, units, spread=4.0)[1][1] > high).all()


def test_groups_that_differ_by_chance_alone_are_not_overdispersed_but_others_are() -> None:
    random = np.random.default_rng(3)
    units = np.full(200, 300.0)
    chance = random.binomial(300, 0.1, 200) / 300
    different = random.binomial(300, random.beta(5, 45, 200)) / 300

    assert overdispersion(chance, units, 0.1) < 1.3
    assert overdispersion(different, units, 0.1) > 3
