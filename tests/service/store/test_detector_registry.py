"""The registry in the store: changed by one at a time, never rewritten, taken over from a file."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from models.registry import DEFAULT_REGISTRY, Change, Entry, Registry, Role, Route
from overread.errors import ConfigurationError
from service.store.database import Store, open_store
from service.store.detector_registry import read_registry, registry_version, save_registry
from service.store.schema import detector_registry
from tests.service.material import NOW, after

A = Entry(release="a", route=Route(modalities=("DX",)), operating_point="screening", manifest_sha256="f" * 64)
B = Entry(release="/models/b", role=Role.SHADOW)


def change(release: str, **changed: object) -> Change:
    given = {
        "at": NOW,
        "who": "ada",
        "action": "activated",
        "release": release,
        "version": "2",
        "manifest_sha256": "f" * 64,
        "replaced": "chest-radiograph",
        "gate": "passed: better",
        "reason": "first",
    }
    return Change(**(given | changed))  # type: ignore[arg-type]


FIRST = Registry(entries=(A,), history=(change("a"),))
SECOND = Registry(entries=(A, B), history=(*FIRST.history, change("/models/b", at=after(5), gate=None)))


def write_file(store: Store, content: dict[str, object], file: Path | None = None) -> Path:
    path = file or store.settings.detectors_file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"format": 1, **content}))
    return path


def test_without_any_change_the_release_that_comes_with_overread_runs(store: Store) -> None:
    stored = read_registry(store)

    assert (stored.registry, stored.version) == (DEFAULT_REGISTRY, 0)


def test_what_is_saved_is_what_every_machine_reads_with_its_history(store: Store) -> None:
    save_registry(store, FIRST, before=DEFAULT_REGISTRY)
    version = registry_version(store)
    save_registry(store, SECOND, before=FIRST)
    other = open_store(store.settings)

    assert read_registry(other).registry == SECOND
    assert read_registry(other).version == registry_version(store) > version > 0
    other.close()


def test_of_two_changes_of_the_same_registry_the_second_is_refused(store: Store) -> None:
    save_registry(store, FIRST, before=DEFAULT_REGISTRY)

    with pytest.raises(ConfigurationError, match="somebody else has changed"):
        save_registry(store, replace(SECOND, entries=(B, A)), before=DEFAULT_REGISTRY)

    assert read_registry(store).registry == FIRST


def test_a_registry_that_leaves_none_active_is_not_saved(store: Store) -> None:
    with pytest.raises(ConfigurationError, match="no detector active"):
        save_registry(store, replace(FIRST, entries=(B,)), before=DEFAULT_REGISTRY)

    assert registry_version(store) == 0


def test_the_database_refuses_to_forget_a_change(store: Store) -> None:
    save_registry(store, FIRST, before=DEFAULT_REGISTRY)

    with pytest.raises(DBAPIError), store.writing() as connection:
        connection.execute(delete(detector_registry))


def test_the_file_of_an_earlier_release_is_taken_over_once_with_its_history(store: Store) -> None:
    said = {"at": NOW.isoformat(), "who": "ben", "action": "activated", "release": "a", "replaced": "old"}
    later = said | {"at": after(9).isoformat(), "action": "retired", "release": "old"}
    file = write_file(store, {"detectors": [{"release": "a"}, {"release": "./b"}], "history": [said, later]})

    with capture_logs() as logs:
        stored = read_registry(store)
        again = read_registry(store)

    assert [entry.release for entry in stored.registry.entries] == ["a", "./b"]
    assert [(item.who, item.action, item.at) for item in stored.registry.history] == [
        ("ben", "activated", NOW),
        ("ben", "retired", after(9)),
    ]
    assert again == stored
    assert [log["event"] for log in logs] == ["detectors_file_taken_over"]
    assert not file.exists()
    assert file.with_name("detectors.json.imported").exists()


def test_a_file_that_was_written_by_hand_has_a_history_from_then_on(store: Store) -> None:
    write_file(store, {"detectors": [{"release": "a"}]})

    (only,) = read_registry(store).registry.history

    assert (only.who, only.action, only.release) == ("detectors.json", "activated", "a")


def test_paths_of_a_file_elsewhere_mean_the_same_releases(store: Store, tmp_path: Path) -> None:
    file = write_file(
        store, {"detectors": [{"release": "./mine"}, {"release": "a"}]}, tmp_path / "etc" / "d.json"
    )
    elsewhere = replace(store, settings=store.settings.model_copy(update={"detectors_file": file}))

    assert [entry.release for entry in read_registry(elsewhere).registry.entries] == [
        str(tmp_path / "etc" / "mine"),
        "a",
    ]


def test_a_file_that_turns_up_later_counts_for_nothing(store: Store) -> None:
    save_registry(store, FIRST, before=DEFAULT_REGISTRY)
    file = write_file(store, {"detectors": [{"release": "b"}]})

    assert read_registry(store).registry == FIRST
    assert file.exists()


def test_a_malformed_file_is_an_error_and_stays(store: Store) -> None:
    file = write_file(store, {"detectors": []})

    with pytest.raises(ConfigurationError, match="no detector active"):
        read_registry(store)

    assert file.exists()
    assert registry_version(store) == 0
