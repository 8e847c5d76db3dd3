"""Copies of the database: made of one state while others go on writing, and brought back.

<folder>/database.sqlite3         or database.dump, as pg_dump makes it
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, create_engine, make_url, text

from overread.errors import ConfigurationError
from service.settings import Settings
from service.store.database import Store, Transaction, has_tables, translated
from service.store.migration import revision_of
from service.store.object_store import sync_file, sync_folder

_SQLITE = "database.sqlite3"
_DUMP = "database.dump"


def kind_of_database(settings: Settings) -> str:
    """Return `sqlite` or `postgresql`."""
    return make_url(settings.database_url).get_backend_name()


@contextmanager
def copied_database(store: Store, folder: Path) -> Iterator[Transaction]:
    """Copy the database into a folder, and give a transaction that sees the very state that was copied.

    Raises:
        ConfigurationError: PostgreSQL's pg_dump is missing or fails.
        OutOfResourcesError: the database cannot be reached.
    """
    copying = _dumped if kind_of_database(store.settings) == "postgresql" else _copied
    with translated(), copying(store, folder) as transaction:
        yield transaction


def copied_revision(transaction: Transaction) -> str:
    """Return the revision of the tables that a transaction sees."""
    return revision_of(transaction) or ""


def has_database(settings: Settings) -> bool:
    """Return whether an installation has a database, of whatever release.

    Raises:
        OutOfResourcesError: PostgreSQL cannot be reached.
    """
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite":
        # A log that was left behind would be taken for that of a restored file.
        return any(Path(f"{url.database}{end}").exists() for end in ("", "-wal", "-shm"))
    return has_tables(settings)


def restore_database(folder: Path, settings: Settings) -> None:
    """Bring a copied database into an installation that has none; it is durable when this returns.

    Raises:
        ConfigurationError: PostgreSQL's pg_restore is missing or fails.
    """
    url = make_url(settings.database_url)
    if url.get_backend_name() == "postgresql":
        _run_postgresql(url, "pg_restore", "--no-owner", "--single-transaction", str(folder / _DUMP))
        return
    target = Path(url.database or "")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = target.with_name(f"{target.name}.part")
    shutil.copyfile(folder / _SQLITE, part)
    sync_file(part)
    part.replace(target)
    sync_folder(target.parent)


@contextmanager
def _dumped(store: Store, folder: Path) -> Iterator[Transaction]:
    with store.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        name = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        options = ["--format=custom", f"--snapshot={name}", f"--file={folder / _DUMP}"]
        _run_postgresql(store.engine.url, "pg_dump", *options)
        yield connection


@contextmanager
def _copied(store: Store, folder: Path) -> Iterator[Transaction]:
    copy = folder / _SQLITE
    with (
        closing(sqlite3.connect(store.engine.url.database or "")) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)  # in one step: one state, while others go on writing to the log
        target.execute("PRAGMA journal_mode = DELETE")  # one file, whole by itself
    engine = create_engine(f"sqlite:///{copy}")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _run_postgresql(url: URL, program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's own programs on the database; the password is not among its arguments."""
    found = shutil.which(program)
    if found is None:
        raise ConfigurationError(f"{program} is not installed; it comes with PostgreSQL's client programs")
    # libpq's own form: an address with several hosts looks otherwise in SQLAlchemy's.
    parts, named = url.get_dialect()().create_connect_args(url._replace(password=None))
    address = make_conninfo(*parts, **named)
    environment = {**os.environ, "PGPASSWORD": url.password or os.environ.get("PGPASSWORD", "")}
    done = subprocess.run(  # noqa: S603  # no shell, and the program by its path
        [found, f"--dbname={address}", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ConfigurationError(f"{program} failed: {done.stderr.strip()[-500:]}")
