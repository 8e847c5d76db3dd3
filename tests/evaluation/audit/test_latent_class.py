import os
from pathlib import Path

import numpy as np
import pytest

from evaluation.audit.latent_class import GRID, prevalence_range
from evaluation.readers.sets import sets_at_hand
from overread.errors import InputError


def reads_of(cases: int, readers: int, seed: int, *, prevalence: float = 0.1, together: float = 0.0):
    """Reads whose errors are shared: among negatives some look positive to everybody, and the other way."""
    random = np.random.default_rng(seed)
    truth = random.random((cases, 1)) < prevalence
    log_odds = np.where(truth, 1.5, -2.5) + together * random.standard_normal((cases, 1))
    return (random.random((cases, readers)) < 1 / (1 + np.exp(-log_odds))).astype(float)


def test_readers_who_err_independently_leave_the_share_known() -> None:
    found = prevalence_range(reads_of(1500, 5, seed=1))

    assert found.independent == pytest.approx(0.1, abs=0.02)
    assert found.low <= 0.1 <= found.high
    assert found.dependence < 6


def test_readers_who_err_together_mislead_the_independent_model_and_the_range_holds_the_truth() -> None:
    found = prevalence_range(reads_of(1500, 5, seed=2, together=2.0))

    assert found.independent > 0.15
    assert found.low <= 0.1 <= found.high
    assert found.dependence > 20
    assert not found.is_known


def test_two_readers_or_missing_reads_carry_no_range() -> None:
    with pytest.raises(InputError, match="three readers"):
        prevalence_range(np.zeros((9, 2)))
    with pytest.raises(InputError, match="every case"):
        prevalence_range(np.full((9, 3), np.nan))


def test_the_shares_that_are_tried_ascend_and_are_finer_where_findings_are_rare() -> None:
    assert (np.diff(GRID) > 0).all()
    assert (np.diff(GRID[GRID <= 0.5]) <= 0.026).all()


def test_most_adjudications_are_wanted_where_the_range_comes_nearest_to_one_half() -> None:
    found = prevalence_range(reads_of(600, 3, seed=1))
    assert found.low <= found.most_uncertain <= found.high


@pytest.mark.slow
@pytest.mark.skipif(
    "OVERREAD_DATA" not in os.environ, reason="OVERREAD_DATA names no folder with nih_readers"
)
def test_no_range_of_the_five_nih_readers_excludes_what_was_adjudicated() -> None:
    found = [item for item in sets_at_hand(Path(os.environ["OVERREAD_DATA"])) if item.adjudicated is not None]
    assert len(found) == 14
    for item in found:
        shares = prevalence_range(item.reads)
        assert shares.low <= item.adjudicated.mean() <= shares.high, item.finding
        if item.finding == "Consolidation":  # where independence says three times as many
            assert shares.independent > 3 * item.adjudicated.mean()
            assert not shares.is_known
