"""The registry, in a file: what it holds, what it refuses, and that its history is never lost."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.registry import (
    DEFAULT_REGISTRY,
    Change,
    Entry,
    Registry,
    RegistryFile,
    Role,
    Route,
    entries_from_json,
    entries_to_json,
    registry_file,
    with_active,
    without,
)
from overread.errors import ConfigurationError

A, B, C = (Entry(release=name) for name in ("a", "b", "c"))


def test_without_a_file_the_release_that_comes_with_overread_is_active_alone(tmp_path) -> None:
    registry = RegistryFile(path=tmp_path / "detectors.json").load()

    assert registry == DEFAULT_REGISTRY
    assert [entry.release for entry in registry.of(Role.ACTIVE)] == ["chest-radiograph"]
    assert registry.of(Role.SHADOW) == ()


def test_what_is_saved_is_what_is_loaded(tmp_path) -> None:
    path = tmp_path / "new" / "detectors.json"
    registry = Registry(
        entries=(
            Entry(
                release="../releases/mine",
                operating_point="screening",
                route=Route(modalities=("CR", "DX"), body_parts=("chest",), views=("PA",)),
                manifest_sha256="f" * 64,
            ),
            Entry(release="other", role=Role.SHADOW),
        ),
        history=(
            Change(
                at=datetime(2026, 3, 1, 12, tzinfo=UTC),
                who="ada",
                action="activated",
                release="../releases/mine",
                version="2",
                manifest_sha256="f" * 64,
                replaced="chest-radiograph",
                reason="first",
            ),
        ),
    )

    RegistryFile(path=path).save(registry, before=DEFAULT_REGISTRY)

    assert RegistryFile(path=path).load() == registry
    assert [item.name for item in path.parent.iterdir()] == ["detectors.json"]  # no temporary file is left


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "malformed"),
        ("[]", "JSON object"),
        ('{"format": 2, "detectors": [{"release": "a"}]}', "another format"),
        ('{"format": 1}', "lacks 'detectors'"),
        ('{"format": 1, "detectors": [{"release": "a"}, {"release": "a"}]}', "names a release twice: a"),
        ('{"format": 1, "detectors": [{"release": "a", "role": "boss"}]}', "active or shadow"),
        ('{"format": 1, "detectors": [{"release": "a", "role": "shadow"}]}', "leaves no detector active"),
        ('{"format": 1, "detectors": [{"release": "a", "route": {"modalities": "CR"}}]}', "list of texts"),
    ],
)
def test_a_malformed_registry_says_what_is_wrong(tmp_path, content, why) -> None:
    path = tmp_path / "detectors.json"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=why):
        RegistryFile(path=path).load()


def test_a_registry_without_an_active_detector_is_not_saved(tmp_path) -> None:
    path = tmp_path / "detectors.json"
    kept, registry = RegistryFile(path=path), Registry(entries=(A,))
    kept.save(registry, before=DEFAULT_REGISTRY)

    with pytest.raises(ConfigurationError, match="no detector active"):
        kept.save(Registry(entries=(replace(A, role=Role.SHADOW),)), before=registry)

    assert kept.load() == registry


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(tmp_path) -> None:
    kept = RegistryFile(path=tmp_path / "detectors.json")
    before = kept.load()
    kept.save(Registry(entries=(A,)), before=before)

    with pytest.raises(ConfigurationError, match="changed meanwhile"):
        kept.save(Registry(entries=(B,)), before=before)

    assert kept.load().entries == (A,)


def test_entries_are_the_same_after_a_way_through_json() -> None:
    entries = (replace(A, route=Route(modalities=("CT",)), operating_point="screening"), B)

    assert entries_from_json(entries_to_json(entries)) == entries
    with pytest.raises(ConfigurationError, match="malformed"):
        entries_from_json('{"release": "a"}')


def test_a_file_written_by_hand_needs_only_the_releases(tmp_path) -> None:
    path = tmp_path / "detectors.json"
    path.write_text(json.dumps({"format": 1, "detectors": [{"release": "a"}, {"release": "./b"}]}))

    assert RegistryFile(path=path).load().entries == (Entry(release="a"), Entry(release="./b"))


@pytest.mark.parametrize(
    ("before", "replacing", "after"),
    [
        ((A,), "a", (C,)),
        ((A, B), "a", (C, B)),
        ((A, B), "b", (A, C)),
        ((A, B), None, (A, B, C)),
        ((replace(C, role=Role.SHADOW), A), "a", (C,)),
        ((A, C), "c", (A, C)),
    ],
)
def test_the_new_one_stands_where_the_replaced_one_stood(before, replacing, after) -> None:
    assert with_active(Registry(entries=before), C, replacing=replacing).entries == after


def test_only_what_is_in_the_registry_can_be_retired() -> None:
    assert without(Registry(entries=(A, B)), "a").entries == (B,)
    with pytest.raises(ConfigurationError, match="'c' is not in the registry; there are: a, b"):
        without(Registry(entries=(A, B)), "c")


def test_the_file_lies_in_the_data_folder_unless_the_environment_says_otherwise(tmp_path) -> None:
    assert registry_file({}, tmp_path) == tmp_path / "detectors.json"
    assert registry_file({"OVERREAD_DETECTORS": "/etc/detectors.json"}, tmp_path) == Path(
        "/etc/detectors.json"
    )
