"""The index of the worklist holds what its groups are told apart by, so that the walk stays in the index.

Revision: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index again, with three columns more."""
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
        ],
    )


def downgrade() -> None:
    """Refuse, as every revision does."""
    raise RuntimeError("there is no way back between revisions; restore a backup instead")
