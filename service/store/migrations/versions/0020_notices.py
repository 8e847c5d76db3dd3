"""Notices: messages to people and programs about cases that wait, sent through the outbox of the results.

Revision: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, and let a delivery be of a notice, which is of no single case."""
    op.create_table(
        "notices",
        sa.Column("notice_id", ROW_NUMBER, nullable=False),
        sa.Column("destination", sa.String(80), nullable=False),
        sa.Column("cause", sa.String(16), nullable=False),
        sa.Column("message_id", sa.String(64), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("notice_id", name="pk_notices"),
        sa.UniqueConstraint("message_id", name="uq_notices_message_id"),
    )
    op.create_index("ix_notices_destination_cause_made_at", "notices", ["destination", "cause", "made_at"])
    op.create_table(
        "notice_cases",
        sa.Column("destination", sa.String(80), nullable=False),
        sa.Column("cause", sa.String(16), nullable=False),
        sa.Column("case_id", ROW_NUMBER, nullable=False),
        sa.Column("waiting_since", TIME, nullable=False),
        sa.Column("notice_id", ROW_NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("destination", "cause", "case_id", "waiting_since", name="pk_notice_cases"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_notice_cases_case_id"),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.notice_id"], name="fk_notice_cases_notice_id"),
    )
    op.create_index("ix_notice_cases_notice_id", "notice_cases", ["notice_id"])
    op.create_index("ix_notice_cases_case_id", "notice_cases", ["case_id"])
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.alter_column("result_id", existing_type=ROW_NUMBER, nullable=True)
        deliveries.alter_column("case_id", existing_type=ROW_NUMBER, nullable=True)
        deliveries.alter_column(
            "destination", existing_type=sa.String(64), type_=sa.String(80), existing_nullable=False
        )
        deliveries.add_column(sa.Column("notice_id", ROW_NUMBER))
        deliveries.create_foreign_key("fk_deliveries_notice_id", "notices", ["notice_id"], ["notice_id"])
        deliveries.create_unique_constraint("uq_deliveries_notice_id", ["notice_id"])


def downgrade() -> None:
    """Refuse, as every revision does."""
    raise RuntimeError("there is no way back between revisions; restore a backup instead")
