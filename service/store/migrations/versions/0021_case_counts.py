"""Counts of the cases that the database keeps, and indexes for filters by finding and for the pace.

Revision: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_KEY = "state, site, subspecialty, actionable, band"
# Each part of the key of a case, by whether it is listed: what is not listed is told apart by state and site.
_VALUES = (
    "{0}state, COALESCE({0}site, ''), "
    "CASE WHEN {0}state = 'LISTED' THEN COALESCE({0}subspecialty, '') ELSE '' END, "
    "CASE WHEN {0}state = 'LISTED' THEN COALESCE({0}actionable, '') ELSE '' END, "
    "CASE WHEN {0}state = 'LISTED' THEN {1} ELSE -1 END"
)
_BANDS = {
    "sqlite": "MIN(MAX(CAST({0}priority AS INTEGER), 0), 100)",
    "postgresql": "LEAST(GREATEST(trunc({0}priority), 0), 100)::integer",
}
_COUNTED = ("state", "site", "subspecialty", "actionable", "priority")
_FINDING_INDEX = (
    "finding",
    "state",
    "priority DESC",
    "opened_at",
    "case_id",
    "overdue_at",
    "subspecialty",
    "open_to_all_at",
    "site",
    "kind",
    "actionable",
    "modality",
    "waiting_since",
)


def upgrade() -> None:
    """Make the tables, count what there is, and let the database keep the counts from then on."""
    op.create_table(
        "case_counts", *_key_columns(), sa.PrimaryKeyConstraint(*_KEY.split(", "), name="pk_case_counts")
    )
    op.create_table(
        "case_count_changes",
        sa.Column("change_id", ROW_NUMBER, nullable=False),
        *_key_columns(),
        sa.PrimaryKeyConstraint("change_id", name="pk_case_count_changes"),
    )
    if op.get_bind().dialect.name == "postgresql":
        _keep_on_postgresql()
    else:
        _keep_on_sqlite()
    op.execute(
        f"INSERT INTO case_counts ({_KEY}, cases) "
        f"SELECT {_values('cases.')}, COUNT(*) FROM cases GROUP BY 1, 2, 3, 4, 5"
    )
    has_one = sa.text("finding IS NOT NULL")
    op.create_index(
        "ix_cases_finding",
        "cases",
        [sa.literal_column(column) for column in _FINDING_INDEX],
        sqlite_where=has_one,
        postgresql_where=has_one,
    )
    op.drop_index("ix_events_second_read", "events")
    counted = sa.text("event IN ('FOUND_DISCREPANT', 'READ_CLAIMED', 'JUDGED')")
    op.create_index(
        "ix_events_second_read",
        "events",
        ["event", "happened_at", "case_id"],
        sqlite_where=counted,
        postgresql_where=counted,
    )


def downgrade() -> None:
    """Refuse, as every revision does."""
    raise RuntimeError("there is no way back between revisions; restore a backup instead")


def _key_columns() -> tuple[sa.Column[str] | sa.Column[int], ...]:
    return (
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("site", sa.String(64), nullable=False),
        sa.Column("subspecialty", sa.String(64), nullable=False),
        sa.Column("actionable", sa.String(16), nullable=False),
        sa.Column("band", sa.Integer(), nullable=False),
        sa.Column("cases", sa.BigInteger(), nullable=False),
    )


def _values(row: str) -> str:
    """Return the key of a case, of a row that is named with a point."""
    return _VALUES.format(row, _BANDS[op.get_bind().dialect.name].format(row))


def _keep_on_sqlite() -> None:
    changed = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in _COUNTED)
    less, more = (
        f"INSERT INTO case_counts ({_KEY}, cases) VALUES ({_values(row)}, {count}) "
        f"ON CONFLICT ({_KEY}) DO UPDATE SET cases = cases + excluded.cases;"
        for row, count in (("OLD.", -1), ("NEW.", 1))
    )
    columns = ", ".join(_COUNTED)
    for name, when, statements in (
        ("insert", "AFTER INSERT ON cases", more),
        ("delete", "AFTER DELETE ON cases", less),
        ("update", f"AFTER UPDATE OF {columns} ON cases WHEN {changed}", f"{less} {more}"),
    ):
        op.execute(f"CREATE TRIGGER cases_counted_{name} {when} BEGIN {statements} END")


def _keep_on_postgresql() -> None:
    less, more = (
        f"INSERT INTO case_count_changes ({_KEY}, cases) VALUES ({_values(row)}, {count});"
        for row, count in (("OLD.", -1), ("NEW.", 1))
    )
    op.execute(
        "CREATE FUNCTION count_cases() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP <> 'INSERT' THEN {less} END IF; "
        f"IF TG_OP <> 'DELETE' THEN {more} END IF; "
        "RETURN NULL; END $$"
    )
    changed = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in _COUNTED)
    columns = ", ".join(_COUNTED)
    for name, when in (
        ("insert", "AFTER INSERT ON cases FOR EACH ROW"),
        ("delete", "AFTER DELETE ON cases FOR EACH ROW"),
        ("update", f"AFTER UPDATE OF {columns} ON cases FOR EACH ROW WHEN ({changed})"),
    ):
        op.execute(f"CREATE TRIGGER cases_counted_{name} {when} EXECUTE FUNCTION count_cases()")
    # Rows come and go: what is dead is read until it is cleared away.
    op.execute(
        "ALTER TABLE case_count_changes SET "
        "(autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)"
    )
