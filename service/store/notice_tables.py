"""The tables of notices: what somebody is told by a message, and of which cases."""

from sqlalchemy import Column, ForeignKey, Index, PrimaryKeyConstraint, String, Table, UniqueConstraint

from service.store.column_types import RowNumber, UtcDateTime
from service.store.metadata import metadata

# One message to one destination. What it says is made of its cases whenever it is sent.
notices = Table(
    "notices",
    metadata,
    Column("notice_id", RowNumber, primary_key=True),
    Column("destination", String(80), nullable=False),  # as deliveries name it
    Column("cause", String(16), nullable=False),  # service.store.notices.Cause
    Column("message_id", String(64), nullable=False),  # the same at every attempt to send it
    Column("made_at", UtcDateTime, nullable=False),
    Column("look_id", RowNumber),  # of service.store.drift that it tells of; null where it tells of cases
    UniqueConstraint("message_id", name="uq_notices_message_id"),
    Index("ix_notices_destination_cause_made_at", "destination", "cause", "made_at"),
)

# What a destination is told of a case, and why: its key is "once". A wait that begins anew is another.
notice_cases = Table(
    "notice_cases",
    metadata,
    Column("destination", String(80)),
    Column("cause", String(16)),
    Column("case_id", RowNumber, ForeignKey("cases.case_id")),
    Column("waiting_since", UtcDateTime),
    Column("notice_id", RowNumber, ForeignKey("notices.notice_id"), nullable=False),
    PrimaryKeyConstraint("destination", "cause", "case_id", "waiting_since", name="pk_notice_cases"),
    Index("ix_notice_cases_notice_id", "notice_id"),
    Index("ix_notice_cases_case_id", "case_id"),
)
