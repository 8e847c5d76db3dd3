"""The detectors of a registry, loaded from real release folders."""

import pytest

from models.loaded_detectors import folder_of, load_detectors, manifest_sha256, scoring_detector
from models.registry import DEFAULT_REGISTRY, Entry, Registry, Role, Route
from models.releases import RELEASES
from models.routing import RoutedDetector
from overread.errors import ModelError
from tests.models.tiny_release import write_tiny_release
from tests.models.vendor_results.products import write_manifest


@pytest.fixture
def tiny(tmp_path):
    return write_tiny_release(tmp_path / "releases" / "tiny")


def test_the_default_registry_is_the_release_that_comes_with_overread(tmp_path) -> None:
    loaded = load_detectors(DEFAULT_REGISTRY, tmp_path)

    assert [detector.identity.name for detector in loaded.active] == ["chest-radiograph"]
    assert loaded.shadows == ()


def test_releases_stand_in_their_role_with_their_operating_point_and_route(tiny, tmp_path) -> None:
    entries = (
        Entry(release="./releases/tiny", operating_point="never", route=Route(modalities=("DX",))),
        Entry(release="chest-radiograph", role=Role.SHADOW),
    )

    loaded = load_detectors(Registry(entries=entries), tmp_path)

    (active,), (shadow,) = loaded.active, loaded.shadows
    assert (active.identity.name, active.findings) == ("tiny", ("mass", "hernia"))
    assert isinstance(active, RoutedDetector)
    assert shadow.identity.name == "chest-radiograph"


def test_a_bare_name_is_never_taken_for_a_folder_that_happens_to_lie_there(tmp_path) -> None:
    write_tiny_release(tmp_path / "chest-radiograph")

    assert folder_of("chest-radiograph", tmp_path) == RELEASES / "chest-radiograph"
    assert folder_of("./chest-radiograph", tmp_path) == tmp_path / "chest-radiograph"


def test_a_release_whose_manifest_changed_since_it_was_activated_is_refused(tiny, tmp_path) -> None:
    entry = Entry(release="./releases/tiny", manifest_sha256=manifest_sha256(tiny))
    load_detectors(Registry(entries=(entry,)), tmp_path)

    manifest = tiny / "manifest.json"
    manifest.write_text(manifest.read_text().replace("0.5", "0.4"))

    with pytest.raises(ModelError, match="not the release that was activated"):
        load_detectors(Registry(entries=(entry,)), tmp_path)


def test_a_release_that_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(ModelError, match="there is no model release 'gone'"):
        load_detectors(Registry(entries=(Entry(release="./gone"),)), tmp_path)
    with pytest.raises(ModelError, match="no model release"):
        manifest_sha256(tmp_path / "gone")


def test_a_shadow_that_cannot_be_loaded_stops_nothing(tiny, tmp_path) -> None:
    (tiny / "network.onnx").unlink()
    entries = (Entry(release="chest-radiograph"), Entry(release="./releases/tiny", role=Role.SHADOW))

    loaded = load_detectors(Registry(entries=entries), tmp_path)

    assert [detector.identity.name for detector in loaded.active] == ["chest-radiograph"]
    assert loaded.shadows == ()
    assert "network.onnx is missing" in loaded.unusable_shadows[0]


def test_prepared_inputs_go_to_the_first_active_onnx_release_also_behind_a_route(tiny, tmp_path) -> None:
    write_manifest(tmp_path / "product")
    product = Entry(release="./product")
    routed = Entry(release="./releases/tiny", route=Route(modalities=("DX",)))

    assert (
        scoring_detector(load_detectors(Registry(entries=(product, routed)), tmp_path)).manifest.name
        == "tiny"
    )
    with pytest.raises(ModelError, match="no active detector is an ONNX release"):
        scoring_detector(load_detectors(Registry(entries=(product,)), tmp_path))
