"""Metadata that all tables share: how constraints are named, and the columns of an actor."""

from sqlalchemy import Column, MetaData, String

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def actor_columns_of_table() -> tuple[Column[str], ...]:
    """Columns of an actor, as `overread.actor.Actor` has it."""
    return (
        Column("actor_name", String(256), nullable=False),  # as a person is shown it
        Column("actor_kind", String(16), nullable=False, server_default="PROGRAM"),  # or PERSON
        Column("actor_identifier", String(320), nullable=False, server_default="unknown"),
    )
