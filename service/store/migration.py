"""Brings the database to the tables of this release, safely when several processes start at once."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine

from overread.errors import ConfigurationError
from service.store.locks import migration_lock


def migrate(engine: Engine, lock_file: Path) -> None:
    """Leave the database at the newest revision; another process may be doing the same.

    Raises:
        ConfigurationError: the database was brought to a revision that this release does not know.
    """
    if _is_current(engine):
        return
    with engine.connect() as connection, migration_lock(connection, lock_file):
        config = _config()
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise ConfigurationError(
                "the database is of a newer release than this one; install that release, or restore a backup"
            ) from error
        connection.commit()


def revision_of(connection: Connection) -> str | None:
    """Return the revision of the tables; None where there are none yet."""
    return MigrationContext.configure(connection).get_current_revision()


@cache
def newest_revision() -> str:
    """Return the revision that this release brings a database to."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def _is_current(engine: Engine) -> bool:
    with engine.connect() as connection:
        return revision_of(connection) == newest_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
