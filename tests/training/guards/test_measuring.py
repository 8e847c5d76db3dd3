"""The guard's figures: shares, intervals and who is counted where."""

import numpy as np
import pytest

from models.guards import GRID, THUMBNAIL, Guard, Scorer
from training.guards.measuring import Figure, Share, measure, pooled
from training.guards.pictures import Picture, is_of_fold
from training.guards.synthetic import CHEST_KINDS, KINDS, draw_pictures, from_chests


def bright_above() -> np.ndarray:
    cells = np.zeros((GRID, GRID), np.float32)
    cells[: GRID // 4] = 1.0
    return cells


def picture(cells: np.ndarray, source: str = "made") -> Picture:
    return Picture(source=source, group="1", cells=cells, inverted=cells)


@pytest.fixture
def guard() -> Guard:
    """Takes what is bright above for a chest, and sees no sides."""
    weights = np.zeros((THUMBNAIL, THUMBNAIL), np.float32)
    weights[: THUMBNAIL // 4] = 1.0
    upright = Scorer(
        hidden=weights.reshape(-1, 1),
        hidden_bias=np.zeros(1, np.float32),
        output=np.ones(1, np.float32),
        output_bias=-300.0,
    )
    blind = Scorer(
        hidden=np.zeros((THUMBNAIL**2, 1), np.float32),
        hidden_bias=np.zeros(1, np.float32),
        output=np.zeros(1, np.float32),
        output_bias=0.0,
    )
    return Guard(upright=upright, situs=blind, sure_of_other=0.9, sure_of_turn=0.9, sure_of_mirror=0.9)


def test_a_share_is_shown_with_its_interval() -> None:
    assert str(Share(hits=0, count=100)) == "0/100 = 0.00% [0.00%, 3.70%]"  # z^2 / (n + z^2)
    assert str(Share(hits=0, count=0)) == "n = 0"


def test_each_way_of_storing_is_counted_as_corrected_or_not(guard) -> None:
    figures = {figure.what: figure.share for figure in measure(guard, [picture(bright_above())], [])}
    assert figures["good: refused"] == Share(hits=0, count=1)
    assert figures["turned by 90°: corrected"] == Share(hits=1, count=1)
    assert figures["turned by 180°: read as it is"] == Share(hits=0, count=1)
    assert figures["good: remark that it looks mirrored"] == Share(hits=0, count=1)


def test_what_is_no_chest_counts_as_refused_by_kind(guard) -> None:
    flat = np.random.default_rng(1).random((GRID, GRID)).astype(np.float32)
    others = [picture(flat, "noise"), picture(bright_above(), "noise"), picture(flat, "text")]
    figures = {figure.subject: figure.share for figure in measure(guard, [], others)}
    assert figures == {"noise": Share(hits=1, count=2), "text": Share(hits=1, count=1)}


def test_parts_are_pooled_by_subject_and_kind() -> None:
    def figure(hits: int) -> Figure:
        return Figure(subject="NIH", what="refused", share=Share(hits=hits, count=10))

    assert pooled([[figure(1)], [figure(2)]]) == [
        Figure(subject="NIH", what="refused", share=Share(hits=3, count=20))
    ]


def test_every_group_is_in_exactly_one_fold() -> None:
    for number in range(50):
        assert sum(is_of_fold(f"patient {number}", fold, folds=5) for fold in range(5)) == 1


def test_made_pictures_are_of_every_kind_and_the_same_for_a_seed() -> None:
    drawn = draw_pictures(2, seed=3)
    assert {each.source for each in drawn} == {f"synthetic: {kind}" for kind in KINDS}
    again = draw_pictures(2, seed=3)
    assert all((one.cells == other.cells).all() for one, other in zip(drawn, again, strict=True))


def test_a_spoilt_chest_stays_with_its_patient() -> None:
    chests = [
        Picture(source="NIH", group=f"patient {number}", cells=drawn.cells, inverted=drawn.inverted)
        for number, drawn in enumerate(draw_pictures(8, seed=4))
    ]
    spoilt = from_chests(chests, seed=1)
    assert [each.group for each in spoilt] == [each.group for each in chests]
    assert {each.source for each in spoilt} == {f"chest: {kind}" for kind in CHEST_KINDS}
    assert all(each.cells.shape == (GRID, GRID) for each in spoilt)
