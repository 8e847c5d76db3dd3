"""A release that is not what it says is refused before it scores anything."""

import json

import pytest

from models.manifest import Calibration, Familiarity, load_manifest, save_manifest
from models.onnx_detector import OnnxDetector
from models.releases import list_releases, load_detector
from overread.errors import ModelError
from tests.models.tiny_release import write_tiny_release


def test_a_manifest_comes_back_as_it_was_saved(tmp_path) -> None:
    manifest = load_manifest(write_tiny_release(tmp_path / "tiny"))
    (tmp_path / "copy").mkdir()
    save_manifest(manifest, tmp_path / "copy")
    assert load_manifest(tmp_path / "copy") == manifest


def test_a_manifest_with_familiarity_comes_back_as_it_was_saved(tmp_path) -> None:
    stated = {"output": "unusual", "cohort": "two images", "quantiles": [0.1, 0.2]}
    manifest = load_manifest(write_tiny_release(tmp_path / "tiny", familiarity=stated))
    assert manifest.familiarity == Familiarity(output="unusual", cohort="two images", quantiles=(0.1, 0.2))
    (tmp_path / "copy").mkdir()
    save_manifest(manifest, tmp_path / "copy")
    assert load_manifest(tmp_path / "copy") == manifest


@pytest.mark.parametrize(
    ("value", "share"), [(0.0, 0.0), (1.0, 0.0), (2.0, 0.25), (3.0, 0.5), (5.0, 0.75), (7.0, 1.0), (9.0, 1.0)]
)
def test_out_of_distribution_is_the_share_that_looks_less_unusual(value, share) -> None:
    # Half of the cohort lies between 1 and 3, half between 3 and 7; within, evenly.
    familiarity = Familiarity(output="unusual", cohort="some", quantiles=(1.0, 3.0, 7.0))
    assert familiarity.out_of_distribution(value) == pytest.approx(share)


def changed(path: str, value: object) -> dict[str, object]:
    """Return the tiny manifest's top-level entry with one value in it replaced; "-" removes it."""
    return {"path": path, "value": value}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("format", 2, "format"),
        ("name", "", "'name' must be text"),
        ("name", "-", "lacks 'name'"),
        ("findings", [], "list of texts"),
        ("findings", ["mass", "mass"], "named twice"),
        ("findings", ["mass", "hiccup"], r"lacks \['hiccup'\]"),
        ("pixel_pipeline", "0", "needs pixel pipeline 0"),
        ("network.file", "../elsewhere.onnx", "in the release folder"),
        ("network.rows", 0, "whole number"),
        ("network.range_max", -1, "below range_max"),
        ("network", [], "must be a JSON object"),
        ("calibration.mass.slope", -1, "does not rise"),
        ("calibration.mass.slope", "steep", "must be a number"),
        ("calibration.mass.slope", float("nan"), "must be a number"),
        ("calibration.mass", "-", "calibration must name exactly"),
        ("default_operating_point", "best", "default operating point"),
        ("operating_points.0.thresholds.mass", 1.5, r"outside \[0, 1\]"),
        ("operating_points.0.thresholds.mass", "-", "balanced must name exactly"),
        ("intended_use.modalities", "DX", "list of texts"),
        (
            "familiarity",
            {"output": "unusual", "cohort": "nobody", "quantiles": [0, 2, 1]},
            "two or more and rise",
        ),
        ("familiarity", {"output": "unusual", "cohort": "nobody", "quantiles": [1]}, "two or more and rise"),
        ("intended_use.appearance", "hand", "only appearance that can be held to"),
    ],
)
def test_a_wrong_entry_is_refused_by_name(tmp_path, path, value, message) -> None:
    folder = write_tiny_release(tmp_path / "tiny")
    content = json.loads((folder / "manifest.json").read_text())
    *parents, last = path.split(".")
    entry = content
    for parent in parents:
        entry = entry[int(parent) if parent.isdigit() else parent]
    if value == "-":
        del entry[last]
    else:
        entry[last] = value
    (folder / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=message):
        load_manifest(folder)


def test_a_manifest_that_is_no_json_is_refused(tmp_path) -> None:
    folder = write_tiny_release(tmp_path / "tiny")
    (folder / "manifest.json").write_text("{")
    with pytest.raises(ModelError, match="is not JSON"):
        load_manifest(folder)


def test_an_altered_network_is_refused(tmp_path) -> None:
    folder = write_tiny_release(tmp_path / "tiny")
    content = bytearray((folder / "network.onnx").read_bytes())
    content[-1] ^= 1
    (folder / "network.onnx").write_bytes(content)
    with pytest.raises(ModelError, match="was altered"):
        OnnxDetector(folder)
    (folder / "network.onnx").unlink()
    with pytest.raises(ModelError, match="is missing"):
        OnnxDetector(folder)


def test_a_network_with_other_outputs_than_the_manifest_says_is_refused(tmp_path) -> None:
    folder = write_tiny_release(tmp_path / "tiny")
    content = json.loads((folder / "manifest.json").read_text())
    content["network"]["maps_output"] = "heat"
    (folder / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="outputs"):
        OnnxDetector(folder)


def test_releases_are_found_by_name(tmp_path) -> None:
    write_tiny_release(tmp_path / "tiny")
    (tmp_path / "no-release").mkdir()
    assert list_releases(tmp_path) == ("tiny",)
    assert load_detector("tiny", tmp_path).identity.name == "tiny"
    assert load_detector("tiny", tmp_path, operating_point="never").operating_point == "never"
    with pytest.raises(ModelError, match="no operating point 'best'; it has balanced, never"):
        load_detector("tiny", tmp_path, operating_point="best")
    for name in ("huge", "../tiny", "no-release"):
        with pytest.raises(ModelError, match="there are: tiny"):
            load_detector(name, tmp_path)


def test_calibration_is_platt_scaling_of_the_log_odds() -> None:
    assert Calibration(slope=1, intercept=0, prevalence=0.1).probability(0.3) == pytest.approx(0.3)
    # log odds of 0.5 are 0, so that only the intercept is left: 1 / (1 + e^1) = 0.2689
    assert Calibration(slope=7, intercept=-1, prevalence=0.1).probability(0.5) == pytest.approx(
        0.2689, abs=1e-4
    )
    assert (
        0
        < Calibration(slope=9, intercept=0, prevalence=0.1).probability(0.0)
        < Calibration(slope=9, intercept=0, prevalence=0.1).probability(1)
    )
