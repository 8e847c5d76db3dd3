"""Times at which versions of reports were made, and what was sent; the same text may come again.

Revision: 0011
"""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TABLE = "report_versions"
_KEPT = "case_id, version, status, text, sha256, source, received_at"
_ADDENDUM = "\n\nADDENDUM:\n"
TIME = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns, drop the constraint, and fill in what was sent; the table takes no changes else."""
    op.add_column("quarantine", sa.Column("report_issued_at", TIME))
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE {_TABLE} DISABLE TRIGGER {_TABLE}_append_only")
        op.drop_constraint(f"uq_{_TABLE}_case_id_status_sha256", _TABLE, type_="unique")
        op.add_column(_TABLE, sa.Column("sent_text", sa.Text()))
        op.add_column(_TABLE, sa.Column("issued_at", TIME))
        _fill_sent_text()
        op.execute(f"ALTER TABLE {_TABLE} ENABLE TRIGGER {_TABLE}_append_only")
        return
    _make_anew()
    _fill_sent_text()
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {_TABLE}_append_only_{change.lower()} BEFORE {change} ON {_TABLE} "
            f"BEGIN SELECT RAISE(ABORT, '{_TABLE} is append-only'); END"
        )


def downgrade() -> None:
    """Refuse, as every revision does."""
    raise RuntimeError("there is no way back between revisions; restore a backup instead")


def _make_anew() -> None:
    """Make the table again, since SQLite drops no constraint; its triggers go with the old one."""
    op.execute("PRAGMA defer_foreign_keys = ON")  # until the commit: rows of results refer to these
    op.execute(f"CREATE TEMPORARY TABLE moved_versions AS SELECT {_KEPT} FROM {_TABLE}")
    op.drop_table(_TABLE)
    op.create_table(
        _TABLE,
        sa.Column("case_id", ROW_NUMBER, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sent_text", sa.Text()),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("source", sa.String(256), nullable=False),
        sa.Column("issued_at", TIME),
        sa.Column("received_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_report_versions_case_id"),
        sa.PrimaryKeyConstraint("case_id", "version", name="pk_report_versions"),
    )
    op.execute(f"INSERT INTO {_TABLE} ({_KEPT}) SELECT {_KEPT} FROM moved_versions")
    op.execute("DROP TABLE moved_versions")


def _fill_sent_text() -> None:
    """Give each addendum that was added to a report the text that was sent, which its hash tells."""
    connection = op.get_bind()
    addenda = connection.execute(
        sa.text(f"SELECT case_id, version, text, sha256 FROM {_TABLE} WHERE status = 'ADDENDUM'")
    ).all()
    fill = sa.text(f"UPDATE {_TABLE} SET sent_text = :sent WHERE case_id = :case_id AND version = :version")
    for addendum in addenda:
        parts = addendum.text.split(_ADDENDUM)
        ends = (_ADDENDUM.join(parts[number:]) for number in range(1, len(parts)))
        sent = next((end for end in ends if _sha256(end) == addendum.sha256), None)
        if sent is not None:
            named = {"case_id": addendum.case_id, "version": addendum.version}
            connection.execute(fill, {"sent": sent, **named})


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
