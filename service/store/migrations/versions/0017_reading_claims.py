"""Who has taken up which case for a second read.

Revision: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0015"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "reading_claims",
        sa.Column("case_id", ROW_NUMBER, nullable=False),
        sa.Column("actor_name", sa.String(256), nullable=False),
        sa.Column("actor_kind", sa.String(16), nullable=False, server_default="PROGRAM"),
        sa.Column("actor_identifier", sa.String(320), nullable=False, server_default="unknown"),
        sa.Column("claimed_at", TIME, nullable=False),
        sa.Column("held_until", TIME, nullable=False),
        sa.Column("assigned_by", sa.String(256)),
        sa.PrimaryKeyConstraint("case_id", name="pk_reading_claims"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_reading_claims_case_id"),
    )
    op.create_index(
        "ix_reading_claims_actor_identifier", "reading_claims", ["actor_identifier", "held_until"]
    )


def downgrade() -> None:
    """Refuse, as every revision does."""
    raise RuntimeError("there is no way back between revisions; restore a backup instead")
