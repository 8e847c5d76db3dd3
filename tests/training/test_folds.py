"""Teachers speak only of patients that they were not trained on, and their work is not done twice."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

import torch

from tests.training.material import write_nih
from training.datasets import FINDINGS, read_nih
from training.recipe import Settings
from training.split import assign_parts
from training.teaching import Workplace, placed_radiographs, teach

SETTINGS = Settings(side=64, views=1, parts=2, teachers=2, networks=2, epochs=1, batch_size=8)


def test_every_patient_is_read_by_the_teacher_that_left_them_out(tmp_path) -> None:
    radiographs = read_nih(write_nih(tmp_path / "data", patients=12))
    place = Workplace(folder=tmp_path / "work", threads=2)
    said: list[str] = []
    taught = teach(radiographs, SETTINGS, place, lambda name, progress: said.append(name))
    assert sorted(said[:2]) == ["teacher 1 of 2", "teacher 2 of 2"]
    assert sorted(said[2:]) == ["network 1 of 2", "network 2 of 2"]
    unseen = taught.unseen
    assert unseen.logits.shape == (24, len(FINDINGS))
    assert list(unseen.asked) == list(range(24))
    assert sorted(unseen.placed) == list(placed_radiographs(radiographs))
    assert unseen.maps.shape == (len(unseen.placed), len(FINDINGS), 4, 4)

    again = teach(radiographs, SETTINGS, place, lambda name, progress: said.append(name))
    assert len(said) == 4  # nothing was trained again
    np.testing.assert_array_equal(again.unseen.logits, unseen.logits)
    image = torch.rand(1, 1, 64, 64)
    one, other = (network(image).logits for network in again.networks)
    assert not torch.equal(one, other)
    assert torch.equal(one, taught.networks[0](image).logits)
    first, second = again.networks
    assert torch.equal(first.trunk(image), second.trunk(image))


def test_who_is_left_out_by_no_teacher_is_not_asked(tmp_path) -> None:
    radiographs = read_nih(write_nih(tmp_path / "data", patients=12))
    settings = replace(SETTINGS, teachers=1, networks=1)
    taught = teach(radiographs, settings, Workplace(folder=tmp_path / "work", threads=2), lambda *_: None)
    first = np.flatnonzero(assign_parts(radiographs, 2) == 0)
    assert list(taught.unseen.asked) == list(first)
    assert np.isnan(np.delete(taught.unseen.logits, first, axis=0)).all()
