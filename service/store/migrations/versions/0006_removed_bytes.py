"""Time and reason of a removal of bytes; the row stays. Indexes for walking through both kinds of bytes.

Revision: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the columns; nothing has been removed so far."""
    for table in ("instances", "quarantine"):
        op.add_column(table, sa.Column("removed_at", TIME))
        op.add_column(table, sa.Column("removed_why", sa.String(256)))
        op.create_index(f"ix_{table}_removed_at_received_at", table, ["removed_at", "received_at"])
    op.create_index("ix_quarantine_sha256", "quarantine", ["sha256"])


def downgrade() -> None:
    """Refuse: going back would lose what was removed and why."""
    raise RuntimeError("going back would lose what was removed and why; restore a backup instead")
