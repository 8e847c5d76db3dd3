"""Opens the store and gives its transactions.

On SQLite a writer takes the one write lock at once (BEGIN IMMEDIATE), so that what it read still holds when
it writes. On PostgreSQL it takes the locks of what it decides about, such as a study, to the same end; see
`service.store.locks`. Every commit is durable when it returns: WAL with synchronous=FULL, or PostgreSQL's own
default.
"""

import os
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from overread.errors import ConfigurationError, OutOfResourcesError
from service.settings import Settings
from service.store.connected import named
from service.store.files import ObjectFiles, keeps_objects
from service.store.locks import Lock, take_locks
from service.store.migration import migrate, newest_revision, revision_of
from service.store.modes import correct_database_file
from service.store.outages import raise_outage
from service.store.release_watch import TablesRevision
from service.store.sight import SITES
from service.store.sqlite_file import sqlite_file, watch_sqlite_file

Transaction = Connection
"""What `Store.reading` and `Store.writing` give; outside `service/store/` it is only passed on."""

RESTORE_MARK = "restore-unfinished"
"""File in the data folder while a backup is being restored, see `service.store.restored_entrances`."""

_BUSY_SECONDS = 30.0
# A server whose machine is gone says nothing, and the kernel would wait for it for a quarter of an hour, with
# a question under way for ever: libpq's parameters (PostgreSQL manual, 34.1.2) give it up within 20 seconds.
_GIVES_UP = {
    "connect_timeout": "5",  # seconds, of each host that the address names
    "keepalives_idle": "5",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",  # milliseconds
}
_NOT_DURABLE = text("SET LOCAL synchronous_commit = off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The database and the files of one installation. Threads may share it; each process opens its own."""

    settings: Settings
    engine: Engine
    files: ObjectFiles
    tables: TablesRevision = field(default_factory=TablesRevision, compare=False, repr=False)
    sites: tuple[str, ...] | None = (
        None  # whose cases are seen, see `service.store.sight`; None: every site's
    )

    def seen_from(self, sites: Collection[str] | None) -> "Store":
        """Return the same store as somebody sees it who may see the cases of these sites; None: of all."""
        return replace(self, sites=None if sites is None else tuple(sorted(sites)))

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one consistent state; nothing is written.

        Raises:
            OutOfResourcesError: the database cannot be reached or is busy for too long, or is of another
                release by now.
        """
        with translated(), self._limited(self.engine).connect() as connection:
            self.tables.require_now_and_then(connection)
            yield connection

    @contextmanager
    def writing(self, *locks: Lock, durable: bool = True) -> Iterator[Connection]:
        """Give a connection whose changes are durable when the block ends, and undone when it raises.

        Whoever asks for one of the same locks waits; on SQLite every writer does. What nobody is told of,
        such as a claim, need not be `durable`: it does not wait for the disk, and a power cut may undo it.

        Raises:
            OutOfResourcesError: the database cannot be reached, is full, is busy for too long, or is of
                another release by now.
        """
        engine = self._limited(self.engine.execution_options(writes="FULL" if durable else "NORMAL"))
        with translated(), engine.begin() as connection:
            if not durable and connection.dialect.name == "postgresql":
                connection.execute(_NOT_DURABLE)
            take_locks(connection, locks)
            self.tables.require(connection)
            yield connection

    def _limited(self, engine: Engine) -> Engine:
        return engine if self.sites is None else engine.execution_options(**{SITES: self.sites})

    def require_release(self) -> None:
        """Return if this release may work on the tables.

        Raises:
            OutdatedProcessError: somebody brought them to another one, or put another database there.
            OutOfResourcesError: the database cannot be reached.
        """
        with translated(), self.engine.connect() as connection:
            self.tables.require(connection)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def open_store(settings: Settings, *, sweep: bool = True) -> Store:
    """Return the store, its folders made and its tables usable by this release.

    Several processes may open the same store at once. What receivers that died left behind is removed, unless
    `sweep` is off.

    Raises:
        ConfigurationError: the data folder cannot be written or is open to others, the object storage is not
            set up, the database is of a newer release, earlier ones are at work on it that could not go on,
            or there is none though objects are kept.
        OutOfResourcesError: the database or the object storage cannot be reached.
    """
    try:
        files = ObjectFiles.in_folder(settings)
        if sweep:
            files.sweep()
    except OSError as error:
        raise ConfigurationError(
            f"the data folder {settings.data_folder} cannot be used: {os.strerror(error.errno or 0)}"
        ) from error
    require_database(settings)
    engine = open_database(settings)
    return Store(settings=settings, engine=engine, files=files)


def require_database(settings: Settings) -> None:
    """Return unless objects are kept and the database that names them is not there, or not wholly restored.

    Raises:
        ConfigurationError: it is not there: it was lost, or the settings name another; or its restore was
            interrupted before what lets somebody in was closed.
        OutOfResourcesError: it cannot be reached.
    """
    if (settings.data_folder / RESTORE_MARK).exists():
        raise ConfigurationError(
            f"a restore into {settings.data_folder} was interrupted: run `overread db restore FOLDER` again"
        )
    # The order matters: a process that starts beside this one makes the tables, then keeps an object.
    if keeps_objects(settings.data_folder) and not has_tables(settings):
        raise ConfigurationError(
            f"{settings.data_folder} holds objects that were received, but the database "
            f"{make_url(settings.database_url).database} has no tables: put it back, correct "
            "OVERREAD_DATABASE_URL, or bring back a backup with `overread db restore FOLDER`. To begin anew "
            "on purpose: `overread db upgrade --new`, then `overread fsck --repair`, which takes them in"
        )


def has_tables(settings: Settings) -> bool:
    """Return whether the database is there and has tables, of whatever release; nothing is made.

    Raises:
        OutOfResourcesError: it cannot be reached.
    """
    if not database_exists(settings):
        return False
    engine = open_engine(settings.database_url)
    try:
        with translated(), engine.connect() as connection:
            return revision_of(connection) is not None
    finally:
        engine.dispose()


def open_database(settings: Settings, *, ends_others: bool = False) -> Engine:
    """Return the database, its tables usable by this release: see `service.store.migration.migrate`.

    Raises:
        ConfigurationError: the database is of a newer release, its file is open to others, or processes of
            earlier releases are at work that could not go on, and `ends_others` is off.
        OutOfResourcesError: it cannot be reached.
    """
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite":
        correct_database_file(sqlite_file(url))
    engine = open_engine(settings.database_url)
    with translated():
        migrate(engine, settings.data_folder / "migration.lock", ends_others=ends_others)
    return engine


def database_exists(settings: Settings) -> bool:
    """Return whether there may be a database: to open a file of SQLite that is not there makes it."""
    url = make_url(settings.database_url)
    return url.get_backend_name() != "sqlite" or sqlite_file(url).exists()


def open_engine(url: str) -> Engine:
    """Return the database as it is, its tables of whatever release; nothing is connected yet.

    What makes it unavailable is raised as an OutOfResourcesError that says why.
    """
    # Parameters are hidden: an exception must not carry a report or a patient's id into a log.
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        missing = {name: value for name, value in _GIVES_UP.items() if name not in parsed.query}
        parsed = named(parsed.update_query_dict(missing), newest_revision())
        engine = create_engine(parsed, hide_parameters=True, pool_pre_ping=True, pool_size=4, max_overflow=16)
        event.listen(engine, "handle_error", raise_outage)
        return engine
    sqlite_file(parsed).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if "timeout" not in parsed.query:
        parsed = parsed.update_query_dict({"timeout": str(_BUSY_SECONDS)})
    engine = create_engine(parsed, hide_parameters=True)
    event.listen(engine, "handle_error", raise_outage)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    watch_sqlite_file(engine)  # after a transaction has the lock for which it may have had to wait
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # this module begins transactions, not the driver
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",  # a commit that returned survives a power cut
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    synchronous = connection.get_execution_options().get("writes")
    if synchronous is None:
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA synchronous = {synchronous}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def translated() -> Iterator[None]:
    """Let a lack of connections be a matter of trying again later, as any outage of the database is."""
    try:
        yield
    except PoolTimeoutError as error:
        raise OutOfResourcesError(
            "every connection of this process to the database is in use; try again later"
        ) from error
