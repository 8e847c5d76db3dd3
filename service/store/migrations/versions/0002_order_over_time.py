"""Order over time: how long a case waits, for whom, under which policy; the policies; issuers of patient ids.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns and the table; what is on the list has waited since it last changed."""
    op.add_column("studies", sa.Column("issuer_of_patient_id", sa.String(256)))
    op.create_index("ix_studies_patient_id_study_date", "studies", ["patient_id", "study_date"])
    op.add_column("cases", sa.Column("waiting_since", TIME))
    op.add_column("cases", sa.Column("overdue_at", TIME))
    op.add_column("cases", sa.Column("open_to_all_at", TIME))
    op.add_column("cases", sa.Column("subspecialty", sa.String(64)))
    op.add_column("cases", sa.Column("policy_version", sa.String(64)))
    op.create_index("ix_cases_overdue", "cases", ["state", "overdue_at", "case_id"])
    op.create_index("ix_cases_state_policy_version", "cases", ["state", "policy_version"])
    # The rest follows as soon as a worker or a policy command looks: NULL is never the version in force.
    op.execute("UPDATE cases SET waiting_since = updated_at WHERE state = 'LISTED'")
    _create_policies()


def downgrade() -> None:
    """Refuse: going back would lose what was recorded."""
    raise RuntimeError("going back would lose the record of policies; restore a backup instead")


def _create_policies() -> None:
    op.create_table(
        "policies",
        sa.Column("policy_id", ROW_NUMBER, nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(256), nullable=False),
        sa.Column("in_force_from", TIME, nullable=False),
        sa.PrimaryKeyConstraint("policy_id", name="pk_policies"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER policies_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON policies "
            "EXECUTE FUNCTION refuse_change()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER policies_append_only_{change.lower()} BEFORE {change} ON policies "
            "BEGIN SELECT RAISE(ABORT, 'policies is append-only'); END"
        )
