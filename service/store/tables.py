"""Whether the tables are those of this release, and whether the database itself is in order."""

from dataclasses import dataclass

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, inspect, text

from service.settings import Settings
from service.store.database import (
    database_exists,
    open_database,
    open_engine,
    require_database,
    translated,
)
from service.store.migration import newest_revision, revision_of, state_of
from service.store.modes import correct_folder
from service.store.schema import metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class TablesReport:
    """State of the tables and of the database."""

    database: str  # sqlite or postgresql
    revision: str | None  # of the tables; None where there are none yet
    newest: str  # that this release brings it to
    is_usable: bool  # by this release as they are
    faults: tuple[str, ...]  # what is wrong, in words
    rows: dict[str, int]  # in each table

    @property
    def is_current(self) -> bool:
        """Whether the tables are exactly those of this release."""
        return self.revision == self.newest


def check_tables(settings: Settings) -> TablesReport:
    """Return how the database stands; nothing is changed.

    Raises:
        OutOfResourcesError: it cannot be reached.
    """
    if not database_exists(settings):
        return TablesReport(
            database="sqlite", revision=None, newest=newest_revision(), is_usable=False, faults=(), rows={}
        )
    engine = open_engine(settings.database_url)
    try:
        with translated(), engine.connect() as connection:
            state = state_of(connection)
            faults = [*_damages(connection)]
            if state is not None and state.revision == newest_revision():
                faults += _differences(connection)
            names = set(inspect(connection).get_table_names()) & set(metadata.tables)
            return TablesReport(
                database=engine.dialect.name,
                revision=None if state is None else state.revision,
                newest=newest_revision(),
                is_usable=state is not None and state.is_usable,
                faults=tuple(faults),
                rows={name: _count(connection, name) for name in sorted(names)},
            )
    finally:
        engine.dispose()


def upgrade_tables(
    settings: Settings, *, begins_anew: bool = False, ends_others: bool = False
) -> tuple[str | None, str | None]:
    """Bring the tables to this release, and return the revisions before and after.

    Args:
        settings: of the installation.
        begins_anew: whether to make tables where there are none although objects are kept.
        ends_others: whether to go on where that ends processes of earlier releases.

    Raises:
        ConfigurationError: the database is of a newer release, processes of earlier ones are at work that
            could not go on, or there is none though objects are kept.
        OutOfResourcesError: it cannot be reached.
    """
    settings.data_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    correct_folder(settings.data_folder)
    if not begins_anew:
        require_database(settings)
    before = _revision(open_engine(settings.database_url))
    return before, _revision(open_database(settings, ends_others=ends_others))


def _revision(engine: Engine) -> str | None:
    """Return the revision of the tables, and let the database go."""
    try:
        with translated(), engine.connect() as connection:
            return revision_of(connection)
    finally:
        engine.dispose()


def _damages(connection: Connection) -> list[str]:
    """Return what SQLite says of its own file; PostgreSQL checks its pages by itself."""
    if connection.dialect.name != "sqlite":
        return []
    said = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    return [
        *(f"the file is damaged: {line}" for line in said if line != "ok"),
        *(f"a row of {row[0]} refers to a row of {row[2]} that is not there" for row in broken),
    ]


def _differences(connection: Connection) -> list[str]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return [f"not as this release makes it: {item}" for item in compare_metadata(context, metadata)]


def _count(connection: Connection, name: str) -> int:
    count: int = connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()  # a name of ours
    return count
