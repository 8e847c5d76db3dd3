"""Detections of detectors in shadow.

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table, append-only."""
    op.create_table(
        "shadow_detections",
        sa.Column("case_id", ROW_NUMBER, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("detector_name", sa.String(128), nullable=False),
        sa.Column("detector_version", sa.String(128), nullable=False),
        sa.Column("detector_sha256", sa.String(64), nullable=False),
        sa.Column("detection", sa.Text()),
        sa.Column("failure", sa.Text()),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("worker", sa.String(128), nullable=False),
        sa.Column("looked_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id", "revision"],
            ["triage_results.case_id", "triage_results.revision"],
            name="fk_shadow_detections_triage_results",
        ),
        sa.PrimaryKeyConstraint("case_id", "revision", "position", name="pk_shadow_detections"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER shadow_detections_append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
            "ON shadow_detections EXECUTE FUNCTION refuse_change()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER shadow_detections_append_only_{change.lower()} BEFORE {change} "
            "ON shadow_detections BEGIN SELECT RAISE(ABORT, 'shadow_detections is append-only'); END"
        )


def downgrade() -> None:
    """Refuse: going back would lose what was recorded."""
    raise RuntimeError("going back would lose what was seen in shadow; restore a backup instead")
