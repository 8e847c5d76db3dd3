"""The tables of drift: what studies looked like at their triage, and the looks at two windows of them."""

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from service.store.column_types import RowNumber, UtcDateTime
from service.store.metadata import metadata

# One row for each case that was triaged, of its first triage; a later one that saw images puts them in.
appearances = Table(
    "appearances",
    metadata,
    Column("case_id", RowNumber, ForeignKey("cases.case_id", ondelete="CASCADE"), primary_key=True),
    Column("triaged_at", UtcDateTime, nullable=False),  # for the first time
    Column("appearance", Text),  # JSON of overread.appearance.Appearance; null where no detector says
    Index("ix_appearances_triaged_at_case_id", "triaged_at", "case_id"),
)

# One comparison of a window with the reference: its key is "once". Holds nothing of a patient.
drift_looks = Table(
    "drift_looks",
    metadata,
    Column("look_id", RowNumber, primary_key=True),
    Column("reference_from", UtcDateTime, nullable=False),
    Column("reference_until", UtcDateTime, nullable=False),
    Column("window_from", UtcDateTime, nullable=False),
    Column("window_until", UtcDateTime, nullable=False),
    Column("looked_at", UtcDateTime, nullable=False),
    Column("reference_cases", Integer, nullable=False),  # that were compared
    Column("window_cases", Integer, nullable=False),
    Column("false_alarms", Float, nullable=False),  # of each channel, at this look
    Column("alarms", Integer, nullable=False),  # channels that differ
    Column("channels", Text, nullable=False),  # JSON of service.store.drift.ChannelLooks
    UniqueConstraint(
        "reference_from", "reference_until", "window_from", "window_until", name="uq_drift_looks_windows"
    ),
    Index("ix_drift_looks_looked_at", "looked_at"),
)
