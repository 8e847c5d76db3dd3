"""Lays down what a release wrote: its files, and its rows in the tables of its time or of an earlier one."""

import base64
from datetime import datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, DateTime, MetaData, create_engine

from service.settings import Settings
from service.store import migrations

RELEASES = sorted(Path(__file__).parent.glob("*.json"))
"""Each file is named by the revision of the tables that its rows come from."""


def alembic_config() -> Config:
    """Return what Alembic needs to know of the migrations."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return config


def lay_down(written: dict[str, Any], settings: Settings, *, revision: str | None = None) -> dict[str, int]:
    """Make the data folder and the database that were written down; return how many rows each table has.

    Args:
        written: what `filling.written_down` returned.
        settings: of the installation, which is still empty.
        revision: of the tables; None takes that of the release.
    """
    settings.data_folder.mkdir(parents=True, exist_ok=True)
    for name, content in written["files"].items():
        path = settings.data_folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(content))
    engine = create_engine(settings.database_url)
    with engine.connect() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision or written["revision"])
        laid = _insert(connection, written["tables"])
        connection.commit()
    engine.dispose()
    return laid


def _insert(connection: Connection, tables: dict[str, list[dict[str, Any]]]) -> dict[str, int]:
    """Insert the rows of the tables that are there, as far as their columns are."""
    there = MetaData()
    there.reflect(connection)
    laid = {}
    for name, rows in tables.items():
        if name not in there.tables:
            continue
        columns = there.tables[name].columns
        times = {column.name for column in columns if isinstance(column.type, DateTime)}
        names = {column.name for column in columns}
        if rows:
            values = [
                {key: _value(value, is_time=key in times) for key, value in row.items() if key in names}
                for row in rows
            ]
            connection.execute(there.tables[name].insert(), values)
        laid[name] = len(rows)
    return laid


def _value(value: Any, *, is_time: bool) -> Any:
    return datetime.fromisoformat(value) if is_time and value is not None else value
