"""What of a bundle's configuration is run, and what is refused."""

import json

import pytest

from models.bundle.configuration import reachable, read_configuration
from models.bundle.manifest import load_bundle_manifest
from overread.errors import ModelError
from tests.models.bundle.small_bundle import CONFIG, write_bundle, write_manifest


def read(tmp_path, **changes):
    folder = write_bundle(tmp_path / "small")
    (folder / "configs" / "inference.json").write_text(json.dumps({**CONFIG, **changes}))
    return read_configuration(folder, load_bundle_manifest(write_manifest(folder)), device="cpu")


def test_the_overrides_and_the_device_are_those_of_the_manifest(tmp_path) -> None:
    parser = read(tmp_path)
    assert parser.get_parsed_content("whether_resampled_luna16") is False
    assert str(parser.get_parsed_content("device")) == "cpu"


def test_what_the_detector_does_not_refer_to_is_neither_judged_nor_run(tmp_path) -> None:
    parser = read(tmp_path)
    entries = reachable(parser, ("detector", "detector_ops", "preprocessing#transforms"))
    assert {"network_def", "feature_extractor", "anchor_generator", "infer_patch_size"} <= entries
    assert entries.isdisjoint({"imports", "inferer", "evaluator", "test_datalist", "run"})


def test_the_volume_takes_the_place_of_the_loading_transforms(tmp_path) -> None:
    steps = read(tmp_path)["preprocessing#transforms"]
    names = [step["_target_"] for step in steps]
    assert names == ["Orientationd", "Spacingd", "ScaleIntensityRanged", "EnsureTyped"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"network": "$__import__('os').system('true')"}, "__import__"),
        ({"feature_extractor": "$scripts.network.make()"}, "scripts"),
        ({"feature_extractor": {"_target_": "scripts.network.Extractor"}}, "scripts"),
        ({"feature_extractor": "$torch.hub.load('somewhere', 'something')"}, "load|hub"),
        ({"feature_extractor": "$monai.utils.__builtins__"}, "__builtins__"),
        ({"detector_ops": ["$[open('x') for x in '1']"]}, "open|x"),
    ],
)
def test_what_is_neither_monai_nor_torch_is_refused(tmp_path, change, what) -> None:
    with pytest.raises(ModelError, match=rf"would run.*({what})"):
        read(tmp_path, **change)


def test_a_configuration_without_a_detector_is_no_detection_bundle(tmp_path) -> None:
    folder = write_bundle(tmp_path / "small")
    (folder / "configs" / "inference.json").write_text("{}")
    with pytest.raises(ModelError, match="no detection bundle"):
        read_configuration(folder, load_bundle_manifest(write_manifest(folder)), device="cpu")
