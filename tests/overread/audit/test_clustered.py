import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.proportion import proportion_confint

from overread.audit.clustered import group_counts


def drawn(patients: int, alike: float, seed: int):
    """Two studies of each patient, whose shares differ between patients with this standard deviation."""
    random = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), 2)
    chance = np.clip(0.3 + alike * random.standard_normal(patients), 0, 1)[patient]
    return patient, random.random(len(patient)) < chance


def counts_of(hits, patients, groups=None, count=1):
    groups = np.zeros(len(hits), dtype=int) if groups is None else groups
    every = np.ones((len(hits), 1), dtype=bool)
    return group_counts(hits[:, None], every, groups, patients, count)


def test_the_variance_is_the_cluster_robust_one_of_a_regression_on_a_constant() -> None:
    patients, hits = drawn(400, 0.3, seed=1)
    model = sm.OLS(hits.astype(float), np.ones(len(hits))).fit(
        cov_type="cluster", cov_kwds={"groups": patients}
    )

    variance = counts_of(hits, patients).variance(0, 0)

    assert variance == pytest.approx(float(model.cov_params()[0, 0]), rel=1e-9)


def test_independent_cases_have_wilsons_interval() -> None:
    hits = np.arange(500) % 7 == 0

    estimate = counts_of(hits, np.arange(500)).estimate(0, 0)

    low, high = proportion_confint(int(hits.sum()), 500, method="wilson")
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=3e-4)
    assert estimate.n == 500


def test_cases_of_one_patient_that_are_alike_count_once() -> None:
    hits = np.repeat(np.arange(100) % 4 == 0, 3)
    patients = np.repeat(np.arange(100), 3)

    assert counts_of(hits, patients).effective_cases(0, 0) == pytest.approx(100, rel=0.05)


def test_nothing_found_says_as_much_as_there_are_patients() -> None:
    estimate = counts_of(np.zeros(300, dtype=bool), np.repeat(np.arange(100), 3)).estimate(0, 0)

    assert (estimate.low, estimate.high) == pytest.approx(proportion_confint(0, 100, method="wilson"))


def test_groups_are_counted_apart_and_a_patient_may_be_in_two() -> None:
    hits = np.array([True, False, True, True, False])
    groups = np.array([0, 1, 1, 2, -1])
    counts = counts_of(hits, np.array([7, 7, 8, 8, 9]), groups, 4)

    assert counts.cases[:, 0].tolist() == [1, 2, 1, 0]
    assert counts.hits[:, 0].tolist() == [1, 1, 1, 0]
    assert counts.patients[:, 0].tolist() == [1, 2, 1, 0]
    with pytest.raises(ValueError, match="no case"):
        counts.estimate(3, 0)


def test_more_figures_than_fit_in_a_block_are_each_their_own() -> None:
    random = np.random.default_rng(2)
    hits, cases = random.random((200, 21)) < 0.3, random.random((200, 21)) < 0.8
    counts = group_counts(hits & cases, cases, np.zeros(200, int), np.arange(200) // 2, 1)

    assert counts.cases[0].tolist() == cases.sum(axis=0).tolist()
    assert counts.hits[0].tolist() == (hits & cases).sum(axis=0).tolist()


@pytest.mark.parametrize("alike", [0.0, 0.3])
def test_intervals_hold_the_share_whether_or_not_patients_are_alike(alike) -> None:
    """300 histories: the binomial standard error of a coverage of .95 is .013."""
    held = 0
    truth = float(np.clip(0.3 + alike * np.random.default_rng(0).standard_normal(1_000_000), 0, 1).mean())
    for seed in range(300):
        patients, hits = drawn(150, alike, seed)
        estimate = counts_of(hits, patients).estimate(0, 0)
        held += estimate.low <= truth <= estimate.high

    assert 0.91 <= held / 300 <= 0.985
