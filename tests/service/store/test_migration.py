"""Every earlier revision, with data in it, is brought to this release by opening it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, create_engine, select

from overread.errors import InvalidDicomError
from service.intake.closing import close_study
from service.settings import Settings, load_settings
from service.store import migrations
from service.store.database import Store, open_store
from service.store.migration import newest_revision
from service.store.quarantine import list_quarantine
from service.store.records import Lease
from service.store.schema import metadata
from service.store.shadows import ShadowLook, add_shadows
from service.store.tables import check_tables, upgrade_tables
from service.store.worklist import count_cases, list_worklist, load_case, load_instance
from tests.service.conftest import settings_on
from tests.service.material import (
    BLACK,
    NOW,
    MassDetector,
    dicom_bytes,
    ready_case,
    send_image,
    send_report,
    triaged_case,
)


def alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return config


EARLIER = [
    script.revision
    for script in ScriptDirectory.from_config(alembic()).walk_revisions()
    if script.revision != newest_revision()
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store of this release with rows in every table that the first releases had."""
    settings = load_settings({"OVERREAD_FREE_BYTES_MIN": "0"}, data_folder=tmp_path_factory.mktemp("filled"))
    store = open_store(settings)
    fill(store)
    yield store
    store.close()


def fill(store: Store) -> None:
    listed = triaged_case(store, 1)
    triaged_case(store, 2, value=BLACK)
    ready_case(store, 3)
    send_image(store, dicom_bytes(study="2.25.4", AccessionNumber="A4"))
    close_study(store, "2.25.4", now=NOW)
    send_report(store, "Waits.", accession="A5", patient=None)
    with pytest.raises(InvalidDicomError):
        send_image(store, b"text")
    look = ShadowLook(detector=MassDetector.identity, detection=None, failure="none", seconds=0.0)
    add_shadows(store, Lease(case_id=listed, revision=1, attempt=1, owner="w"), [look], now=NOW)


def copy_rows(source: Store, target: Connection) -> dict[str, int]:
    """Copy the rows of every table and column that the target has; returns how many."""
    there = MetaData()
    there.reflect(target)
    copied = {}
    with source.reading() as connection:
        for table in metadata.sorted_tables:
            if table.name not in there.tables:
                continue
            columns = [table.c[name] for name in there.tables[table.name].columns.keys() if name in table.c]  # noqa: SIM118
            rows = [dict(row._mapping) for row in connection.execute(select(*columns))]
            copied[table.name] = len(rows)
            if rows:
                target.execute(table.insert(), rows)
    return copied


@pytest.fixture
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of an installation without tables, on the database that the test is given."""
    settings = settings_on("sqlite", request, tmp_path)
    if request.getfixturevalue("database") == "sqlite":
        return settings
    running = request.getfixturevalue("postgres")
    environ = {"OVERREAD_DATABASE_URL": running.url(running.new_database())}
    url = load_settings(environ, data_folder=tmp_path).database_url
    return settings.model_copy(update={"database_url": url})


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("revision", EARLIER)
def test_a_database_of_an_earlier_revision_keeps_its_rows_and_works(
    database, revision, empty, filled
) -> None:
    empty.data_folder.mkdir()
    engine = create_engine(empty.database_url)
    with engine.connect() as connection:
        config = alembic()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        copied = copy_rows(filled, connection)
        connection.commit()
    engine.dispose()

    before = check_tables(empty)
    assert (before.revision, before.is_current) == (revision, False)
    assert upgrade_tables(empty) == (revision, newest_revision())
    after = check_tables(empty)

    assert (after.is_current, after.faults) == (True, ())
    assert {name: after.rows[name] for name in copied} == copied
    assert copied["cases"] == 5
    store = open_store(empty)
    assert count_cases(store) == count_cases(filled)
    (case,) = list_worklist(store, now=NOW).cases
    opened, original = load_case(store, case.case_id), load_case(filled, case.case_id)
    assert (opened.study.patient_id, opened.reports, opened.triage, opened.events) == (
        original.study.patient_id,
        original.reports,
        original.triage,
        original.events,
    )
    assert load_instance(store, "2.25.1.1.1").removed_at is None
    assert [entry.reason for entry in list_quarantine(store)] == ["INVALID_DICOM"]
    store.close()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_new_database_has_no_revision_until_it_is_upgraded(database, empty) -> None:
    assert check_tables(empty).revision is None
    assert not empty.data_folder.exists()
    assert upgrade_tables(empty) == (None, newest_revision())
    assert check_tables(empty).is_current
    assert upgrade_tables(empty) == (newest_revision(), newest_revision())
