"""Sites of cases and people, log-outs that a provider tells, and tokens that a restore suspends.

Revision: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add columns and a table, and make the index of the worklist again with the site."""
    for table in ("studies", "cases", "quarantine"):
        op.add_column(table, sa.Column("site", sa.String(64)))
    op.drop_index("ix_cases_worklist", "cases")
    op.create_index(
        "ix_cases_worklist",
        "cases",
        [
            "state",
            sa.literal_column("priority DESC"),
            "opened_at",
            "case_id",
            "overdue_at",
            "subspecialty",
            "open_to_all_at",
            "site",
        ],
    )
    op.add_column("people", sa.Column("sites", sa.Text()))
    op.add_column("people", sa.Column("subspecialties", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("sessions", sa.Column("provider_session", sa.String(255)))
    op.add_column("access_tokens", sa.Column("sites", sa.Text()))
    op.add_column("access_tokens", sa.Column("suspended_at", TIME))
    op.create_table(
        "provider_logouts",
        sa.Column("token_sha256", sa.String(64), nullable=False),
        sa.Column("kept_until", TIME, nullable=False),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_provider_logouts"),
    )


def downgrade() -> None:
    """Refuse, as every revision does."""
    raise RuntimeError("there is no way back between revisions; restore a backup instead")
