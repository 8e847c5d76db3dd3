import json

import numpy as np
import pytest

from overread.adjudication_model import (
    AdjudicationModel,
    adjudication_model_of,
    adjudication_record,
    fit_correction,
)
from overread.discrepancy import DiscrepancyKind

NAN = float("nan")
MISS, OVERCALL = DiscrepancyKind.POSSIBLE_MISS, DiscrepancyKind.POSSIBLE_OVERCALL


def nothing_related(log_odds):
    return np.zeros(log_odds.shape, dtype=bool)


def test_without_adjudications_nothing_is_corrected() -> None:
    log_odds = np.array([[-1.0], [0.5], [NAN]])

    assert fit_correction(log_odds, nothing_related(log_odds), np.full((3, 1), NAN)) is None
    empty = AdjudicationModel(findings=("mass",), corrections={})
    assert empty.correct(MISS, log_odds, nothing_related(log_odds)) is log_odds


def test_a_few_adjudications_move_the_odds_a_little_and_many_make_them_right() -> None:
    def corrected(count: int) -> float:
        log_odds = np.zeros((count, 1))
        confirmed = (np.arange(count) % 10 == 0).astype(float)[:, None]  # 1 in 10, not 1 in 2
        correction = fit_correction(log_odds, nothing_related(log_odds), confirmed)
        return float(np.exp(correction.apply(log_odds[:1], nothing_related(log_odds[:1]))[0, 0]))

    assert 1 / 9 < corrected(10) < 1.0
    assert corrected(10_000) == pytest.approx(1 / 9, rel=0.02)


def test_a_finding_learns_most_from_its_own_cases_and_something_from_all() -> None:
    log_odds = np.zeros((400, 2))
    confirmed = np.column_stack([np.zeros(400), np.full(400, NAN)])

    correction = fit_correction(log_odds, nothing_related(log_odds), confirmed)

    own, other = correction.apply(log_odds[:1], nothing_related(log_odds[:1]))[0]
    assert own < other < 0


def test_what_is_seldom_called_a_miss_beside_a_related_finding_is_learned() -> None:
    log_odds = np.zeros((1000, 1))
    related = (np.arange(1000) % 2 == 0)[:, None]
    confirmed = np.where(related, np.arange(1000)[:, None] % 20 == 0, 1.0).astype(float)

    correction = fit_correction(log_odds, related, confirmed)

    assert correction.related < -2


def test_it_is_stored_exactly() -> None:
    rng = np.random.default_rng(1)
    log_odds = rng.normal(size=(50, 3))
    correction = fit_correction(log_odds, log_odds > 0, (rng.random((50, 3)) < 0.3).astype(float))
    model = AdjudicationModel(findings=("mass", "nodule", "effusion"), corrections={MISS: correction})

    again = adjudication_model_of(json.loads(json.dumps(adjudication_record(model))))

    assert (again.correct(MISS, log_odds, log_odds > 0) == model.correct(MISS, log_odds, log_odds > 0)).all()
    assert again.correct(OVERCALL, log_odds, log_odds > 0) is log_odds
    with pytest.raises(ValueError, match="fit together"):
        adjudication_model_of(adjudication_record(model) | {"findings": ["mass"]})
