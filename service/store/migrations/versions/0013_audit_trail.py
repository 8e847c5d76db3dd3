"""The audit trail.

Revision: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TABLE = "audit_trail"
_SAID = (
    "entry_id, happened_at, actor_name, actor_kind, actor_identifier, sent_from, action, outcome, what, "
    "subject, detail"
)
_SEAL = "position, hash"
TIME = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table, and let the database refuse what must not happen to it."""
    op.create_table(
        _TABLE,
        sa.Column("entry_id", ROW_NUMBER, nullable=False),
        sa.Column("happened_at", TIME, nullable=False),
        sa.Column("actor_name", sa.String(256), nullable=False),
        sa.Column("actor_kind", sa.String(16), nullable=False, server_default="PROGRAM"),
        sa.Column("actor_identifier", sa.String(320), nullable=False, server_default="unknown"),
        sa.Column("sent_from", sa.String(64), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("what", sa.String(256), nullable=False),
        sa.Column("subject", sa.String(320)),
        sa.Column("detail", sa.Text()),
        sa.Column("position", sa.BigInteger()),
        sa.Column("hash", sa.String(64)),
        sa.PrimaryKeyConstraint("entry_id", name="pk_audit_trail"),
        sa.UniqueConstraint("position", name="uq_audit_trail_position"),
    )
    op.create_index("ix_audit_trail_happened_at", _TABLE, ["happened_at"])
    op.create_index("ix_audit_trail_subject", _TABLE, ["subject"])
    unsealed = sa.text("position IS NULL")
    op.create_index(
        "ix_audit_trail_unsealed", _TABLE, ["entry_id"], sqlite_where=unsealed, postgresql_where=unsealed
    )
    if op.get_bind().dialect.name == "postgresql":
        _guard_on_postgresql()
    else:
        _guard_on_sqlite()


def downgrade() -> None:
    """Refuse: going back would lose who saw what."""
    raise RuntimeError("going back would lose the audit trail; restore a backup instead")


def _guard_on_postgresql() -> None:
    op.execute(
        f"CREATE TRIGGER {_TABLE}_append_only BEFORE DELETE OR TRUNCATE OR UPDATE OF {_SAID} ON {_TABLE} "
        "EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        f"CREATE TRIGGER {_TABLE}_sealed BEFORE UPDATE OF {_SEAL} ON {_TABLE} "
        "FOR EACH ROW WHEN (OLD.position IS NOT NULL) EXECUTE FUNCTION refuse_change()"
    )


def _guard_on_sqlite() -> None:
    refusal = f"BEGIN SELECT RAISE(ABORT, '{_TABLE} is append-only'); END"
    op.execute(f"CREATE TRIGGER {_TABLE}_append_only_delete BEFORE DELETE ON {_TABLE} {refusal}")
    op.execute(f"CREATE TRIGGER {_TABLE}_append_only_update BEFORE UPDATE OF {_SAID} ON {_TABLE} {refusal}")
    op.execute(
        f"CREATE TRIGGER {_TABLE}_sealed BEFORE UPDATE OF {_SEAL} ON {_TABLE} "
        f"WHEN OLD.position IS NOT NULL {refusal}"
    )
