"""Networks speak only of patients that they were not trained on, and their work is not done twice."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

import torch

from tests.training.material import write_nih
from training.datasets import FINDINGS, read_nih
from training.folds import Workplace, placed_radiographs, read_folds, train_folds
from training.recipe import Kind, Settings
from training.split import assign_folds

PLAIN = Kind(frozen_blocks=6, imitation_weight=0.1, imitates=False)
IMITATING = Kind(frozen_blocks=2, imitation_weight=0.5, imitates=True)
SETTINGS = Settings(side=64, views=1, folds=2, networks=(PLAIN,), epochs=1, batch_size=8)


def test_every_patient_is_read_by_the_networks_that_left_them_out(tmp_path) -> None:
    radiographs = read_nih(write_nih(tmp_path / "data", patients=12))
    place = Workplace(folder=tmp_path / "work", threads=2)
    said: list[str] = []
    alone = train_folds(radiographs, SETTINGS, place, lambda name, progress: said.append(name))
    assert sorted(said) == ["fold 1 of 2", "fold 2 of 2"]
    assert alone.unseen.logits.shape == (1, 24, len(FINDINGS))
    assert list(alone.unseen.asked) == list(range(24))
    assert list(alone.unseen.placed) == list(placed_radiographs(radiographs))
    assert alone.unseen.maps.shape == (len(alone.unseen.placed), len(FINDINGS), 4, 4)

    said.clear()
    more = replace(SETTINGS, networks=(PLAIN, IMITATING))
    both = train_folds(radiographs, more, place, lambda name, progress: said.append(name))
    assert sorted(said) == ["fold 1 of 2, network 2 of 2", "fold 2 of 2, network 2 of 2"]  # only what is new
    np.testing.assert_array_equal(both.unseen.logits[:1], alone.unseen.logits)
    np.testing.assert_allclose(both.unseen.mean, both.unseen.logits.mean(axis=0))
    image = torch.rand(1, 1, 64, 64)
    assert [network.frozen_blocks for network in both.networks] == [6, 6, 2, 2]
    assert [bool(network.imitated_share.any()) for network in both.networks] == [False, False, True, True]
    answers = [network(image).logits for network in both.networks]
    assert not any(torch.equal(answers[0], other) for other in answers[1:])
    assert torch.equal(answers[0], alone.networks[0](image).logits)
    first, second = alone.networks
    assert torch.equal(first.trunk(image), second.trunk(image))


def test_what_a_network_says_of_its_own_patients_is_not_asked(tmp_path) -> None:
    radiographs = read_nih(write_nih(tmp_path / "data", patients=12))
    place = Workplace(folder=tmp_path / "work", threads=2)
    unseen = read_folds(radiographs, SETTINGS, place, lambda *_: None, folds=1)
    first = np.flatnonzero(assign_folds(radiographs, 2) == 0)
    assert list(unseen.asked) == list(first)
    assert np.isnan(np.delete(unseen.mean, first, axis=0)).all()
