"""Second reads and the draws of the audit sample.

Revision: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_TABLES = ("second_reads", "audit_draws", "report_authors")
TIME = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables, and let the database refuse every change of what they hold."""
    op.create_table(
        "second_reads",
        sa.Column("read_id", ROW_NUMBER, nullable=False),
        sa.Column("case_id", ROW_NUMBER, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("act", sa.String(16), nullable=False),
        sa.Column("happened_at", TIME, nullable=False),
        sa.Column("actor_name", sa.String(256), nullable=False),
        sa.Column("actor_kind", sa.String(16), nullable=False, server_default="PROGRAM"),
        sa.Column("actor_identifier", sa.String(320), nullable=False, server_default="unknown"),
        sa.Column("submission", sa.String(100), nullable=False),
        sa.Column("content_sha256", sa.String(64), nullable=False),
        sa.Column("content", sa.Text()),
        sa.Column("undoes", ROW_NUMBER),
        sa.Column("concludes", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("read_id", name="pk_second_reads"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_second_reads_case_id"),
        sa.ForeignKeyConstraint(["undoes"], ["second_reads.read_id"], name="fk_second_reads_undoes"),
        sa.UniqueConstraint("submission", name="uq_second_reads_submission"),
        sa.UniqueConstraint("undoes", name="uq_second_reads_undoes"),
    )
    op.create_index("ix_second_reads_case_id", "second_reads", ["case_id", "read_id"])
    op.create_table(
        "audit_draws",
        sa.Column("case_id", ROW_NUMBER, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("stratum", sa.String(32), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("is_drawn", sa.Boolean(), nullable=False),
        sa.Column("policy_version", sa.String(64), nullable=False),
        sa.Column("drawn_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("case_id", "revision", name="pk_audit_draws"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_audit_draws_case_id"),
    )
    op.create_table(
        "report_authors",
        sa.Column("case_id", ROW_NUMBER, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "version", name="pk_report_authors"),
        sa.ForeignKeyConstraint(
            ["case_id", "version"],
            ["report_versions.case_id", "report_versions.version"],
            name="fk_report_authors_case_id",
        ),
    )
    op.create_index("ix_report_authors_author", "report_authors", ["author"])
    for table in _TABLES:
        _guard(table)


def downgrade() -> None:
    """Refuse: going back would lose judgements."""
    raise RuntimeError("going back would lose second reads; restore a backup instead")


def _guard(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE DELETE OR TRUNCATE OR UPDATE ON {table} "
            "EXECUTE FUNCTION refuse_change()"
        )
        return
    refusal = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    op.execute(f"CREATE TRIGGER {table}_append_only_delete BEFORE DELETE ON {table} {refusal}")
    op.execute(f"CREATE TRIGGER {table}_append_only_update BEFORE UPDATE ON {table} {refusal}")
