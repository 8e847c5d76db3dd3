"""`overread train` makes a release that the detector loads, from a folder in the published layout."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

from models.recording import verify
from models.releases import load_onnx_detector
from overread.cohort import read_cohort
from overread.command import main
from overread.observation import Presence
from tests.training.material import write_nih


def test_one_command_makes_a_release_with_its_card(tmp_path, capsys) -> None:
    write_nih(tmp_path / "data")
    out = tmp_path / "releases" / "tiny"
    arguments = ["--data", str(tmp_path / "data"), "--out", str(out), "--side", "64", "--epochs", "2"]
    said_of_all = tmp_path / "cohort.jsonl"
    arguments += ["--folds", "2", "--networks-per-fold", "2", "--views", "1"]
    arguments += ["--out-of-fold", str(said_of_all)]
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
    assert detector.manifest.training["networks_per_fold"] == "2"
    check_cohort(said_of_all, detector.findings)
    card = (out / "README.md").read_text()
    assert str(tmp_path) not in card
    for words in (
        "overread train --data nih --out tiny",
        "--folds 2 --views 1 --networks-per-fold 2",
        "Mean AUC over 13 findings",
        "| mass |",
        "## By view, sex and age",
        "## Without the image",
        "## Beside another detector",
        "## The scale of the probabilities",
        "## Where it looks",
        "## Other sources",
        "## Limits",
    ):
        assert words in card


def check_cohort(path: Path, findings: tuple[str, ...]) -> None:
    cases = list(read_cohort(path))
    assert len(cases) == 120
    assert len({case.patient for case in cases}) == 60
    assert [case.order for case in cases[:4]] == [0, 1, 0, 1]
    sick, well = cases[0], cases[2]
    assert {item.finding for item in sick.observations} == set(findings) - {"any_abnormality"}
    assert {item.presence for item in sick.observations} == {Presence.PRESENT}
    assert not well.observations
    (detection,) = sick.detections
    assert (detection.detector, detection.version) == ("tiny", "1")
    assert set(detection.scores) == set(detection.probabilities) == set(findings)
    assert detection.prevalences["mass"] == pytest.approx(0.5)
    expected = sum(case.detections[0].probabilities["mass"] for case in cases)
    assert expected == pytest.approx(60, abs=6)  # calibrated on these, as far as so little can be


@pytest.mark.parametrize(
    ("given", "reason"),
    [(["--folds", "1"], "at least 2 folds"), (["--networks-per-fold", "3"], "1 to 2 networks")],
)
def test_folds_and_networks_that_cannot_be_are_refused(tmp_path, capsys, given, reason) -> None:
    assert main(["train", "--data", str(tmp_path), "--out", str(tmp_path / "x"), *given]) == 1
    assert reason in capsys.readouterr().err


def test_without_data_the_command_says_what_to_give(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.delenv("OVERREAD_DATA", raising=False)
    assert main(["train", "--out", str(tmp_path / "x")]) == 1
    assert "--data or OVERREAD_DATA" in capsys.readouterr().err
