"""A recorded input gives the recorded output, or somebody is told."""

import json

import numpy as np
import pytest

from models.recording import DRAWING, FOLDER, OUTPUT, draw_chest, record, verify
from models.releases import DEFAULT_RELEASE, RELEASES
from overread.errors import ModelError
from tests.models.radiographs import chest_with_shadow, write_radiograph
from tests.models.tiny_release import write_tiny_release
from tests.models.vendor_results.products import write_manifest


@pytest.fixture
def tiny(tmp_path):
    return write_tiny_release(tmp_path / "tiny")


def edit(path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_release_that_comes_with_overread_does_what_was_recorded() -> None:
    found = verify(RELEASES / DEFAULT_RELEASE)

    assert found.identity.name == DEFAULT_RELEASE
    assert found.recorded
    assert found.largest_difference == pytest.approx(0, abs=2e-3)


def test_an_onnx_release_is_recorded_on_a_drawing(tiny) -> None:
    outputs = record(tiny)
    found = verify(tiny)

    assert set(outputs) == {"mass", "hernia"}
    assert {path.name for path in (tiny / FOLDER).iterdir()} == {DRAWING, OUTPUT}
    assert (found.recorded, found.largest_difference) == (True, pytest.approx(0, abs=1e-6))


def test_dicom_files_are_recorded_by_what_the_detector_says_of_them(tiny, tmp_path) -> None:
    image = write_radiograph(tmp_path / "image.dcm", chest_with_shadow(column=40))

    outputs = record(tiny, [image])
    image.unlink()

    assert outputs["mass"] > 0.5
    assert verify(tiny).largest_difference == pytest.approx(0, abs=1e-6)


def test_recording_again_leaves_nothing_of_the_first(tiny, tmp_path) -> None:
    record(tiny, [write_radiograph(tmp_path / "image.dcm", chest_with_shadow(column=40))])
    record(tiny)

    assert {path.name for path in (tiny / FOLDER).iterdir()} == {DRAWING, OUTPUT}


def test_a_release_without_a_recording_says_so(tiny) -> None:
    assert not verify(tiny).recorded


def test_a_network_that_gives_something_else_is_noticed(tiny) -> None:
    record(tiny)
    manifest = json.loads((tiny / "manifest.json").read_text())
    manifest["calibration"]["mass"]["intercept"] = 0.5
    (tiny / "manifest.json").write_text(json.dumps(manifest))

    with pytest.raises(ModelError, match="the recorded input gives mass"):
        verify(tiny)


def test_a_recorded_input_that_was_altered_is_noticed(tiny) -> None:
    record(tiny)
    with (tiny / FOLDER / DRAWING).open("ab") as file:
        file.write(b"more")

    with pytest.raises(ModelError, match="the recorded input was altered"):
        verify(tiny)


def test_a_recording_of_other_findings_is_noticed(tiny) -> None:
    record(tiny)
    edit(tiny / FOLDER / OUTPUT, probabilities={"mass": 0.5})

    with pytest.raises(ModelError, match="record it anew"):
        verify(tiny)


def test_an_altered_network_does_not_verify(tiny) -> None:
    record(tiny)
    with (tiny / "network.onnx").open("ab") as file:
        file.write(b"\0")

    with pytest.raises(ModelError, match="was altered"):
        verify(tiny)


def test_what_cannot_be_shown_a_drawing_needs_files(tmp_path) -> None:
    folder = write_manifest(tmp_path / "product")

    with pytest.raises(ModelError, match="give DICOM files"):
        record(folder)


def test_the_drawing_has_dark_lungs_in_a_bright_body() -> None:
    drawing = draw_chest(64, 48)

    assert drawing.shape == (64, 48)
    assert drawing.dtype == np.uint8
    lung, spine, outside = drawing[28, 14], drawing[34, 24], drawing[2, 1]
    assert outside < lung < spine
