import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.exc import DBAPIError, StatementError

from overread.errors import ConfigurationError, InvalidReportError, OutOfResourcesError
from overread.priority import shipped_policy_text
from service.adjudication.reads import note_opened
from service.settings import load_settings
from service.store import locks, migrations
from service.store.database import open_engine, open_store
from service.store.policies import activate_policy
from service.store.quarantine import discard
from service.store.readiness import verify_writes
from service.store.records import Lease
from service.store.report_authors import note_author
from service.store.schema import APPEND_ONLY, detector_registry, metadata, studies
from service.store.second_reads import AuditDraw, add_draw
from service.store.shadows import ShadowLook, add_shadows
from service.store.tables import check_tables, upgrade_tables
from service.store.worklist import list_worklist
from tests.service.adjudication.test_reads import sender
from tests.service.material import NOW, ROE, MassDetector, after, send_report, triaged_case

FIRST_RELEASE_CASE = """
    INSERT INTO cases (case_id, state, revision, priority, attempts, due_at, opened_at, updated_at)
    VALUES (1, 'LISTED', 1, 40.0, 1, '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000',
            '2026-02-01 00:00:00.000000')
"""
OPEN = (
    "import sys; from pathlib import Path; from service.settings import load_settings; "
    "from service.store.database import open_store; "
    "open_store(load_settings({'OVERREAD_DATABASE_URL': sys.argv[2]}, data_folder=Path(sys.argv[1])))"
)


def test_the_migrations_make_the_tables_that_the_program_expects(store) -> None:
    with store.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})

        assert compare_metadata(context, metadata) == []


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_processes_that_open_a_new_store_at_once_all_succeed(database, tmp_path, request) -> None:
    url = f"sqlite:///{tmp_path}/new.sqlite3"
    if database == "postgresql":
        running = request.getfixturevalue("postgres")
        url = running.url(running.new_database())

    started = [subprocess.Popen([sys.executable, "-c", OPEN, str(tmp_path), url]) for _ in range(3)]

    assert [process.wait(timeout=60) for process in started] == [0, 0, 0]


def test_a_database_of_a_newer_release_is_refused_and_left_alone(store) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999', usable_from = '9998'"))

    with pytest.raises(ConfigurationError, match="for releases from revision 9998 on"):
        open_store(store.settings)

    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"


def test_a_database_to_which_a_newer_release_only_added_is_used_and_left_alone(store) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    again = open_store(store.settings)
    send_report(again)
    again.close()

    report = check_tables(store.settings)
    assert (report.revision, report.is_current, report.is_usable, report.faults) == ("9999", False, True, ())
    assert upgrade_tables(store.settings) == ("9999", "9999")


def test_what_was_on_the_list_of_the_first_release_has_waited_since_it_last_changed(tmp_path) -> None:
    settings = load_settings({"OVERREAD_FREE_BYTES_MIN": "0"}, data_folder=tmp_path / "data")
    settings.data_folder.mkdir()
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with create_engine(settings.database_url).connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text(FIRST_RELEASE_CASE))
        connection.commit()

    store = open_store(settings)
    (case,) = list_worklist(store, now=NOW).cases
    store.close()

    assert case.waiting_since == datetime(2026, 2, 1, tzinfo=UTC)
    assert (case.overdue_at, case.subspecialty) == (None, None)


def test_a_new_data_folder_is_readable_by_its_owner_alone(tmp_path) -> None:
    settings = load_settings({}, data_folder=tmp_path / "new" / "data")
    open_store(settings).close()

    assert settings.data_folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("table", APPEND_ONLY, ids=lambda table: table.name)
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = 7", "DELETE FROM {}"])
def test_history_cannot_be_changed_or_deleted(store, table, statement) -> None:
    case_id = triaged_case(store)
    activate_policy(store, shipped_policy_text(), actor=ROE, now=NOW)
    look = ShadowLook(detector=MassDetector.identity, detection=None, failure="none", seconds=0.0)
    add_shadows(store, Lease(case_id=case_id, revision=1, attempt=1, owner="w"), [look], now=NOW)
    with pytest.raises(InvalidReportError):
        send_report(store, "")
    discard(store, 1, actor=ROE, because="empty", now=NOW)
    send_report(store, issued=after(-5))
    who = {"actor_identifier": ROE.identifier, "actor_kind": ROE.kind.value, "actor_name": ROE.display_name}
    change = {"happened_at": NOW, "action": "ACTIVATED", "release": "/models/one", **who}
    with store.writing() as connection:
        connection.execute(insert(detector_registry), change)
        note_author(connection, case_id, 1, "fay")
        drawn = AuditDraw(revision=1, stratum="neither", probability=0.1, is_drawn=False)
        add_draw(connection, case_id, drawn, policy_version="1", now=NOW)
    note_opened(store, case_id, sender())
    with store.reading() as connection:
        assert connection.execute(select(table)).first() is not None  # which a trigger of its own guards
    key = table.primary_key.columns[0].name

    with pytest.raises(DBAPIError, match="append-only"), store.engine.begin() as connection:
        connection.execute(text(statement.format(table.name, key)))


