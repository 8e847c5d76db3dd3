"""A trial compares a change with the recipe, on the patients that the networks had left out."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

from overread.errors import ConfigurationError
from tests.training.material import write_nih
from training.datasets import FINDINGS, read_nih
from training.recipe import Settings
from training.targets import label_matrix
from training.trial import change_settings, describe, main


def test_a_change_names_settings_and_their_numbers() -> None:
    changed = change_settings(Settings(), "epochs=3,imitation_weight=0,frozen_blocks=4,imitates=0")
    assert changed.epochs == 3
    assert {kind.imitates for kind in changed.networks} == {False}
    assert {(kind.frozen_blocks, kind.imitation_weight) for kind in changed.networks} == {(4, 0.0)}
    assert isinstance(changed.epochs, int)
    assert changed.side == Settings().side


@pytest.mark.parametrize("change", ["epochs", "epochs=many", "blend=1", "epoch=3", "frozen_blocks="])
def test_what_is_no_change_is_refused_with_those_there_are(change) -> None:
    with pytest.raises(ConfigurationError, match=r"NAME=VALUE.*imitation_weight"):
        change_settings(Settings(), change)


def test_a_better_change_gains_and_who_was_not_asked_does_not_count(tmp_path) -> None:
    radiographs = read_nih(write_nih(tmp_path, patients=12))
    labels = label_matrix(radiographs)
    nothing = np.zeros((len(radiographs), len(FINDINGS)))
    nothing[:4] = np.nan
    known = np.where(np.isnan(nothing), np.nan, labels)
    size, mean, abnormal, gain = describe("change", known, nothing, radiographs)
    assert size == "change: 20 radiographs of 10 patients"
    assert mean == "change: mean AUC 1.000 [1.000, 1.000] over 13 findings"
    assert abnormal == "change: any abnormality 1.000 [1.000, 1.000]"
    assert gain == "change: +0.500 [+0.500, +0.500] against the recipe"
    assert len(describe("the recipe", nothing, nothing, radiographs)) == 3  # with nothing to compare


def test_too_few_patients_are_refused_with_the_reason(tmp_path) -> None:
    radiographs = read_nih(write_nih(tmp_path, patients=12))
    well = [found for found in radiographs if not found.findings]
    with pytest.raises(ConfigurationError, match="give more radiographs"):
        describe("change", np.zeros((len(well), len(FINDINGS))), np.zeros((len(well), len(FINDINGS))), well)


def test_the_command_trains_recipe_and_change(tmp_path, capsys, monkeypatch) -> None:
    write_nih(tmp_path / "data", patients=40)
    arguments = ["--data", str(tmp_path / "data"), "--work", str(tmp_path / "work"), "--folds", "1"]
    small = "side=64,views=1,epochs=1,batch_size=8"
    recipe = change_settings(Settings(), small)
    monkeypatch.setattr("training.trial.Settings", lambda: replace(recipe, networks=recipe.networks[1:]))
    monkeypatch.setattr("sys.argv", ["trial", *arguments, "imitation_weight=0"])
    main()
    said = capsys.readouterr()
    assert "the recipe: mean AUC" in said.out
    assert "imitation_weight=0: mean AUC" in said.out
    assert "against the recipe" in said.out.splitlines()[-1]
    assert said.err.count("fold 1 of 4: epoch 1/1") == 2
