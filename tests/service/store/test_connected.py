"""Who is connected to a database, and for which tables that release was made."""

import psycopg
from sqlalchemy import make_url

from service.store.connected import earlier_processes, named
from service.store.database import open_engine, open_store
from service.store.migration import newest_revision


def test_every_connection_of_a_process_tells_its_tables(postgres, migrated, tmp_path) -> None:
    url = postgres.url(postgres.new_database(template=migrated))

    with open_engine(url).connect() as connection, open_engine(url).connect():
        name = connection.exec_driver_sql("SHOW application_name").scalar_one()
        connection.rollback()
        assert earlier_processes(connection, newest_revision()) == ()
        connection.rollback()  # within one transaction PostgreSQL shows one state of who is connected
        (other,) = earlier_processes(connection, "9999")

    assert name == f"overread 0.1.0, tables {newest_revision()}"
    assert other == f"{name} on the machine of the database (1 connections)"


def test_a_name_that_the_address_gives_is_kept_as_far_as_there_is_room() -> None:
    given = make_url(f"postgresql://nowhere.invalid/cases?application_name={'0123456789' * 9}")

    name = named(given, "0023").query["application_name"]

    assert (name[:50], name[50:]) == ("0123456789" * 5, ", tables 0023")  # 63 characters


def test_others_than_processes_of_overread_are_nobody(postgres, migrated) -> None:
    url = postgres.url(postgres.new_database(template=migrated))
    with psycopg.connect(f"{url}&application_name=psql"), open_engine(url).connect() as connection:
        assert earlier_processes(connection, "9999") == ()


def test_on_sqlite_nobody_is_known(sqlite_store) -> None:
    other = open_store(sqlite_store.settings)
    with sqlite_store.reading() as connection, other.reading():
        assert earlier_processes(connection, "9999") == ()
    other.close()
