"""A downloaded bundle becomes a release by its manifest."""

import argparse
import json

import pytest

from models.bundle.adopt import adopt
from models.bundle.manifest import load_bundle_manifest, verify_files
from models.commands.importing import add_import_actions
from overread.command import EXIT_OK
from overread.errors import ConfigurationError, ModelError


@pytest.fixture
def downloaded(tmp_path):
    folder = tmp_path / "lung_nodule_ct_detection"
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    (folder / "configs/inference.json").write_text(json.dumps({"whether_raw_luna16": False}))
    (folder / "configs/metadata.json").write_text(
        json.dumps({"version": "0.6.8", "copyright": "Copyright (c) MONAI Consortium"})
    )
    (folder / "models/model.pt").write_bytes(b"weights")
    return folder


def test_the_written_manifest_is_valid_and_pins_every_file_that_is_read(downloaded) -> None:
    adopt(downloaded, findings=("nodule",), threshold=0.3)
    manifest = load_bundle_manifest(downloaded)
    verify_files(manifest, downloaded)
    assert (manifest.name, manifest.version) == ("lung_nodule_ct_detection", "0.6.8")
    assert set(manifest.files) == {"configs/inference.json", "configs/metadata.json", "models/model.pt"}
    assert manifest.operating_point().thresholds == {"nodule": 0.3}
    # The Zoo's configuration resamples only volumes that it takes for raw.
    assert manifest.overrides == {"whether_raw_luna16": True}


def test_a_manifest_that_is_there_is_not_overwritten(downloaded) -> None:
    adopt(downloaded, findings=("nodule",))
    with pytest.raises(ConfigurationError, match="a manifest already"):
        adopt(downloaded, findings=("nodule",))


def test_a_folder_without_weights_is_no_bundle(downloaded) -> None:
    (downloaded / "models/model.pt").unlink()
    with pytest.raises(ModelError, match=r"models/model\.pt or models/model\.ts"):
        adopt(downloaded, findings=("nodule",))


def test_the_command_writes_it(downloaded, capsys) -> None:
    parser = argparse.ArgumentParser()
    add_import_actions(parser.add_subparsers())
    arguments = parser.parse_args(["import-bundle", str(downloaded), "--findings", "nodule"])
    assert arguments.run_action(arguments) == EXIT_OK
    assert "3 files pinned" in capsys.readouterr().out
    assert load_bundle_manifest(downloaded).findings == ("nodule",)
