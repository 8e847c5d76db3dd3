import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters
from statsmodels.stats.inter_rater import fleiss_kappa as fleiss_of_statsmodels

from overread.audit.agreement import (
    agreement_estimates,
    beside_others,
    cohen_kappa,
    fleiss_kappa,
    gwet_ac1,
    majority,
    two_reader_estimates,
)


def reads_of(cases: int, readers: int, seed: int, prevalence: float = 0.2) -> np.ndarray:
    random = np.random.default_rng(seed)
    truth = random.random((cases, 1)) < prevalence
    return (random.random((cases, readers)) < np.where(truth, 0.8, 0.1)).astype(float)


def test_cohens_kappa_is_that_of_scikit_learn() -> None:
    reads = reads_of(300, 2, seed=1)
    assert cohen_kappa(reads) == pytest.approx(cohen_kappa_score(*reads.T))


def test_fleiss_kappa_is_that_of_statsmodels() -> None:
    reads = reads_of(300, 5, seed=2)
    assert fleiss_kappa(reads) == pytest.approx(fleiss_of_statsmodels(aggregate_raters(reads.astype(int))[0]))


def test_coefficients_are_those_of_gwets_own_program() -> None:
    raw = pytest.importorskip(
        "irrCAC.raw", reason="irrcac is not installed; it asks for older libraries than these"
    )
    reads = reads_of(200, 4, seed=3, prevalence=0.05)  # of gaps it makes a category of their own
    theirs = raw.CAC(pd.DataFrame(reads))

    assert gwet_ac1(reads) == pytest.approx(theirs.gwet()["est"]["coefficient_value"], abs=2e-5)
    assert fleiss_kappa(reads) == pytest.approx(theirs.fleiss()["est"]["coefficient_value"], abs=2e-5)


def test_a_gap_is_no_read() -> None:
    """Pairs agree on 3 of the 4 cases that were read twice; shares of yes are 1, 0, 0, 1/2, 1."""
    reads = np.array([[1, 1, np.nan], [0, 0, np.nan], [np.nan, 0, 0], [1, np.nan, 0], [1, np.nan, np.nan]])
    yes = (1 + 0 + 0 + 0.5 + 1) / 5
    by_chance = 2 * yes * (1 - yes)
    assert gwet_ac1(reads) == pytest.approx((0.75 - by_chance) / (1 - by_chance))


def test_ac1_by_hand() -> None:
    """Pairs agree on 3 of 4 cases; yes is 3 of 8: by chance 2 * 3/8 * 5/8."""
    reads = np.array([[1, 1], [0, 0], [0, 0], [1, 0]], float)
    by_chance = 2 * 3 / 8 * 5 / 8
    assert gwet_ac1(reads) == pytest.approx((0.75 - by_chance) / (1 - by_chance))


def test_readers_who_all_say_no_have_no_kappa_but_an_ac1() -> None:
    reads = np.zeros((20, 3))
    with pytest.raises(ValueError, match="nothing tells"):
        fleiss_kappa(reads)
    assert gwet_ac1(reads) == 1.0
    assert set(agreement_estimates(reads, list(range(20)), seed=1)) == {"Gwet AC1"}


def test_reads_of_nobody_or_of_one_are_no_agreement() -> None:
    with pytest.raises(ValueError, match="twice"):
        gwet_ac1(np.array([[1, np.nan], [np.nan, 0]]))
    with pytest.raises(ValueError, match="both"):
        cohen_kappa(np.array([[1, np.nan], [np.nan, 0]]))


def test_intervals_hold_what_is_true_of_many_cases() -> None:
    truth = gwet_ac1(reads_of(400_000, 3, seed=0))
    held = 0
    for seed in range(30):
        estimate = agreement_estimates(reads_of(200, 3, seed=seed + 1), list(range(200)), seed=1)["Gwet AC1"]
        held += estimate.low <= truth <= estimate.high
    assert held >= 25


def test_a_reader_who_overlooks_what_the_others_agree_on_stands_out() -> None:
    reads = np.array([[1, 1, 0]] * 6 + [[1, 1, 1]] * 4 + [[0, 0, 0]] * 9 + [[1, 0, 0]], float)
    first, _, third = beside_others(reads, ("a", "b", "c"))

    assert (third.marks.value, third.marks.n) == (0.4, 10)
    assert (first.marks.value, first.marks.n) == (1.0, 4)
    assert (first.adds.value, first.adds.n) == (0.1, 10)
    assert majority(reads).sum() == 10


def test_two_readers_at_once_have_the_coefficients_and_about_the_intervals_of_the_slow_way() -> None:
    reads = reads_of(600, 2, seed=4)
    patients = np.repeat(np.arange(200), 3)

    quick, slow = (
        estimate(reads, patients, seed=1) for estimate in (two_reader_estimates, agreement_estimates)
    )

    for name in ("Cohen kappa", "Gwet AC1"):
        assert quick[name].value == pytest.approx(slow[name].value)
        assert quick[name].n == slow[name].n == 200
        assert quick[name].low == pytest.approx(slow[name].low, abs=0.02)
        assert quick[name].high == pytest.approx(slow[name].high, abs=0.02)


def test_two_readers_who_always_say_no_have_no_kappa_at_once_either() -> None:
    assert set(two_reader_estimates(np.zeros((30, 2)), np.arange(30), seed=1)) == {"Gwet AC1"}
