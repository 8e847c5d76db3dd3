import numpy as np
import pytest

from overread.adjudicated import NO_CORRECTION, correct, fit_corrections

NAN = float("nan")


def test_without_adjudications_nothing_is_corrected() -> None:
    odds, beside = np.array([[0.5], [2.0], [NAN]]), np.zeros((3, 1), dtype=bool)

    corrections = fit_corrections(odds, beside, np.full((3, 1), NAN))

    assert corrections.tolist() == [list(NO_CORRECTION)]
    assert correct(odds, beside, corrections) == pytest.approx(odds, nan_ok=True)


def test_a_few_adjudications_move_the_odds_a_little_and_many_make_them_right() -> None:
    def corrected(count: int) -> float:
        odds, beside = np.full((count, 1), 1.0), np.zeros((count, 1), dtype=bool)
        confirmed = (np.arange(count) % 10 == 0).astype(float)[:, None]  # 1 in 10, not 1 in 2
        corrections = fit_corrections(odds, beside, confirmed)
        (result,) = correct(odds[:1], beside[:1], corrections)[0]
        return float(result)

    assert 1 / 9 < corrected(10) < 1.0
    assert corrected(10_000) == pytest.approx(1 / 9, rel=0.02)


def test_each_family_learns_from_its_own_cases_only() -> None:
    odds = np.ones((400, 2))
    confirmed = np.column_stack([np.zeros(400), np.full(400, NAN)])

    corrections = fit_corrections(odds, np.zeros((400, 2), dtype=bool), confirmed)

    assert corrections[0, 0] < -2
    assert corrections[1].tolist() == list(NO_CORRECTION)
