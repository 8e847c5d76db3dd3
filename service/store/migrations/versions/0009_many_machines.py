"""Named leases, the workers that live, and the registry of detectors, for an installation of many machines.

Revision: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "leases",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.create_table(
        "workers",
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("host", sa.String(256), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("release", sa.String(64), nullable=False),
        sa.Column("detectors", sa.Text(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("case_id", ROW_NUMBER),
        sa.PrimaryKeyConstraint("name", name="pk_workers"),
    )
    op.create_table(
        "detector_registry",
        sa.Column("change_id", ROW_NUMBER, nullable=False),
        sa.Column("happened_at", TIME, nullable=False),
        sa.Column("actor_name", sa.String(256), nullable=False),
        sa.Column("actor_kind", sa.String(16), nullable=False, server_default="PROGRAM"),
        sa.Column("actor_identifier", sa.String(320), nullable=False, server_default="unknown"),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("release", sa.Text(), nullable=False),
        sa.Column("version", sa.Text()),
        sa.Column("manifest_sha256", sa.String(64)),
        sa.Column("replaced", sa.Text()),
        sa.Column("gate", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("detectors", sa.Text()),
        sa.PrimaryKeyConstraint("change_id", name="pk_detector_registry"),
    )
    _make_append_only("detector_registry")


def downgrade() -> None:
    """Refuse: going back would lose who let which detector run."""
    raise RuntimeError("going back would lose who let which detector run; restore a backup instead")


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
