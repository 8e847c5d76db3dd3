"""Which releases may work on the tables: told beside the revision, so that an older one can go on.

Revision: 0023
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None
usable_from = "0023"  # earlier releases know their own revision alone


def upgrade() -> None:
    """Add the column."""
    op.add_column("alembic_version", sa.Column("usable_from", sa.String(32)))


def downgrade() -> None:
    """Refuse, as every revision does."""
    raise RuntimeError("there is no way back between revisions; restore a backup instead")
