"""A revision that says that earlier releases may go on only adds what they can do without."""

from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Column,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
)

from service.store.migration import FIRST_TO_TELL, usable_from
from tests.service.store.releases.loading import alembic_config

SCRIPTS = ScriptDirectory.from_config(alembic_config())
TELLING = [script for script in SCRIPTS.walk_revisions() if script.revision >= FIRST_TO_TELL]


def burdens(before: MetaData, after: MetaData) -> list[str]:
    """What a release for the tables before cannot work on in those after: empty where these only add."""
    found = [f"{name} is gone" for name in before.tables if name not in after.tables]
    for name in before.tables.keys() & after.tables.keys():
        found += _of_columns(before.tables[name], after.tables[name])
        found += _of_keys(before.tables[name], after.tables[name])
    return sorted(found)


def _of_columns(before: Table, after: Table) -> list[str]:
    found = []
    for column in before.columns:
        now = after.columns.get(column.name)
        if now is None:
            found.append(f"{column} is gone")
        elif str(now.type) != str(column.type) or (column.nullable and not now.nullable):
            found.append(f"{column} is another")
    fresh = (column for column in after.columns if column.name not in before.columns)
    return found + [
        f"{column} has to be given"
        for column in fresh
        if not column.nullable and column.server_default is None
    ]


def _of_keys(before: Table, after: Table) -> list[str]:
    """New constraints of columns that were there before."""
    known = {name.name for name in before.columns}
    fresh = _keys(after) - _keys(before)
    return [f"{before.name}: {kind} {', '.join(sorted(names))}" for kind, names in fresh if names <= known]


def _keys(table: Table) -> set[tuple[str, frozenset[str]]]:
    unique = {("unique", frozenset(index.columns.keys())) for index in table.indexes if index.unique}
    unique |= {
        ("unique", frozenset(each.columns.keys()))
        for each in table.constraints
        if isinstance(each, UniqueConstraint)
    }
    return unique | {("refers", frozenset(each.column_keys)) for each in table.foreign_key_constraints}


def test_every_revision_says_which_releases_may_work_on_its_tables() -> None:
    assert [script.revision for script in TELLING if not hasattr(script.module, "usable_from")] == []
    oldest = [usable_from(script) for script in reversed(TELLING)]
    assert oldest == sorted(oldest)
    assert all(FIRST_TO_TELL <= usable_from(script) <= script.revision for script in TELLING)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_revision_on_which_earlier_releases_may_work_only_adds(database, tmp_path, request) -> None:
    for script in TELLING:
        if usable_from(script) == script.revision:
            continue
        engine = _empty(database, tmp_path / script.revision, request)
        before = _brought_to(engine, usable_from(script))
        assert burdens(before, _brought_to(engine, script.revision)) == []
        engine.dispose()


def _empty(database: str, folder: Path, request: pytest.FixtureRequest) -> Engine:
    if database == "postgresql":
        running = request.getfixturevalue("postgres")
        return create_engine(running.url(running.new_database()))
    folder.mkdir()
    return create_engine(f"sqlite:///{folder}/new.sqlite3")


def _brought_to(engine: Engine, revision: str) -> MetaData:
    with engine.connect() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
        tables = MetaData()
        tables.reflect(connection)
    return tables


def tables_with(*columns: Column[object] | UniqueConstraint) -> MetaData:
    metadata = MetaData()
    Table("sites", metadata, Column("site", String(64), primary_key=True))
    Table("cases", metadata, Column("case_id", Integer, primary_key=True), *columns)
    return metadata


def both() -> list[Column[object]]:
    """The columns before."""
    return [Column("site", String(64)), Column("note", String(64))]


@pytest.mark.parametrize(
    ("columns", "burden"),
    [
        (lambda: [*both(), Column("more", String(1))], []),
        (lambda: [Column("site", String(64))], ["cases.note is gone"]),
        (lambda: [Column("site", String(64)), Column("note", String(32))], ["cases.note is another"]),
        (
            lambda: [Column("site", String(64)), Column("note", String(64), nullable=False)],
            ["cases.note is another"],
        ),
        (
            lambda: [*both(), Column("more", String(1), nullable=False)],
            ["cases.more has to be given"],
        ),
        (lambda: [*both(), Column("more", String(1), nullable=False, server_default="")], []),
        (lambda: [*both(), UniqueConstraint("note")], ["cases: unique note"]),
        (
            lambda: [Column("site", String(64), ForeignKey("sites.site")), Column("note", String(64))],
            ["cases: refers site"],
        ),
    ],
)
def test_what_a_release_cannot_do_without_is_told(columns, burden) -> None:
    assert burdens(tables_with(*both()), tables_with(*columns())) == burden


def test_a_table_that_is_gone_is_told() -> None:
    assert burdens(tables_with(*both()), MetaData()) == ["cases is gone", "sites is gone"]
