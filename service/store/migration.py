"""Brings the database to the tables of this release, safely when several processes start at once.

Each revision says by `usable_from` which revision a release must have been made for, at least, to work on the
tables as it leaves them. So a release goes on working on tables that later ones only added to.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, Engine, text

from overread.errors import ConfigurationError, OutOfResourcesError
from service.store.connected import earlier_processes
from service.store.locks import migration_lock

FIRST_TO_TELL = "0023"
"""First revision that says which releases may work on its tables; earlier ones are for their own alone."""

_VERSION = text("SELECT * FROM alembic_version")
_NOBODY_INSIDE = text("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
_LOCK_SECONDS = 2  # for which whoever wants a table waits behind us, at most, until we let them go first
_PAUSE_SECONDS = 1.0
_TRIES = 100


@dataclass(frozen=True, slots=True)
class TablesState:
    """Revision of the tables of a database, and of the oldest release that may work on them."""

    revision: str
    usable_from: str

    @property
    def is_usable(self) -> bool:
        """Whether this release may work on them."""
        return self.usable_from <= newest_revision() <= self.revision


def migrate(
    engine: Engine,
    lock_file: Path,
    *,
    ends_others: bool = False,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Leave the database at the newest revision; another process may be doing the same.

    Tables of a later release that this one may work on are left as they are. Where the tables are in use on
    PostgreSQL, as by a backup, they are asked for again and again, so that nobody waits long behind us.

    Args:
        engine: the database.
        lock_file: held on SQLite while migrating.
        ends_others: whether to go on where processes of earlier releases are at work that cannot use the
            tables from then on; they end by themselves.
        pause: waits for so many seconds.

    Raises:
        ConfigurationError: the database was brought to a revision on which this release cannot work, or
            processes of earlier releases are at work that could not go on.
        OutOfResourcesError: the database cannot be reached, or the tables are in use for minutes.
    """
    with engine.connect() as connection:
        if _is_fit(connection):
            return
    for attempt in range(1, _TRIES + 1):
        try:
            with engine.connect() as connection, migration_lock(connection, lock_file):
                _upgrade(connection, ends_others=ends_others)
        except OutOfResourcesError as error:
            if attempt == _TRIES or not _is_lock_timeout(error):
                raise
            pause(_PAUSE_SECONDS)
        else:
            return


def state_of(connection: Connection) -> TablesState | None:
    """Return the state of the tables; None where there are none yet."""
    return None if revision_of(connection) is None else read_state(connection)


def read_state(connection: Connection) -> TablesState | None:
    """Return the state of the tables of a database that has some, by one question; None: they say nothing."""
    row = connection.execute(_VERSION).mappings().one_or_none()
    if row is None:
        return None
    revision = row["version_num"]
    return TablesState(revision, row.get("usable_from") or revision)


def revision_of(connection: Connection) -> str | None:
    """Return the revision of the tables; None where there are none yet."""
    return MigrationContext.configure(connection).get_current_revision()


@cache
def newest_revision() -> str:
    """Return the revision that this release brings a database to."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def usable_from(script: Script) -> str:
    """Return the revision of the oldest release that may work on the tables as a revision leaves them."""
    return str(getattr(script.module, "usable_from", script.revision))


def _is_fit(connection: Connection) -> bool:
    """Return whether this release may work on the tables as they are.

    Raises:
        ConfigurationError: a later release made them, and this one cannot.
    """
    state = state_of(connection)
    if state is None or state.is_usable:
        return state is not None
    if state.revision > newest_revision():
        raise ConfigurationError(
            f"the database is of a newer release than this one: its tables are of revision {state.revision}, "
            f"for releases from revision {state.usable_from} on, and this one knows {newest_revision()}; "
            "install a newer release, or restore a backup"
        )
    return False


def _upgrade(connection: Connection, *, ends_others: bool) -> None:
    if _is_fit(connection):  # another process was first
        return
    scripts = ScriptDirectory.from_config(_config())
    oldest = usable_from(scripts.get_revision(newest_revision()))
    state = state_of(connection)
    if not ends_others and (others := earlier_processes(connection, oldest)):
        raise ConfigurationError(
            f"the tables of this release are for releases from revision {oldest} on, and processes of "
            f"earlier ones are at work: {'; '.join(others)}. Stop them first, or let `overread db upgrade "
            "--end-others` end them"
        )
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
        if state is not None and state.revision < oldest:
            # Whoever works looks at the revision first, and keeps others from this lock until it is done.
            connection.execute(_NOBODY_INSIDE)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()


def _is_lock_timeout(error: OutOfResourcesError) -> bool:
    return getattr(error.__cause__, "sqlstate", None) == "55P03"  # lock_not_available


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
