"""Entries and a tampered trail for the tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection, text

from overread.actor import Actor
from service.store.audit_entries import AuditAction, AuditEntry
from service.store.audit_trail import record_acts, seal_trail
from service.store.database import Store
from tests.service.material import NOW

ROE = Actor.unverified("Dr Roe")
_TRIGGERS = ("audit_trail_append_only_delete", "audit_trail_append_only_update", "audit_trail_sealed")


def view(number: int, *, at: datetime = NOW, actor: Actor = ROE) -> AuditEntry:
    """A look at a case."""
    return AuditEntry(
        at=at,
        actor=actor,
        sent_from="10.0.0.5",
        action=AuditAction.SAW,
        what="GET /cases/{case_id}",
        subject=f"case {number}",
    )


def sealed_views(store: Store, count: int) -> None:
    """A trail of looks at the cases from 1."""
    record_acts(store, [view(number) for number in range(1, count + 1)])
    assert seal_trail(store) == count


@contextmanager
def tampering(store: Store) -> Iterator[Connection]:
    """A connection of somebody who may do anything to the database, its triggers out of the way."""
    with store.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE audit_trail DISABLE TRIGGER USER"))
        else:
            for name in _TRIGGERS:
                connection.execute(text(f"DROP TRIGGER {name}"))
        yield connection
