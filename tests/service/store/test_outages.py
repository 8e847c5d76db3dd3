"""Each cause by which a database cannot be used, made for real, and the sentence about it."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from overread.errors import ConfigurationError, OutOfResourcesError
from service.settings import load_settings
from service.store.database import open_engine, open_store

WRITE = text("INSERT INTO kept VALUES (:content)")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "overread.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE kept (content BLOB)")
    connection.commit()
    connection.close()
    return path


def outage(url: str, *, content: bytes = b"") -> str:
    """What is said of a write to the database of the address."""
    engine = open_engine(url).execution_options(writes="FULL")
    with pytest.raises(OutOfResourcesError) as caught, engine.begin() as connection:
        connection.execute(WRITE, {"content": content})
    engine.dispose()
    return str(caught.value)


def test_a_database_where_nobody_listens_is_named_with_its_port_and_without_the_password() -> None:
    said = outage("postgresql+psycopg://overread:secret@127.0.0.1:1/cases")

    assert said.startswith("the database cases on 127.0.0.1:1 cannot be reached")
    assert "Connection refused" in said
    assert "secret" not in said


def test_a_host_that_is_not_there_is_told_from_one_that_refuses() -> None:
    said = outage("postgresql+psycopg://overread@nowhere.invalid/cases")

    assert said.startswith("the database cases on nowhere.invalid cannot be reached")
    assert "refused" not in said


def test_a_database_that_is_locked_is_busy(file: Path) -> None:
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    assert f"{file} is busy: another process" in outage(f"sqlite:///{file}?timeout=0.01")
    other.close()


def test_a_database_that_may_not_be_written_is_read_only(file: Path) -> None:
    said = outage(f"sqlite:///file:{file}?mode=ro&uri=true")

    assert "is read-only: check the file system" in said


def test_a_folder_in_the_place_of_the_database_cannot_be_opened(tmp_path: Path) -> None:
    assert f"{tmp_path} cannot be opened: check" in outage(f"sqlite:///{tmp_path}")


def test_a_disk_that_is_full_is_told(small_disk: Path) -> None:
    engine = open_engine(f"sqlite:///{small_disk}/overread.sqlite3").execution_options(writes="FULL")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept (content BLOB)"))
    engine.dispose()

    said = outage(f"sqlite:///{small_disk}/overread.sqlite3", content=bytes(1_000_000))

    assert "cannot grow, since the disk is full: make room" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_data_folder_of_somebody_else_is_named_with_its_cause(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o755)  # whatever the umask of an earlier test
    program = (
        "import os, sys; from pathlib import Path; from service.settings import load_settings; "
        "from service.store.database import open_store; os.setuid(65534); "
        "open_store(load_settings({}, data_folder=Path(sys.argv[1])))"
    )
    for folder in tmp_path.parents:  # those of pytest are closed to others
        if folder.stat().st_mode & 0o001 == 0:
            folder.chmod(0o711)
    tmp_path.chmod(0o711)

    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "data")], capture_output=True, text=True, check=False
    )

    assert f"the data folder {tmp_path}/data cannot be used: Permission denied" in ended.stderr


def test_a_file_in_the_place_of_the_data_folder_is_named_with_its_cause(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")

    with pytest.raises(ConfigurationError, match="data cannot be used: File exists"):
        open_store(load_settings({}, data_folder=tmp_path / "data"))


def test_a_lock_of_postgresql_that_is_kept_too_long_is_busy(postgres) -> None:
    url = postgres.url(postgres.new_database())
    engine = open_engine(load_settings({"OVERREAD_DATABASE_URL": url}).database_url)
    lock = text("SELECT pg_advisory_xact_lock(1)")
    with engine.begin() as first, engine.connect() as second:
        first.execute(lock)
        second.execute(text("SET lock_timeout = 10"))
        with pytest.raises(OutOfResourcesError, match="is busy: another transaction"):
            second.execute(lock)
    engine.dispose()
