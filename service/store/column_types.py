"""Types of the columns: times, row numbers, UIDs and hashes.

Times are aware and UTC in Python. PostgreSQL keeps them as `timestamptz`; SQLite as UTC text of fixed width,
which sorts as time does.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Dialect, Integer, String, TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time in both databases; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time as the database takes it."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the store takes aware times only")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Return the aware UTC time."""
        if value is None:
            return None
        stored: datetime = value
        return stored.replace(tzinfo=UTC) if dialect.name == "sqlite" else stored.astimezone(UTC)


# SQLite numbers rows by itself only in a column of exactly the type INTEGER.
RowNumber = BigInteger().with_variant(Integer(), "sqlite")
Uid = String(64)
Sha256 = String(64)


def actor_columns() -> tuple[Column[str], ...]:
    """Return columns of an actor, as `overread.actor.Actor` has it."""
    return (
        Column("actor_name", String(256), nullable=False),  # as a person is shown it
        Column("actor_kind", String(16), nullable=False, server_default="PROGRAM"),  # or PERSON
        Column("actor_identifier", String(320), nullable=False, server_default="unknown"),
    )
