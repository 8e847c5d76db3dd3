"""The tables of who reads what, and of the views that people keep, as SQLAlchemy sees them."""

from sqlalchemy import Column, ForeignKey, Index, String, Table, UniqueConstraint

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

# A way of looking at the list that a person keeps under a name.
saved_views = Table(
    "saved_views",
    metadata,
    Column("view_id", RowNumber, primary_key=True),
    Column("owner", String(320), nullable=False),  # identifier of the actor
    Column("name", String(60), nullable=False),
    Column("query", String(1000), nullable=False),  # of the address of the list; never a patient's identifier
    Column("saved_at", UtcDateTime, nullable=False),
    UniqueConstraint("owner", "name", name="uq_saved_views_owner"),
)
