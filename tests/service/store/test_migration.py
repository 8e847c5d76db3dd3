"""Every earlier revision, with data in it, is brought to this release by opening it."""

import json
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory

from service.settings import Settings, load_settings
from service.store.database import open_store
from service.store.migration import newest_revision
from service.store.quarantine import list_quarantine
from service.store.tables import check_tables, upgrade_tables
from service.store.worklist import count_cases, list_worklist, load_case, load_instance
from tests.service.material import after
from tests.service.store.releases.loading import RELEASES, alembic_config, lay_down

EARLIER = [
    script.revision
    for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()
    if script.revision != newest_revision()
]


def rows_for(revision: str) -> dict[str, Any]:
    """What a release wrote into tables that differ from those of the revision by added columns at most."""
    path = next(path for path in RELEASES if path.stem >= revision)
    written: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return written


@pytest.fixture
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of an installation without tables, on the database that the test is given."""
    environ = {"OVERREAD_FREE_BYTES_MIN": "0"}
    if request.getfixturevalue("database") == "postgresql":
        running = request.getfixturevalue("postgres")
        environ["OVERREAD_DATABASE_URL"] = running.url(running.new_database())
    return load_settings(environ, data_folder=tmp_path / "data")


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("revision", EARLIER)
def test_a_database_of_an_earlier_revision_keeps_its_rows_and_works(database, revision, empty) -> None:
    laid = lay_down(rows_for(revision), empty, revision=revision)

    before = check_tables(empty)
    assert (before.revision, before.is_current) == (revision, False)
    assert upgrade_tables(empty) == (revision, newest_revision())
    after_it = check_tables(empty)

    assert (after_it.is_current, after_it.faults) == (True, ())
    assert {name: after_it.rows[name] for name in laid} == laid
    store = open_store(empty)
    assert sum(count_cases(store).values()) == laid["cases"]
    listed = list_worklist(store, now=after(20_000)).cases
    assert listed
    for line in listed:
        case = load_case(store, line.case_id)
        assert case.triage is not None
        assert case.events
    instance = load_instance(store, "2.25.1.1.1")
    side = 8 if revision >= "0008" else None  # what is not recorded yet is left for the first look
    assert (instance.removed_at, instance.rows, instance.columns) == (None, side, side)
    assert "INVALID_DICOM" in {entry.reason for entry in list_quarantine(store)}
    store.close()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_new_database_has_no_revision_until_it_is_upgraded(database, empty) -> None:
    assert check_tables(empty).revision is None
    assert not empty.data_folder.exists()
    assert upgrade_tables(empty) == (None, newest_revision())
    assert check_tables(empty).is_current
    assert upgrade_tables(empty) == (newest_revision(), newest_revision())
