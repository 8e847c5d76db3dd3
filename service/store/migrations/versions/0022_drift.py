"""What studies look like, and the looks at windows of them; a notice may be of such a look.

Everything is added and nothing else changed, so that the release before goes on writing: its cases have no
appearance, and what it erases takes the appearance with it.

Revision: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables and the column."""
    op.create_table(
        "appearances",
        sa.Column("case_id", ROW_NUMBER, nullable=False),
        sa.Column("triaged_at", TIME, nullable=False),
        sa.Column("appearance", sa.Text()),
        sa.PrimaryKeyConstraint("case_id", name="pk_appearances"),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.case_id"], name="fk_appearances_case_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_appearances_triaged_at_case_id", "appearances", ["triaged_at", "case_id"])
    op.create_table(
        "drift_looks",
        sa.Column("look_id", ROW_NUMBER, nullable=False),
        *(
            sa.Column(name, TIME, nullable=False)
            for name in ("reference_from", "reference_until", "window_from", "window_until", "looked_at")
        ),
        sa.Column("reference_cases", sa.Integer(), nullable=False),
        sa.Column("window_cases", sa.Integer(), nullable=False),
        sa.Column("false_alarms", sa.Float(), nullable=False),
        sa.Column("alarms", sa.Integer(), nullable=False),
        sa.Column("channels", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("look_id", name="pk_drift_looks"),
        sa.UniqueConstraint(
            "reference_from", "reference_until", "window_from", "window_until", name="uq_drift_looks_windows"
        ),
    )
    op.create_index("ix_drift_looks_looked_at", "drift_looks", ["looked_at"])
    op.add_column("notices", sa.Column("look_id", ROW_NUMBER))


def downgrade() -> None:
    """Refuse, as every revision does."""
    raise RuntimeError("there is no way back between revisions; restore a backup instead")
