import math

import pytest

from evaluation.audit.capture_recapture import recapture
from overread.errors import InputError


def test_chapmans_number() -> None:
    """24 and 18 found, 12 in common: 25 * 19 / 13 - 1."""
    found = recapture(first_alone=12, second_alone=6, both=12)

    assert found.number.value == pytest.approx(25 * 19 / 13 - 1)
    variance = 25 * 19 * 12 * 6 / (13**2 * 14)
    unseen = found.number.value - 30
    factor = math.exp(1.959964 * math.sqrt(math.log(1 + variance / unseen**2)))
    assert found.number.low == pytest.approx(30 + unseen / factor, rel=1e-6)
    assert found.number.high == pytest.approx(30 + unseen * factor, rel=1e-6)
    assert (found.first_sensitivity.value, found.second_sensitivity.value) == (12 / 18, 12 / 24)


def test_readers_who_found_the_same_leave_nothing_unseen() -> None:
    found = recapture(first_alone=0, second_alone=0, both=9)
    assert (found.number.value, found.number.low, found.number.high) == (9, 9, 9)


def test_readers_without_anything_in_common_say_nothing() -> None:
    with pytest.raises(InputError, match="none in common"):
        recapture(first_alone=3, second_alone=4, both=0)
