"""The first tables, and the triggers that make some of them append-only.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Spelled out: a migration must not change when the schema module does.
TIME = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
APPEND_ONLY = ("report_versions", "triage_results", "triage_detections", "events")

_REFUSE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$
"""


def upgrade() -> None:
    """Make everything."""
    _create_cases()
    _create_quarantine()
    _create_studies()
    _create_events()
    _create_instances()
    _create_report_versions()
    _create_triage_results()
    _create_triage_detections()
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_REFUSE)
    for table in APPEND_ONLY:
        _make_append_only(table)


def downgrade() -> None:
    """Refuse: going back would lose what was acknowledged."""
    raise RuntimeError("there is nothing before the first revision; restore a backup instead")


def _make_append_only(table: str) -> None:
    """Let the database refuse every change and deletion of a row."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "EXECUTE FUNCTION refuse_change()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_append_only_{change.lower()} BEFORE {change} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def _create_cases() -> None:
    op.create_table(
        "cases",
        sa.Column("case_id", ROW_NUMBER, nullable=False),
        sa.Column("study_instance_uid", sa.String(64)),
        sa.Column("accession_number", sa.String(256)),
        sa.Column("patient_id", sa.String(256)),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("report_version", sa.Integer()),
        sa.Column("result_revision", sa.Integer()),
        sa.Column("priority", sa.Float(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("lease_owner", sa.String(128)),
        sa.Column("lease_until", TIME),
        sa.Column("failure", sa.Text()),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("case_id", name="pk_cases"),
        sa.UniqueConstraint("study_instance_uid", name="uq_cases_study_instance_uid"),
    )
    op.create_index("ix_cases_accession_number", "cases", ["accession_number"])
    op.create_index("ix_cases_state_due_at", "cases", ["state", "due_at"])
    op.create_index(
        "ix_cases_worklist", "cases", ["state", sa.literal_column("priority DESC"), "opened_at", "case_id"]
    )


def _create_quarantine() -> None:
    op.create_table(
        "quarantine",
        sa.Column("quarantine_id", ROW_NUMBER, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("source", sa.String(256), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("study_instance_uid", sa.String(256)),
        sa.Column("sop_instance_uid", sa.String(256)),
        sa.Column("accession_number", sa.String(256)),
        sa.Column("patient_id", sa.String(256)),
        sa.Column("report_status", sa.String(16)),
        sa.Column("report_charset", sa.String(64)),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("quarantine_id", name="pk_quarantine"),
        sa.UniqueConstraint("fingerprint", name="uq_quarantine_fingerprint"),
    )
    op.create_index("ix_quarantine_received_at", "quarantine", ["received_at"])


def _create_studies() -> None:
    op.create_table(
        "studies",
        sa.Column("study_instance_uid", sa.String(64), nullable=False),
        sa.Column("patient_id", sa.String(256)),
        sa.Column("accession_number", sa.String(256)),
        sa.Column("modality", sa.String(16)),
        sa.Column("body_part", sa.String(64)),
        sa.Column("description", sa.String(256)),
        sa.Column("study_date", sa.String(8)),
        sa.Column("patient_age_years", sa.Float()),
        sa.Column("patient_sex", sa.String(16)),
        sa.Column("first_received_at", TIME, nullable=False),
        sa.Column("last_received_at", TIME, nullable=False),
        sa.Column("closed_at", TIME),
        sa.PrimaryKeyConstraint("study_instance_uid", name="pk_studies"),
    )
    op.create_index("ix_studies_accession_number", "studies", ["accession_number"])
    op.create_index("ix_studies_closed_at_last_received_at", "studies", ["closed_at", "last_received_at"])


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("event_id", ROW_NUMBER, nullable=False),
        sa.Column("case_id", ROW_NUMBER, nullable=False),
        sa.Column("happened_at", TIME, nullable=False),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("state_before", sa.String(32)),
        sa.Column("state_after", sa.String(32), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(256), nullable=False),
        sa.Column("detail", sa.Text()),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_events_case_id"),
        sa.PrimaryKeyConstraint("event_id", name="pk_events"),
    )
    op.create_index("ix_events_case_id", "events", ["case_id"])


def _create_instances() -> None:
    op.create_table(
        "instances",
        sa.Column("sop_instance_uid", sa.String(64), nullable=False),
        sa.Column("study_instance_uid", sa.String(64), nullable=False),
        sa.Column("series_instance_uid", sa.String(64), nullable=False),
        sa.Column("sop_class_uid", sa.String(64), nullable=False),
        sa.Column("transfer_syntax_uid", sa.String(64), nullable=False),
        sa.Column("modality", sa.String(16)),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(256), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"], ["studies.study_instance_uid"], name="fk_instances_study_instance_uid"
        ),
        sa.PrimaryKeyConstraint("sop_instance_uid", name="pk_instances"),
        sa.UniqueConstraint("sha256", name="uq_instances_sha256"),
    )
    op.create_index("ix_instances_study_instance_uid", "instances", ["study_instance_uid"])


def _create_report_versions() -> None:
    op.create_table(
        "report_versions",
        sa.Column("case_id", ROW_NUMBER, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("source", sa.String(256), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_report_versions_case_id"),
        sa.PrimaryKeyConstraint("case_id", "version", name="pk_report_versions"),
        sa.UniqueConstraint("case_id", "status", "sha256", name="uq_report_versions_case_id_status_sha256"),
    )


def _create_triage_results() -> None:
    op.create_table(
        "triage_results",
        sa.Column("case_id", ROW_NUMBER, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("report_version", sa.Integer(), nullable=False),
        sa.Column("instances_sha256", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("priority", sa.Float(), nullable=False),
        sa.Column("actionable", sa.String(16), nullable=False),
        sa.Column("subspecialty", sa.String(64)),
        sa.Column("policy_version", sa.String(64), nullable=False),
        sa.Column("reader_name", sa.String(128), nullable=False),
        sa.Column("reader_version", sa.String(128), nullable=False),
        sa.Column("reader_sha256", sa.String(64), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("headline", sa.Text()),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("reading", sa.Text(), nullable=False),
        sa.Column("worker", sa.String(128), nullable=False),
        sa.Column("triaged_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id", "report_version"],
            ["report_versions.case_id", "report_versions.version"],
            name="fk_triage_results_report_version",
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_triage_results_case_id"),
        sa.PrimaryKeyConstraint("case_id", "revision", name="pk_triage_results"),
    )


def _create_triage_detections() -> None:
    op.create_table(
        "triage_detections",
        sa.Column("case_id", ROW_NUMBER, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("detector_name", sa.String(128), nullable=False),
        sa.Column("detector_version", sa.String(128), nullable=False),
        sa.Column("detector_sha256", sa.String(64), nullable=False),
        sa.Column("operating_point", sa.String(128), nullable=False),
        sa.Column("detection", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id", "revision"],
            ["triage_results.case_id", "triage_results.revision"],
            name="fk_triage_detections_triage_results",
        ),
        sa.PrimaryKeyConstraint("case_id", "revision", "position", name="pk_triage_detections"),
    )
