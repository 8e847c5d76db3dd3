"""Entry of the audit trail about what a command does, by the account that runs it."""

import getpass
from datetime import UTC, datetime

from overread.actor import Actor
from service.store.audit_entries import AuditAction, AuditEntry


def acting(
    action: AuditAction, command: str, *, subject: str | None = None, detail: str | None = None
) -> AuditEntry:
    """Return the entry that says what is done now, such as "overread export"."""
    return AuditEntry(
        at=datetime.now(UTC),
        actor=Actor.account(getpass.getuser()),
        action=action,
        what=command,
        subject=subject,
        detail=detail,
    )
