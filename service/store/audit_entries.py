"""Entry of the audit trail, and the hash that chains it to the entry before.

The chain is a hash over the hash before and the canonical form of the entry (Schneier and Kelsey, "Secure
audit logs to support computer forensics", 1999, without their forward-secure keys): who changes, removes,
adds or reorders sealed entries has to make every later hash anew, and then no anchor that was kept elsewhere
fits any more.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from overread.actor import Actor

LOCAL = "local"
FIRST_HASH = "0" * 64  # before the first entry
_FORM = 1  # of the canonical form; it stands in every one of them
_SENT_FROM_MAX, _WHAT_MAX, _SUBJECT_MAX, _DETAIL_MAX = 64, 256, 320, 2000  # characters


class AuditAction(StrEnum):
    """Kind of act that the audit trail records."""

    SAW = "SAW"
    SEARCHED = "SEARCHED"
    FETCHED_AHEAD = "FETCHED_AHEAD"  # sent to be at hand if it is looked at; looking is recorded of itself
    EXPORTED = "EXPORTED"  # took data out of the installation, a backup too
    CHANGED = "CHANGED"  # a case, or what was refused
    CONFIGURED = "CONFIGURED"  # policy, detectors, people
    REMOVED = "REMOVED"  # bytes, on purpose
    NOTED = "NOTED"  # by the program itself: drift
    SIGNED_IN = "SIGNED_IN"
    SIGNED_OUT = "SIGNED_OUT"


class AuditOutcome(StrEnum):
    """Outcome of the act."""

    SUCCEEDED = "SUCCEEDED"
    REFUSED = "REFUSED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One act: who did what to which thing, when, from where, and how it ended."""

    at: datetime
    actor: Actor
    sent_from: str = LOCAL  # address of the client; `local` for a command on the machine itself
    action: AuditAction
    outcome: AuditOutcome = AuditOutcome.SUCCEEDED
    what: str  # route template or command, never an address with an identifier in it
    subject: str | None = None  # kind and identifier, such as "case 12"; None where it is no single thing
    detail: str | None = None  # in words

    def fitted(self) -> "AuditEntry":
        """Return the entry as the table can hold it: long texts cut, without NUL, the time in UTC."""
        return AuditEntry(
            at=self.at.astimezone(UTC),
            actor=self.actor,
            sent_from=_cut(self.sent_from, _SENT_FROM_MAX),
            action=self.action,
            outcome=self.outcome,
            what=_cut(self.what, _WHAT_MAX),
            subject=None if self.subject is None else _cut(self.subject, _SUBJECT_MAX),
            detail=None if self.detail is None else _cut(self.detail, _DETAIL_MAX),
        )


def chained_hash(before: str, entry: AuditEntry) -> str:
    """Return the hash of an entry in the chain: 64 hexadecimal digits, SHA-256.

    Args:
        before: the hash of the entry before it, `FIRST_HASH` for the first.
        entry: as the table holds it.
    """
    return hashlib.sha256(before.encode("ascii") + _canonical(entry)).hexdigest()


def _canonical(entry: AuditEntry) -> bytes:
    """Return the same bytes for the same entry, whatever database it came out of."""
    said = (
        _FORM,
        entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        entry.actor.kind.value,
        entry.actor.identifier,
        entry.actor.display_name,
        entry.sent_from,
        entry.action.value,
        entry.outcome.value,
        entry.what,
        entry.subject,
        entry.detail,
    )
    return json.dumps(said, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def _cut(text: str, longest: int) -> str:
    return text.replace("\0", "")[:longest]
