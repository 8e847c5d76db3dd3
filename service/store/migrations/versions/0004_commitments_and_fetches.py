"""Storage commitments to report, and studies to fetch from the PACS.

Revision: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the two tables."""
    op.create_table(
        "commitments",
        sa.Column("commitment_id", ROW_NUMBER, nullable=False),
        sa.Column("transaction_uid", sa.String(64), nullable=False),
        sa.Column("requestor", sa.String(16), nullable=False),
        sa.Column("called", sa.String(16), nullable=False),
        sa.Column("instances", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("concluded_at", TIME),
        sa.Column("detail", sa.Text()),
        sa.PrimaryKeyConstraint("commitment_id", name="pk_commitments"),
        sa.UniqueConstraint("requestor", "transaction_uid", name="uq_commitments_requestor_transaction_uid"),
    )
    op.create_index("ix_commitments_state_due_at", "commitments", ["state", "due_at"])
    op.create_table(
        "fetches",
        sa.Column("fetch_id", ROW_NUMBER, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("concluded_at", TIME),
        sa.Column("detail", sa.Text()),
        sa.PrimaryKeyConstraint("fetch_id", name="pk_fetches"),
        sa.UniqueConstraint("kind", "subject", name="uq_fetches_kind_subject"),
    )
    op.create_index("ix_fetches_state_due_at", "fetches", ["state", "due_at"])


def downgrade() -> None:
    """Refuse: going back would break what was promised to senders."""
    raise RuntimeError("going back would lose what was promised to senders; restore a backup instead")
