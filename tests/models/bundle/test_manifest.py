"""The manifest of a bundle: read, held to its files, written back."""

import json

import pytest

from models.bundle.manifest import load_bundle_manifest, save_bundle_manifest, verify_files
from overread.errors import ModelError
from tests.models.bundle.small_bundle import write_manifest


@pytest.fixture
def folder(tmp_path):
    for name in ("configs/inference.json", "configs/metadata.json", "models/model.pt"):
        path = tmp_path / "small" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return write_manifest(tmp_path / "small")


def test_a_manifest_survives_being_written(folder) -> None:
    manifest = load_bundle_manifest(folder)
    save_bundle_manifest(manifest, folder)
    assert load_bundle_manifest(folder) == manifest
    assert manifest.operating_point().name == "balanced"
    with pytest.raises(ModelError, match="no operating point 'best'"):
        manifest.operating_point("best")


@pytest.mark.parametrize("name", ["configs/inference.json", "models/model.pt"])
def test_an_altered_or_missing_file_is_refused(folder, name) -> None:
    manifest = load_bundle_manifest(folder)
    verify_files(manifest, folder)
    (folder / name).write_text("altered")
    with pytest.raises(ModelError, match="was altered"):
        verify_files(manifest, folder)
    (folder / name).unlink()
    with pytest.raises(ModelError, match="is missing"):
        verify_files(manifest, folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "onnx"}, "its kind must be"),
        ({"findings": ["lump"]}, "vocabulary lacks"),
        ({"config": "configs/other.json"}, "must be among the files"),
        ({"overrides": {"network": "$__import__('os')"}}, "never an expression"),
        ({"overrides": {"spatial_dims": [3]}}, "text, a number, true or false"),
        ({"calibration": {"nodule": {"slope": -1, "intercept": 0}}}, "does not rise"),
        ({"files": {"../elsewhere": "0"}}, "must lie in the bundle"),
        ({"default_operating_point": "best"}, "default operating point is absent"),
    ],
)
def test_a_wrong_entry_is_refused_by_name(folder, change, message) -> None:
    write_manifest(folder, **change)
    with pytest.raises(ModelError, match=message):
        load_bundle_manifest(folder)


def test_a_volume_has_more_than_one_slice(folder) -> None:
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    content["intended_use"]["minimum_slices"] = 1
    path.write_text(json.dumps(content))
    with pytest.raises(ModelError, match="2 or more"):
        load_bundle_manifest(folder)


def test_a_folder_without_a_manifest_says_how_to_write_one(tmp_path) -> None:
    with pytest.raises(ModelError, match="overread models import-bundle"):
        load_bundle_manifest(tmp_path)
