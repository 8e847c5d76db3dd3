import numpy as np
import pytest
from scipy.stats import gamma

from overread.audit.weighting import (
    WeightedReads,
    expected_reads,
    hajek,
    horvitz_thompson,
    naive_share,
    share_inside,
)
from overread.errors import InputError


def reads_of(found, probability, cases) -> WeightedReads:
    return WeightedReads(found=np.array(found, bool), probability=np.array(probability, float), cases=cases)


def test_each_read_stands_for_the_inverse_of_its_probability() -> None:
    """10 certain cases with 4 found, and 3 of 30 drawn by .1, one of them found: (4 + 10) / 40."""
    reads = reads_of([1] * 4 + [0] * 6 + [1, 0, 0], [1] * 10 + [0.1] * 3, 40)

    assert horvitz_thompson(reads).value == pytest.approx(14 / 40)
    assert naive_share(reads) == pytest.approx(5 / 13)


def test_hajek_divides_by_the_weights() -> None:
    """One fourth of the weight is found: the share is one fourth, whatever the weights add up to."""
    reads = reads_of([1, 0, 0, 0], [0.1] * 4, 20)

    assert hajek(reads).value == pytest.approx(0.25)
    assert horvitz_thompson(reads_of([1, 0, 0, 0], [0.25] * 4, 20)).value == pytest.approx(4 / 20)


def test_the_variance_is_that_of_many_draws() -> None:
    """Poisson sampling of one fixed archive: the mean of the stated variances is that of the estimates."""
    random = np.random.default_rng(5)
    truth, probability = random.random(2000) < 0.2, random.uniform(0.05, 0.4, 2000)
    values, stated = {horvitz_thompson: [], hajek: []}, {horvitz_thompson: [], hajek: []}
    for _ in range(600):
        chosen = random.random(2000) < probability
        reads = reads_of(truth[chosen], probability[chosen], 2000)
        for estimator, kept in values.items():
            one = estimator(reads)
            kept.append(one.value)
            stated[estimator].append(((one.high - one.low) / 3.92) ** 2)
    for estimator, found in values.items():
        assert np.mean(found) == pytest.approx(truth.mean(), abs=0.004)
        assert np.mean(stated[estimator]) == pytest.approx(np.var(found), rel=0.15)
    assert np.var(values[hajek]) < np.var(values[horvitz_thompson])


def test_an_archive_that_was_read_whole_is_known() -> None:
    whole = horvitz_thompson(reads_of([1, 0, 0, 0], [1] * 4, 4))
    assert (whole.value, whole.low, whole.high) == (0.25, 0.25, 0.25)


def test_nothing_found_among_the_drawn_does_not_mean_that_nothing_is_there() -> None:
    estimate = hajek(reads_of([1] * 10 + [0] * 50, [1] * 10 + [0.1] * 50, 510))

    assert estimate.value == pytest.approx(10 / 510)
    assert estimate.high > 0.05


def test_sensitivity_counts_what_the_drawn_stand_for() -> None:
    reads = reads_of([1] * 10 + [1, 0], [1] * 10 + [0.1, 0.1], 100)
    inside = np.array([True] * 10 + [False] * 2)

    share = share_inside(reads, inside)

    assert share.value == pytest.approx(0.5)  # 10 found inside, one outside that stands for ten
    assert share.high - share.low > 0.5
    # One found with chance .1 outside: gamma limits of 10 with variance 90, and of 20 with 180 (scipy).
    least = gamma.ppf(0.025, 100 / 90, scale=9)
    most = gamma.ppf(0.975, 400 / 180, scale=9)
    assert (share.low, share.high) == pytest.approx((10 / (10 + most), 10 / (10 + least)), rel=1e-3)
    assert share_inside(reads_of([0, 0], [0.5, 0.5], 4), np.array([True, False])) is None


@pytest.mark.parametrize(
    ("found", "probability", "cases", "message"),
    [
        ([], [], 4, "no case was read"),
        ([1], [0.0], 4, "above 0"),
        ([1], [1.0], 4, "no chance of being read"),
        ([1, 1], [0.1, 0.1], 4, "more cases than there are"),
    ],
)
def test_what_cannot_be_weighed_is_said(found, probability, cases, message) -> None:
    with pytest.raises(InputError, match=message):
        horvitz_thompson(reads_of(found, probability, cases))


def test_how_many_reads_carry_a_rate() -> None:
    assert expected_reads(0.02, 0.01) == 753  # 1.96^2 * .02 * .98 / .01^2
