"""An index for the room of the quarantine: how many entries keep their bytes, and how many those are.

Revision: 0014
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_quarantine_removed_at_size_bytes", "quarantine", ["removed_at", "size_bytes"])


def downgrade() -> None:
    """Refuse, as every revision does."""
    raise RuntimeError("there is no way back between revisions; restore a backup instead")
