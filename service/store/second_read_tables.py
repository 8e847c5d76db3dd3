"""The tables of the second read: what second readers did with a case, and the draws for the audit."""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from service.store.column_types import RowNumber, Sha256, UtcDateTime, actor_columns
from service.store.metadata import metadata

# What a second reader did with one revision of a case, in order. The database refuses every change.
second_reads = Table(
    "second_reads",
    metadata,
    Column("read_id", RowNumber, primary_key=True),
    Column("case_id", RowNumber, ForeignKey("cases.case_id"), nullable=False),
    Column("revision", Integer, nullable=False),  # of the triage result that is judged
    Column("act", String(16), nullable=False),  # service.store.second_reads.ReadAct
    Column("happened_at", UtcDateTime, nullable=False),
    *actor_columns(),
    Column("submission", String(100), nullable=False),  # what a sender repeats when it sends again
    Column("content_sha256", Sha256, nullable=False),  # of what was sent under it
    Column("content", Text),  # JSON of overread.second_read.OwnRead or Judgement; null of the other acts
    Column("undoes", RowNumber, ForeignKey("second_reads.read_id")),  # null of all but UNDONE
    Column("concludes", Boolean, nullable=False),  # whether it made the case JUDGED
    UniqueConstraint("submission", name="uq_second_reads_submission"),
    UniqueConstraint("undoes", name="uq_second_reads_undoes"),
    Index("ix_second_reads_case_id", "case_id", "read_id"),
)

# Who wrote a version of a report, where its sender says so: nobody is shown it, a judgement is told to them.
# A table of its own, so that no reading of a report brings the name along.
report_authors = Table(
    "report_authors",
    metadata,
    Column("case_id", RowNumber, nullable=False, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("author", String(200), nullable=False),  # as an account is named: service.store.people.folded
    ForeignKeyConstraint(
        ["case_id", "version"],
        ["report_versions.case_id", "report_versions.version"],
        name="fk_report_authors_case_id",
    ),
    Index("ix_report_authors_author", "author"),
)

# The draw of each concordant result, whether it was drawn or not: from both a share of all is estimated.
audit_draws = Table(
    "audit_draws",
    metadata,
    Column("case_id", RowNumber, ForeignKey("cases.case_id"), nullable=False, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("stratum", String(32), nullable=False),  # overread.audit_sample.AuditStratum
    Column("probability", Float, nullable=False),  # of being drawn, in [0, 1]
    Column("is_drawn", Boolean, nullable=False),
    Column("policy_version", String(64), nullable=False),
    Column("drawn_at", UtcDateTime, nullable=False),
)
