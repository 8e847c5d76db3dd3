"""Every earlier revision, with data in it, is brought to this release by opening it."""

import json
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url

from overread.command import main
from overread.errors import ConfigurationError, OutOfResourcesError
from service.settings import Settings, load_settings
from service.store.database import open_engine, open_store
from service.store.migration import migrate, newest_revision
from service.store.quarantine import list_quarantine
from service.store.tables import check_tables, upgrade_tables
from service.store.worklist import count_cases, list_worklist, load_case, load_instance
from tests.service.material import after
from tests.service.postgres import Cluster
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
    assert (before.revision, before.is_current, before.is_usable) == (revision, False, False)
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


FROM_0021 = "overread 0.1.0, tables 0021"


@pytest.fixture
def before_0023(postgres: Cluster, tmp_path: Path) -> Settings:
    """Settings of an installation on PostgreSQL whose tables are of the last revision that tells nothing."""
    environ = {
        "OVERREAD_FREE_BYTES_MIN": "0",
        "OVERREAD_DATABASE_URL": postgres.url(postgres.new_database()),
    }
    settings = load_settings(environ, data_folder=tmp_path / "data")
    lay_down(rows_for("0021"), settings, revision="0021")
    return settings


def test_tables_are_not_taken_from_processes_that_could_not_go_on_unless_somebody_says_so(
    before_0023, capsys
) -> None:
    at = ["--data-folder", str(before_0023.data_folder)]
    environ = {"OVERREAD_DATABASE_URL": before_0023.database_url}
    url = make_url(before_0023.database_url).update_query_dict({"application_name": FROM_0021})

    with create_engine(url).connect() as earlier, pytest.MonkeyPatch.context() as given:
        given.setenv("OVERREAD_DATABASE_URL", environ["OVERREAD_DATABASE_URL"])
        earlier.exec_driver_sql("SELECT 1")
        earlier.commit()
        assert main(["db", "upgrade", *at]) == 1
        assert f"{FROM_0021} on the machine of the database (1 connections)" in capsys.readouterr().err
        with pytest.raises(ConfigurationError, match="--end-others"):
            open_store(before_0023)
        assert check_tables(before_0023).revision == "0021"

        assert main(["db", "upgrade", "--end-others", *at]) == 0

    assert check_tables(before_0023).is_current


def test_a_migration_that_others_cannot_follow_lets_them_end_what_they_have_begun(
    before_0023, tmp_path
) -> None:
    engine, paused = create_engine(before_0023.database_url), []
    with engine.connect() as working:
        working.exec_driver_sql("SELECT version_num FROM alembic_version")  # as each transaction begins

        def pause(seconds: float) -> None:
            paused.append(seconds)
            assert check_tables(before_0023).revision == "0021"  # nobody waits behind us meanwhile
            working.rollback()

        migrate(open_engine(before_0023.database_url), tmp_path / "lock", pause=pause)

    assert paused == [1.0]
    assert check_tables(before_0023).is_current


def test_a_migration_gives_up_where_a_table_stays_in_use(before_0023, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("service.store.migration._TRIES", 2)
    with create_engine(before_0023.database_url).connect() as working:
        working.exec_driver_sql("SELECT version_num FROM alembic_version")

        with pytest.raises(OutOfResourcesError, match="kept a lock for too long"):
            migrate(open_engine(before_0023.database_url), tmp_path / "lock", pause=lambda _: None)
