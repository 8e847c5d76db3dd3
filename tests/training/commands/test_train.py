"""`overread train` makes a release that the detector loads, from a folder in the published layout."""

import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

from models.recording import verify
from models.releases import load_onnx_detector
from overread.command import main
from tests.training.material import write_nih


def test_one_command_makes_a_release_with_its_card(tmp_path, capsys) -> None:
    write_nih(tmp_path / "data")
    out = tmp_path / "releases" / "tiny"
    arguments = ["--data", str(tmp_path / "data"), "--out", str(out), "--side", "64", "--epochs", "2"]
    arguments += ["--teachers", "2", "--views", "1"]
    assert main(["train", *arguments]) == 0
    said = capsys.readouterr()
    assert "mean AUC" in said.out
    assert "epoch 2/2" in said.err
    files = ["README.md", "manifest.json", "network.onnx", "recording"]
    assert sorted(path.name for path in out.iterdir()) == files
    assert [path.name for path in out.parent.iterdir()] == ["tiny"]  # nothing is left of the training
    assert verify(out).recorded
    detector = load_onnx_detector("tiny", out.parent)
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
        "## By view, sex and age",
        "## Without the image",
        "## Beside the detector that it imitates",
        "## Unfamiliar images",
        "## Limits",
    ):
        assert words in card


def test_no_teacher_would_leave_nothing_to_calibrate_with(tmp_path, capsys) -> None:
    assert main(["train", "--data", str(tmp_path), "--out", str(tmp_path / "x"), "--teachers", "0"]) == 1
    assert "give 1 to 4" in capsys.readouterr().err


def test_without_data_the_command_says_what_to_give(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.delenv("OVERREAD_DATA", raising=False)
    assert main(["train", "--out", str(tmp_path / "x")]) == 1
    assert "--data or OVERREAD_DATA" in capsys.readouterr().err
