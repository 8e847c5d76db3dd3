import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import betabinom
from statsmodels.stats.multitest import multipletests

from evaluation.audit.pooling import false_discovery, pool, two_sided


def groups(count: int, seed: int, precision: float = 40.0):
    random = np.random.default_rng(seed)
    totals = random.integers(20, 200, count).astype(float)
    shares = random.beta(0.1 * precision, 0.9 * precision, count)
    return random.binomial(totals.astype(int), shares).astype(float), totals, shares


def test_mean_and_spread_are_the_most_likely_ones() -> None:
    hits, totals, _ = groups(60, seed=4)

    def loss(log_shape):
        a, b = np.exp(log_shape)
        return -betabinom.logpmf(hits, totals, a, b).sum()

    a, b = np.exp(minimize(loss, np.log([1.0, 9.0]), method="Nelder-Mead").x)
    spread, _ = pool(hits, totals)

    assert spread.mean == pytest.approx(a / (a + b), rel=0.01)
    assert spread.precision == pytest.approx(a + b, rel=0.02)


def test_little_known_groups_are_drawn_further_towards_all() -> None:
    hits, totals, _ = groups(60, seed=5)
    hits[:2], totals[:2] = (2, 100), (5, 250)  # both four tenths

    _, pooled = pool(hits, totals)

    assert 0.1 < pooled[0].value < pooled[1].value < 0.4


def test_intervals_of_groups_hold_their_shares_and_are_nearer_to_them_than_the_raw_shares() -> None:
    held, asked, nearer = 0, 0, 0
    for seed in range(20):
        hits, totals, shares = groups(60, seed)
        _, pooled = pool(hits, totals)
        held += sum(one.low <= share <= one.high for one, share in zip(pooled, shares, strict=True))
        asked += len(shares)
        errors = [abs(one.value - share) for one, share in zip(pooled, shares, strict=True)]
        nearer += np.mean(errors) < np.mean(np.abs(hits / totals - shares))

    assert 0.92 <= held / asked <= 0.97
    assert nearer >= 18


def test_too_few_groups_or_none_that_differ_are_not_pooled() -> None:
    four = np.array([1.0, 2, 3, 4])
    assert pool(four, four * 10) is None
    assert pool(np.zeros(9), np.full(9, 10.0)) is None


def test_false_discovery_is_that_of_benjamini_and_hochberg() -> None:
    p_values = [0.001, 0.04, 0.03, 0.2, 0.011, 0.9, 0.04]

    assert false_discovery(p_values) == pytest.approx(multipletests(p_values, method="fdr_bh")[1])


def test_what_was_not_compared_is_no_comparison() -> None:
    with_gap = false_discovery([0.01, math.nan, 0.04])

    assert math.isnan(with_gap[1])
    assert [with_gap[0], with_gap[2]] == pytest.approx([0.02, 0.04])


def test_two_sided() -> None:
    assert two_sided(-1.959964) == pytest.approx(0.05, abs=1e-6)
