import numpy as np
import pytest
from scipy.special import gammaln
from scipy.stats import chi2

from evaluation.audit.capture_recapture import recapture
from overread.errors import InputError


def test_chapmans_number() -> None:
    """24 and 18 found, 12 in common: 25 * 19 / 13 - 1."""
    found = recapture(first_alone=12, second_alone=6, both=12)

    assert found.number.value == pytest.approx(25 * 19 / 13 - 1)
    # Binomial likelihoods of both readers at their best shares, for every number that may be.
    numbers = np.arange(30, 500)
    logs = gammaln(numbers + 1) - gammaln(numbers - 30 + 1)
    for count in (24, 18):
        logs += count * np.log(count / numbers) + (numbers - count) * np.log1p(-count / numbers)
    inside = numbers[logs >= logs.max() - chi2.ppf(0.95, 1) / 2]
    assert (found.number.low, found.number.high) == (max(30, inside[0] - 1), inside[-1] + 1)
    assert (found.first_sensitivity.value, found.second_sensitivity.value) == (12 / 18, 12 / 24)


def test_readers_who_found_the_same_leave_little_unseen() -> None:
    found = recapture(first_alone=0, second_alone=0, both=9)

    assert (found.number.value, found.number.low) == (9, 9)
    assert found.number.high == 10


@pytest.mark.parametrize(("cases", "share"), [(150, 0.67), (150, 0.9), (40, 0.4), (20, 0.7)])
def test_the_interval_holds_the_number_of_few_and_of_easy_discrepancies_too(cases, share) -> None:
    random = np.random.default_rng(5)
    held = 0
    for _ in range(1000):
        first, second = (random.random(cases) < share for _ in range(2))
        both = int((first & second).sum())
        number = recapture(int(first.sum()) - both, int(second.sum()) - both, max(both, 1)).number
        held += number.low <= cases <= number.high

    assert held / 1000 >= 0.93


def test_readers_without_anything_in_common_say_nothing() -> None:
    with pytest.raises(InputError, match="none in common"):
        recapture(first_alone=3, second_alone=4, both=0)
