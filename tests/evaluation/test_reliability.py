import numpy as np
import pytest

from evaluation.ranking import calibration_error
from evaluation.reliability import plot_reliability, reliability

PROBABILITIES = np.array([0.02, 0.04, 0.55, 0.59, 1.0])
CONFIRMED = np.array([0.0, 1.0, 1.0, 0.0, 1.0])


def test_each_tenth_gives_its_mean_its_share_and_its_number() -> None:
    expected, observed, counts = reliability(PROBABILITIES, CONFIRMED)

    assert expected == pytest.approx([0.03, 0.57, 1.0])
    assert observed == pytest.approx([0.5, 0.5, 1.0])
    assert counts.tolist() == [2, 2, 1]


def test_the_calibration_error_is_the_mean_gap_by_number_of_cases() -> None:
    # gaps 0.47 and 0.07 of two cases each, 0 of one
    assert calibration_error(PROBABILITIES, CONFIRMED) == pytest.approx((2 * 0.47 + 2 * 0.07) / 5)
    with pytest.raises(ValueError, match="at least one"):
        calibration_error(np.zeros(0), np.zeros(0))


def test_the_picture_names_each_series(tmp_path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib, from the extra `plots`")

    series = {"explicit": (PROBABILITIES, CONFIRMED)}
    plot_reliability({"opacity": series, "lesion": series}, tmp_path / "reliability.svg")

    assert "<svg" in (tmp_path / "reliability.svg").read_text(encoding="utf-8")