def test_times_come_back_aware_and_naive_ones_are_refused(store) -> None:
    row = {"study_instance_uid": "2.25.1", "first_received_at": NOW, "last_received_at": NOW}
    with store.writing() as connection:
        connection.execute(insert(studies), row)

    with store.reading() as connection:
        assert connection.execute(studies.select()).one().first_received_at == NOW
    naive = {"last_received_at": datetime(2026, 1, 1)}  # noqa: DTZ001  # on purpose
    with pytest.raises(StatementError, match="aware"), store.writing() as connection:
        connection.execute(insert(studies), row | {"study_instance_uid": "2.25.2"} | naive)


def test_what_a_block_wrote_is_undone_when_it_raises(store) -> None:
    row = {"study_instance_uid": "2.25.1", "first_received_at": NOW, "last_received_at": NOW}

    def write_and_fail() -> None:
        with store.writing(locks.study("2.25.1")) as connection:
            connection.execute(insert(studies), row)
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        write_and_fail()

    with store.reading() as connection:
        assert connection.execute(studies.select()).all() == []


def test_sqlite_commits_survive_a_power_cut(sqlite_store) -> None:
    with sqlite_store.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1


def test_an_error_of_the_database_does_not_repeat_what_was_written(store) -> None:
    row = {"study_instance_uid": "2.25.1", "first_received_at": NOW, "patient_id": "SECRET"}

    with pytest.raises(DBAPIError) as caught, store.writing() as connection:
        connection.execute(insert(studies), row)

    assert "SECRET" not in str(caught.value).split("DETAIL")[0]


def test_a_database_that_cannot_be_reached_is_a_matter_of_trying_later(tmp_path) -> None:
    environ = {"OVERREAD_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}

    with pytest.raises(OutOfResourcesError, match="try again"):
        open_store(load_settings(environ, data_folder=tmp_path))


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    settings = load_settings({}, data_folder=tmp_path / "file" / "data")

    with pytest.raises(ConfigurationError, match="file/data"):
        open_store(settings)


def test_a_writer_that_waits_too_long_is_told_to_try_again(sqlite_store) -> None:
    impatient = open_store(
        sqlite_store.settings.model_copy(
            update={"database_url": f"{sqlite_store.settings.database_url}?timeout=0.01"}
        )
    )
    with (
        sqlite_store.writing(),
        pytest.raises(OutOfResourcesError, match="try again"),
        impatient.writing(),
    ):
        pass


def test_a_database_that_takes_no_writes_is_a_matter_of_trying_later(postgres, migrated, tmp_path) -> None:
    name = postgres.new_database(template=migrated)
    with psycopg.connect(postgres.url(name), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    environ = {"OVERREAD_DATABASE_URL": postgres.url(name), "OVERREAD_FREE_BYTES_MIN": "0"}
    store = open_store(load_settings(environ, data_folder=tmp_path))

    with pytest.raises(OutOfResourcesError, match="takes no writes"):
        verify_writes(store, now=NOW)
    with pytest.raises(OutOfResourcesError, match="takes no writes"):
        send_report(store)
    assert list_worklist(store, now=NOW).cases == ()
    store.close()


def test_a_server_that_is_gone_is_given_up_unless_the_address_says_otherwise() -> None:
    address = "postgresql+psycopg://overread@nowhere.invalid/cases"

    usual = open_engine(address).url.query
    chosen = open_engine(f"{address}?tcp_user_timeout=90000").url.query

    assert (usual["connect_timeout"], usual["tcp_user_timeout"]) == ("5", "20000")
    assert chosen["tcp_user_timeout"] == "90000"
