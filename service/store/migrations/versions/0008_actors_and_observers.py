"""Actors with identifier and kind, observers in place of readers, and the size of images.

Revision: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_NOT_A_PERSON = "(actor_name = 'policy' OR actor_name LIKE 'overread %')"
_REVISED_BY_POLICY = "(event = 'REVISED' AND detail LIKE 'policy %')"
# A result that no worker claimed was weighed again when a policy was changed or a finding brought back.
_UNCLAIMED = (
    "(event LIKE 'FOUND%' AND NOT EXISTS (SELECT 1 FROM events AS claim WHERE claim.case_id = events.case_id "
    "AND claim.event = 'CLAIMED' AND claim.actor_name = events.actor_name))"
)
_BY_PERSON = {
    "events": (
        "event IN ('RETRIED', 'RESTORED') OR "
        f"((event = 'POLICY_CHANGED' OR {_REVISED_BY_POLICY} OR {_UNCLAIMED}) AND NOT {_NOT_A_PERSON})"
    ),
    "policies": f"NOT {_NOT_A_PERSON}",
    "quarantine_actions": "1 = 1",
}


def upgrade() -> None:
    """Rename and add the columns; let the rows that are there say who acted as far as it can be told."""
    for part in ("name", "version", "sha256"):
        op.execute(f"ALTER TABLE triage_results RENAME COLUMN reader_{part} TO observer_{part}")
    for table, by_person in _BY_PERSON.items():
        op.execute(f"ALTER TABLE {table} RENAME COLUMN actor TO actor_name")
        op.add_column(table, sa.Column("actor_kind", sa.String(16), nullable=False, server_default="PROGRAM"))
        op.add_column(
            table, sa.Column("actor_identifier", sa.String(320), nullable=False, server_default="unknown")
        )
        _fill(table, by_person)
    for name in ("rows", "columns"):
        op.add_column("instances", sa.Column(name, sa.Integer))


def downgrade() -> None:
    """Refuse: going back would lose who acted."""
    raise RuntimeError("going back would lose who acted; restore a backup instead")


def _fill(table: str, by_person: str) -> None:
    """Give the rows that are there kind and identifier; the table takes no changes before and after."""
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    space = "strpos(actor_name, ' ')" if is_postgresql else "instr(actor_name, ' ')"
    program = (
        f"CASE WHEN {space} > 0 "
        f"THEN lower(substr(actor_name, 1, {space} - 1)) || ':' || substr(actor_name, {space} + 1) "
        "ELSE actor_name END"
    )
    if is_postgresql:
        op.execute(f"ALTER TABLE {table} DISABLE TRIGGER {table}_append_only")
    else:
        op.execute(f"DROP TRIGGER {table}_append_only_update")
    op.execute(f"UPDATE {table} SET actor_kind = CASE WHEN {by_person} THEN 'PERSON' ELSE 'PROGRAM' END")
    op.execute(
        f"UPDATE {table} SET actor_identifier = "
        f"CASE WHEN actor_kind = 'PERSON' THEN 'unverified:' || actor_name ELSE {program} END"
    )
    if is_postgresql:
        op.execute(f"ALTER TABLE {table} ENABLE TRIGGER {table}_append_only")
    else:
        op.execute(
            f"CREATE TRIGGER {table}_append_only_update BEFORE UPDATE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
