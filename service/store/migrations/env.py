"""Runs the migrations on the connection that `service.store.migration` hands over."""

from typing import Any

from alembic import context
from sqlalchemy import text

from service.store.migration import FIRST_TO_TELL, usable_from
from service.store.schema import metadata

_TELL = text("UPDATE alembic_version SET usable_from = :oldest")


def note_usable_from(ctx: object, step: Any, heads: object, run_args: object) -> None:  # noqa: ARG001
    """Put down beside the revision which releases may work on the tables from now on, in its transaction."""
    if step.up_revision_id >= FIRST_TO_TELL:
        context.execute(_TELL.bindparams(oldest=usable_from(step.up_revision)))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    on_version_apply=note_usable_from,
)
with context.begin_transaction():
    context.run_migrations()
