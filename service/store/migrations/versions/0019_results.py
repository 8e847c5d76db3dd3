"""Results for other systems: occasions on which one may be due, the results themselves, their deliveries.

Revision: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, and the column that tells our own objects from those received."""
    op.add_column("instances", sa.Column("result_of", ROW_NUMBER))
    _make_occasions()
    _make_results()
    _make_deliveries()


def _backlog_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
    ]


def _make_occasions() -> None:
    op.create_table(
        "result_occasions",
        sa.Column("occasion_id", ROW_NUMBER, nullable=False),
        sa.Column("case_id", ROW_NUMBER, nullable=False),
        sa.Column("moment", sa.String(16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("judgement_id", ROW_NUMBER),
        sa.Column("happened_at", TIME, nullable=False),
        *_backlog_columns(),
        sa.Column("concluded_at", TIME),
        sa.Column("detail", sa.Text()),
        sa.PrimaryKeyConstraint("occasion_id", name="pk_result_occasions"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_result_occasions_case_id"),
    )
    op.create_index("ix_result_occasions_state_due_at", "result_occasions", ["state", "due_at"])
    op.create_index("ix_result_occasions_case_id", "result_occasions", ["case_id"])


def _make_results() -> None:
    op.create_table(
        "results",
        sa.Column("result_id", ROW_NUMBER, nullable=False),
        sa.Column("occasion_id", ROW_NUMBER, nullable=False),
        sa.Column("case_id", ROW_NUMBER, nullable=False),
        sa.Column("form", sa.String(16), nullable=False),
        sa.Column("sop_instance_uid", sa.String(64)),
        sa.Column("message", sa.Text()),
        sa.Column("withdraws", sa.Boolean(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("result_id", name="pk_results"),
        sa.ForeignKeyConstraint(
            ["occasion_id"], ["result_occasions.occasion_id"], name="fk_results_occasion_id"
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_results_case_id"),
        sa.UniqueConstraint("occasion_id", "form", name="uq_results_occasion_id_form"),
    )
    op.create_index("ix_results_case_id_form", "results", ["case_id", "form"])
    op.create_index("ix_results_sop_instance_uid", "results", ["sop_instance_uid"])


def _make_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("delivery_id", ROW_NUMBER, nullable=False),
        sa.Column("result_id", ROW_NUMBER, nullable=False),
        sa.Column("case_id", ROW_NUMBER, nullable=False),
        sa.Column("destination", sa.String(64), nullable=False),
        *_backlog_columns(),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("concluded_at", TIME),
        sa.Column("detail", sa.Text()),
        sa.Column("commitment", sa.String(16)),
        sa.Column("transaction_uid", sa.String(64)),
        sa.PrimaryKeyConstraint("delivery_id", name="pk_deliveries"),
        sa.ForeignKeyConstraint(["result_id"], ["results.result_id"], name="fk_deliveries_result_id"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_deliveries_case_id"),
        sa.UniqueConstraint("result_id", "destination", name="uq_deliveries_result_id_destination"),
    )
    op.create_index(
        "ix_deliveries_destination_state_due_at", "deliveries", ["destination", "state", "due_at"]
    )
    op.create_index("ix_deliveries_state_due_at", "deliveries", ["state", "due_at"])
    op.create_index("ix_deliveries_transaction_uid", "deliveries", ["transaction_uid"])
    op.create_index("ix_deliveries_case_id", "deliveries", ["case_id"])


def downgrade() -> None:
    """Refuse, as every revision does."""
    raise RuntimeError("there is no way back between revisions; restore a backup instead")
