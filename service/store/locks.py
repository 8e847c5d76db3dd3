"""Locks of the store: one function for each kind of thing that one transaction at a time decides about.

On PostgreSQL they are advisory locks, held until the transaction ends. On SQLite they do nothing: every
writer holds the one write lock. A transaction takes its locks when it begins (`Store.writing`), in the same
order as all others, so that no two wait for each other. The lock of refused bytes alone may be taken later;
it is then the last one.
"""

import fcntl
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, text

_TAKE = text("SELECT pg_advisory_xact_lock(:key)")
_TAKE_BEYOND_TRANSACTIONS = text("SELECT pg_advisory_lock(:key)")
_RELEASE = text("SELECT pg_advisory_unlock(:key)")
_MIGRATION = {"key": 0x6F766572}  # "over"


@dataclass(frozen=True, slots=True)
class Lock:
    """Right to decide about one thing, which one transaction at a time holds; made by a function below."""

    name: str  # kind of thing and its identifier, such as "study 2.25.1"

    @property
    def key(self) -> int:
        """Signed 64-bit number under which PostgreSQL knows the lock."""
        digest = hashlib.blake2b(self.name.encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big", signed=True)


def study(study_instance_uid: str) -> Lock:
    """Return the lock of a study: its row, the first of its case, and when it closes."""
    return Lock(f"study {study_instance_uid}")


def accession(accession_number: str) -> Lock:
    """Return the lock of an accession number: which case is opened under it, and which study joins it."""
    return Lock(f"accession {accession_number}")


def instance(sop_instance_uid: str) -> Lock:
    """Return the lock of an instance: whose bytes its UID stands for, and whether they are there."""
    return Lock(f"instance {sop_instance_uid}")


def refused_bytes(sha256: str) -> Lock:
    """Return the lock of bytes in quarantine: which entries need them, and whether they are there."""
    return Lock(f"quarantine {sha256}")


def quarantine_entry(quarantine_id: int) -> Lock:
    """Return the lock of one entry of the quarantine: what a person does with it."""
    return Lock(f"quarantine entry {quarantine_id}")


def policy() -> Lock:
    """Return the lock of the policy in force."""
    return Lock("policy")


def commitment(requestor: str, transaction_uid: str) -> Lock:
    """Return the lock of one storage commitment of an application entity."""
    return Lock(f"commitment {requestor} {transaction_uid}")


def fetches(kind: str) -> Lock:
    """Return the lock of what is to be fetched from the PACS, of one kind."""
    return Lock(f"fetches {kind}")


def lease(name: str) -> Lock:
    """Return the lock of a named lease: whose it is."""
    return Lock(f"lease {name}")


def registry() -> Lock:
    """Return the lock of the registry of detectors."""
    return Lock("detector registry")


def people() -> Lock:
    """Return the lock of accounts and tokens: who has which name."""
    return Lock("people")


def erasure() -> Lock:
    """Return the lock of erasures: one at a time lifts the guard of what is only added to."""
    return Lock("erasure")


def sign_in_failures() -> Lock:
    """Return the lock of the counts of failed attempts to sign in."""
    return Lock("failed attempts to sign in")


def case_counts() -> Lock:
    """Return the lock of the counts of the cases: who adds up what changed."""
    return Lock("case counts")


def audit_chain() -> Lock:
    """Return the lock of the chain of the audit trail: which entry comes next."""
    return Lock("audit chain")


def take_locks(connection: Connection, locks: Iterable[Lock]) -> None:
    """Hold these locks until the transaction ends; whoever holds one of them is waited for."""
    if connection.dialect.name == "postgresql":
        for key in sorted({lock.key for lock in locks}):
            connection.execute(_TAKE, {"key": key})


@contextmanager
def migration_lock(connection: Connection, lock_file: Path) -> Iterator[None]:
    """Hold the migration lock: of the database itself on PostgreSQL, of a file beside it on SQLite.

    It outlasts the transactions of the block.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_TAKE_BEYOND_TRANSACTIONS, _MIGRATION)
        connection.commit()
        try:
            yield
        finally:
            connection.rollback()
            connection.execute(_RELEASE, _MIGRATION)
            connection.commit()
        return
    with lock_file.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
