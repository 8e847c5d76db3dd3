"""Actions on quarantine entries and their states, and items that an import has taken already.

Revision: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Let everything that was refused so far wait for a person; add the two tables."""
    op.add_column(
        "quarantine", sa.Column("state", sa.String(16), nullable=False, server_default=sa.text("'WAITING'"))
    )
    op.add_column("quarantine", sa.Column("case_id", ROW_NUMBER))
    op.create_index("ix_quarantine_state_received_at", "quarantine", ["state", "received_at"])
    op.create_table(
        "quarantine_actions",
        sa.Column("action_id", ROW_NUMBER, nullable=False),
        sa.Column("quarantine_id", ROW_NUMBER, nullable=False),
        sa.Column("happened_at", TIME, nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(256), nullable=False),
        sa.Column("detail", sa.Text()),
        sa.Column("mending", sa.Text()),
        sa.ForeignKeyConstraint(
            ["quarantine_id"], ["quarantine.quarantine_id"], name="fk_quarantine_actions_quarantine_id"
        ),
        sa.PrimaryKeyConstraint("action_id", name="pk_quarantine_actions"),
    )
    op.create_index("ix_quarantine_actions_quarantine_id", "quarantine_actions", ["quarantine_id"])
    op.create_table(
        "imports",
        sa.Column("item_sha256", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("imported_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("item_sha256", name="pk_imports"),
    )
    _make_append_only("quarantine_actions")


def downgrade() -> None:
    """Refuse: going back would lose who decided what."""
    raise RuntimeError("going back would lose what was done with refused things; restore a backup instead")


def _make_append_only(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "EXECUTE FUNCTION refuse_change()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_append_only_{change.lower()} BEFORE {change} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
