"""The table of who reads what, as SQLAlchemy sees it."""

from sqlalchemy import Column, ForeignKey, Index, String, Table

from service.store.column_types import RowNumber, UtcDateTime, actor_columns
from service.store.metadata import metadata

# Who has taken up which case for a second read, until when. What happened is in the history of the case.
reading_claims = Table(
    "reading_claims",
    metadata,
    Column("case_id", RowNumber, ForeignKey("cases.case_id"), primary_key=True),
    *actor_columns(),  # who has it
    Column("claimed_at", UtcDateTime, nullable=False),
    Column("held_until", UtcDateTime, nullable=False),  # nobody's from then on
    Column("assigned_by", String(256)),  # name of who gave it to the reader; null where the reader took it
    Index("ix_reading_claims_actor_identifier", "actor_identifier", "held_until"),
)
