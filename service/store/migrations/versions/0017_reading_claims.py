"""Who has taken up which case for a second read, views that people keep, and what the list is filtered by.

Revision: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TOLD_APART_BY = (
    "overdue_at",
    "subspecialty",
    "open_to_all_at",
    "site",
    "finding",
    "kind",
    "actionable",
    "modality",
    "waiting_since",
    "priority",
)
_ORDERS = {
    "ix_cases_worklist": ("priority DESC", "opened_at", "case_id"),
    "ix_cases_overdue": ("overdue_at", "case_id"),
    "ix_cases_waiting": ("waiting_since", "case_id"),
}
# The latest result of a case, as either database reads its JSON: in an envelope with its format, or without.
_LATEST = (
    "FROM triage_results WHERE triage_results.case_id = cases.case_id "
    "AND triage_results.revision = cases.result_revision"
)
_SAID = {
    "sqlite": "COALESCE(json_extract(headline, '$.value.{0}'), json_extract(headline, '$.{0}'))",
    "postgresql": "COALESCE(headline::json -> 'value' ->> '{0}', headline::json ->> '{0}')",
}
_SECOND_READ_EVENTS = "event IN ('FOUND_DISCREPANT', 'READ_CLAIMED', 'JUDGED')"


def upgrade() -> None:
    """Make the tables, add the columns, fill them from the latest results, and make the indexes again."""
    _make_claims()
    _make_views()
    for name, length in (("finding", 128), ("kind", 32), ("actionable", 16), ("modality", 16)):
        op.add_column("cases", sa.Column(name, sa.String(length)))
    _fill_columns()
    op.drop_index("ix_cases_worklist", "cases")
    op.drop_index("ix_cases_overdue", "cases")
    for name, order in _ORDERS.items():
        named = {column.partition(" ")[0] for column in order}
        rest = [column for column in _TOLD_APART_BY if column not in named]
        op.create_index(name, "cases", [sa.literal_column(column) for column in ("state", *order, *rest)])
    for name, others in (("modality", []), ("site", ["state"]), ("patient_id", [])):
        op.create_index(f"ix_cases_{name}", "cases", [name, *others])
    op.create_index(
        "ix_events_second_read",
        "events",
        ["event", "happened_at"],
        sqlite_where=sa.text(_SECOND_READ_EVENTS),
        postgresql_where=sa.text(_SECOND_READ_EVENTS),
    )


def _fill_columns() -> None:
    said = _SAID[op.get_bind().dialect.name]
    op.execute(
        f"UPDATE cases SET finding = (SELECT {said.format('finding')} {_LATEST}), "
        f"kind = (SELECT {said.format('kind')} {_LATEST}), "
        f"actionable = (SELECT actionable {_LATEST}) WHERE state = 'LISTED'"
    )
    op.execute(
        "UPDATE cases SET modality = (SELECT modality FROM studies "
        "WHERE studies.study_instance_uid = cases.study_instance_uid) WHERE result_revision IS NOT NULL"
    )


def _make_claims() -> None:
    op.create_table(
        "reading_claims",
        sa.Column("case_id", ROW_NUMBER, nullable=False),
        sa.Column("actor_name", sa.String(256), nullable=False),
        sa.Column("actor_kind", sa.String(16), nullable=False, server_default="PROGRAM"),
        sa.Column("actor_identifier", sa.String(320), nullable=False, server_default="unknown"),
        sa.Column("claimed_at", TIME, nullable=False),
        sa.Column("held_until", TIME, nullable=False),
        sa.Column("assigned_by", sa.String(256)),
        sa.PrimaryKeyConstraint("case_id", name="pk_reading_claims"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_reading_claims_case_id"),
    )
    op.create_index(
        "ix_reading_claims_actor_identifier", "reading_claims", ["actor_identifier", "held_until"]
    )


def _make_views() -> None:
    op.create_table(
        "saved_views",
        sa.Column("view_id", ROW_NUMBER, nullable=False),
        sa.Column("owner", sa.String(320), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("query", sa.String(1000), nullable=False),
        sa.Column("saved_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("view_id", name="pk_saved_views"),
        sa.UniqueConstraint("owner", "name", name="uq_saved_views_owner"),
    )


def downgrade() -> None:
    """Refuse, as every revision does."""
    raise RuntimeError("there is no way back between revisions; restore a backup instead")
