"""The table of the audit trail, as SQLAlchemy sees it."""

from sqlalchemy import BigInteger, Column, Index, String, Table, Text, UniqueConstraint

from service.store.column_types import RowNumber, Sha256, UtcDateTime, actor_columns
from service.store.metadata import metadata

# Who saw, searched, exported, changed, signed in or was refused. The database refuses every change of an
# entry but one: that an entry without a place in the chain is given it.
audit_trail = Table(
    "audit_trail",
    metadata,
    Column("entry_id", RowNumber, primary_key=True),
    Column("happened_at", UtcDateTime, nullable=False),
    *actor_columns(),
    Column("sent_from", String(64), nullable=False),  # address of the client, or `local`
    Column("action", String(16), nullable=False),  # service.store.audit_entries.AuditAction
    Column("outcome", String(16), nullable=False),  # SUCCEEDED, REFUSED or FAILED
    Column("what", String(256), nullable=False),  # route template or command
    Column("subject", String(320)),  # such as "case 12"; null where it is of no single thing
    Column("detail", Text),
    Column("position", BigInteger),  # in the chain, from 1; null until it is sealed
    Column("hash", Sha256),  # over the entry and the hash before it; null until it is sealed
    UniqueConstraint("position", name="uq_audit_trail_position"),
    Index("ix_audit_trail_happened_at", "happened_at"),
    Index("ix_audit_trail_subject", "subject"),
)
Index(
    "ix_audit_trail_unsealed",
    audit_trail.c.entry_id,
    sqlite_where=audit_trail.c.position.is_(None),
    postgresql_where=audit_trail.c.position.is_(None),
)
