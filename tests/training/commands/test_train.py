"""`overread train` makes a release that the detector loads, from a folder in the published layout."""

import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

from models.releases import load_detector
from overread.command import main
from tests.training.material import write_nih


def test_one_command_makes_a_release_with_its_card(tmp_path, capsys) -> None:
    write_nih(tmp_path / "data")
    out = tmp_path / "releases" / "tiny"
    arguments = ["--data", str(tmp_path / "data"), "--out", str(out), "--side", "64", "--epochs", "2"]
    assert main(["train", *arguments]) == 0
    said = capsys.readouterr()
    assert "mean AUC" in said.out
    assert "epoch 2/2" in said.err
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "manifest.json", "network.onnx"]
    assert [path.name for path in out.parent.iterdir()] == ["tiny"]  # the checkpoint is gone
    detector = load_detector("tiny", out.parent)
    assert [point.name for point in detector.manifest.operating_points] == [
        "balanced",
        "screening",
        "high_precision",
    ]
    assert detector.manifest.training["seed"] == "2026"
    assert any("CheXNet" in source for source in detector.manifest.training_data)
    card = (out / "README.md").read_text()
    assert str(tmp_path) not in card
    for words in (
        "overread train --data nih --out tiny",
        "Mean AUC over 13 findings",
        "| mass |",
        "## Limits",
    ):
        assert words in card


def test_without_data_the_command_says_what_to_give(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.delenv("OVERREAD_DATA", raising=False)
    assert main(["train", "--out", str(tmp_path / "x")]) == 1
    assert "--data or OVERREAD_DATA" in capsys.readouterr().err
