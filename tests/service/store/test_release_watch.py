"""A process notices that its database was brought to another release, says so and ends."""

import threading

import pytest
from sqlalchemy import text

from overread.errors import OutdatedProcessError
from service.store.database import Store
from service.store.migration import newest_revision
from service.store.release_watch import TablesRevision, ends_when_outdated
from service.store.worklist import count_cases
from tests.service.material import send_report


def upgrade(store: Store, revision: str = "9999", usable_from: str | None = None) -> None:
    """What a later release does to the tables, as far as this one can see it."""
    told = {"to": revision, "oldest": usable_from or revision}
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :to, usable_from = :oldest"), told)


def test_work_goes_on_in_tables_to_which_a_later_release_only_added(store: Store) -> None:
    upgrade(store, usable_from=newest_revision())

    send_report(store)
    store.require_release()

    assert sum(count_cases(store).values()) == 1


def test_the_tables_of_an_earlier_release_that_were_put_there_are_not_used(store: Store) -> None:
    upgrade(store, "0001", usable_from="0001")

    with pytest.raises(OutdatedProcessError, match="brought to revision 0001"):
        store.require_release()


def test_nothing_is_written_into_the_tables_of_another_release(store: Store) -> None:
    send_report(store)
    upgrade(store)

    with pytest.raises(OutdatedProcessError, match="brought to revision 9999 while this process ran"):
        send_report(store, "Another one.")

    upgrade(store, newest_revision())
    assert sum(count_cases(store).values()) == 1
    send_report(store, "Another one.")


def test_what_only_reads_looks_once_a_second(store: Store) -> None:
    seconds = iter([10.0, 10.9, 11.0])
    tables = TablesRevision(clock=lambda: next(seconds))
    with store.engine.connect() as connection:
        tables.require_now_and_then(connection)
    upgrade(store)

    with store.engine.connect() as connection:
        tables.require_now_and_then(connection)
        with pytest.raises(OutdatedProcessError):
            tables.require_now_and_then(connection)


def test_a_process_says_why_and_ends(store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    ended = threading.Event()
    watched = ends_when_outdated(store.require_release, end=ended.set, look_seconds=0.001, grace_seconds=0.0)
    with watched as outdated:
        send_report(store)
        assert not ended.is_set()
        upgrade(store)
        assert ended.wait(60)
        assert outdated.is_set()

    assert "start overread anew" in "".join(capfd.readouterr())


def test_a_process_that_ends_by_itself_is_not_ended_twice(store: Store) -> None:
    ended = threading.Event()
    with ends_when_outdated(store.require_release, end=ended.set, look_seconds=3600, grace_seconds=3600):
        upgrade(store)

    assert not ended.is_set()
