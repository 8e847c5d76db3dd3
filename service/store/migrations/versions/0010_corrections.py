"""Corrections of quarantine entries, under the name that everybody uses.

Revision: 0010
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TABLE = "quarantine_actions"


def upgrade() -> None:
    """Rename the column and the action; the table takes no changes before and after."""
    op.execute(f"ALTER TABLE {_TABLE} RENAME COLUMN mending TO correction")
    renamed = f"UPDATE {_TABLE} SET action = 'CORRECTED' WHERE action = 'MENDED'"
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE {_TABLE} DISABLE TRIGGER {_TABLE}_append_only")
        op.execute(renamed)
        op.execute(f"ALTER TABLE {_TABLE} ENABLE TRIGGER {_TABLE}_append_only")
        return
    op.execute(f"DROP TRIGGER {_TABLE}_append_only_update")
    op.execute(renamed)
    op.execute(
        f"CREATE TRIGGER {_TABLE}_append_only_update BEFORE UPDATE ON {_TABLE} "
        f"BEGIN SELECT RAISE(ABORT, '{_TABLE} is append-only'); END"
    )


def downgrade() -> None:
    """Refuse, as every revision does."""
    raise RuntimeError("there is no way back between revisions; restore a backup instead")
