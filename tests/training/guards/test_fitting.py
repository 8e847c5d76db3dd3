"""A guard learns a picture that has an upper and a lower end, a bright and a dark half."""

import numpy as np
import pytest

from models.guards import GRID, OTHER, Guard, load_guard
from training.guards.fitting import Settings, fit
from training.guards.pictures import Picture
from training.guards.synthetic import draw_pictures
from training.guards.weights import save_guard

FEW = Settings(units=16, copies=2, steps=150, batch=64, dropout=0.0, sure_of_other=0.9)


def figure(seed: int) -> Picture:
    """A bright bar at the top and a brighter spot at the lower right, never quite at the same place."""
    random = np.random.default_rng(seed)
    row, column = random.integers(-3, 4, 2)
    cells = 0.1 + random.random((GRID, GRID)).astype(np.float32) * 0.1
    cells[8 + row : 18 + row, 8:56] = 0.7
    cells[40 + row : 54 + row, 40 + column : 54 + column] = 1.0
    return Picture(source="figure", group=str(seed), cells=cells, inverted=cells)


@pytest.fixture(scope="module")
def guard() -> Guard:
    return fit([figure(seed) for seed in range(60)], draw_pictures(12, seed=1), FEW)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("inverted", [False, True])
def test_what_was_learnt_upright_is_known_in_every_way_it_is_stored(guard, turns, inverted) -> None:
    right = 0
    for seed in range(100, 120):
        cells = np.rot90(figure(seed).cells, -turns)
        judgement = guard.judge(1 - cells if inverted else cells)
        right += (judgement.quarter_turns, judgement.inverted, judgement.other) == (turns, inverted, False)
    assert right >= 18


def test_other_pictures_are_known_as_such(guard) -> None:
    likelihoods = [guard.likelihoods(picture.cells)[OTHER] for picture in draw_pictures(5, seed=2)]
    assert sum(likelihood > 0.5 for likelihood in likelihoods) >= 24  # of 30


def test_a_mirrored_figure_is_told_from_the_usual_one(guard) -> None:
    for seed in range(100, 110):
        cells = figure(seed).cells
        assert guard.mirror_likelihood(cells) < 0.5 < guard.mirror_likelihood(cells[:, ::-1])


def test_the_saved_guard_judges_as_the_fitted_one_and_is_the_same_file_each_time(guard, tmp_path) -> None:
    first, second = tmp_path / "a.npz", tmp_path / "b.npz"
    save_guard(guard, first)
    save_guard(load_guard(first), second)
    assert first.read_bytes() == second.read_bytes()
    cells = figure(7).cells
    np.testing.assert_allclose(load_guard(first).likelihoods(cells), guard.likelihoods(cells), atol=1e-3)


def test_the_same_seed_gives_the_same_guard() -> None:
    settings = Settings(units=4, copies=1, steps=3, batch=8)
    figures, others = [figure(seed) for seed in range(8)], draw_pictures(2, seed=1)
    one, other = (fit(figures, others, settings).upright.hidden for _ in range(2))
    assert (one == other).all()
