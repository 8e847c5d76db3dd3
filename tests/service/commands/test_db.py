"""`overread db` and `overread fsck` where the database was lost and the objects were not."""

import os
from pathlib import Path

import pytest

from overread.command import main
from service.store.database import Store, open_store
from service.store.worklist import load_instance
from tests.service.material import send_image


@pytest.mark.parametrize("words", [["fsck"], ["db", "upgrade"], ["serve"]], ids=" ".join)
def test_a_lost_database_is_told_at_once_by_every_command(
    sqlite_store: Store, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    at = lose_database(sqlite_store)

    assert main([*words, *at]) == 1

    said = capsys.readouterr()
    assert "overread db restore FOLDER" in said.err
    assert "ORPHAN" not in said.out


def test_to_begin_anew_on_purpose_takes_a_word_and_fsck_takes_the_objects_in(sqlite_store: Store) -> None:
    at = lose_database(sqlite_store)

    assert main(["db", "upgrade", "--new", *at]) == 0
    assert main(["fsck", "--repair", *at]) == 0

    store = open_store(sqlite_store.settings)
    assert load_instance(store, "2.25.1.1.1").sop_instance_uid == "2.25.1.1.1"
    store.close()


def lose_database(store: Store) -> list[str]:
    """Delete the database of an installation that has an image; returns the options that name it."""
    sha256 = send_image(store).sha256
    old = store.files.path_of(sha256)
    os.utime(old, (0, 0))  # longer ago than fsck thinks that it may be on its way
    store.close()
    folder = Path(store.settings.data_folder)
    (folder / "overread.sqlite3").unlink()
    return ["--data-folder", str(folder)]
