"""A database file that is removed or replaced under a running process."""

import shutil
from pathlib import Path

import pytest

from overread.errors import ConfigurationError, OutOfResourcesError
from service.store.database import Store, open_store
from service.store.worklist import list_worklist
from tests.service.material import NOW, ready_case, send_image, send_report


def file_of(store: Store) -> Path:
    return store.settings.data_folder / "overread.sqlite3"


def test_nothing_is_acknowledged_once_the_file_was_removed_and_no_new_one_is_made(
    sqlite_store: Store,
) -> None:
    send_image(sqlite_store)
    file_of(sqlite_store).unlink()

    for use in (send_image, send_report, lambda store: list_worklist(store, now=NOW)):
        with pytest.raises(OutOfResourcesError, match=r"was removed while it was in use.*db restore"):
            use(sqlite_store)
    sqlite_store.close()  # whoever connects anew meets the same
    with pytest.raises(OutOfResourcesError, match="was removed while it was in use"):
        send_report(sqlite_store)

    assert not file_of(sqlite_store).exists()


def test_a_file_that_was_replaced_is_told_and_is_not_written_to(sqlite_store: Store) -> None:
    ready_case(sqlite_store)
    file, copy = file_of(sqlite_store), sqlite_store.settings.data_folder / "copy"
    shutil.copy(file, copy)
    copy.replace(file)

    with pytest.raises(OutOfResourcesError, match="was replaced by another while it was in use"):
        send_report(sqlite_store)


def test_a_file_that_is_put_back_is_used_again(sqlite_store: Store) -> None:
    file, aside = file_of(sqlite_store), sqlite_store.settings.data_folder / "aside"
    file.rename(aside)
    with pytest.raises(OutOfResourcesError):
        send_report(sqlite_store)
    aside.rename(file)

    assert send_report(sqlite_store).case_id == 1


def test_a_start_without_the_database_is_refused_while_objects_are_kept(sqlite_store: Store) -> None:
    send_image(sqlite_store)
    sqlite_store.close()
    file_of(sqlite_store).unlink()

    with pytest.raises(ConfigurationError, match=r"holds objects.*overread db restore FOLDER"):
        open_store(sqlite_store.settings)
    assert not file_of(sqlite_store).exists()
    file_of(sqlite_store).touch()  # as the first connection of another program makes it
    with pytest.raises(ConfigurationError, match=r"holds objects.*has no tables"):
        open_store(sqlite_store.settings)


def test_an_empty_database_of_postgresql_is_refused_while_objects_are_kept(
    sqlite_store: Store, postgres
) -> None:
    send_image(sqlite_store)
    other = {"database_url": postgres.url(postgres.new_database()).replace("://", "+psycopg://", 1)}

    with pytest.raises(ConfigurationError, match=r"holds objects.*has no tables"):
        open_store(sqlite_store.settings.model_copy(update=other))
