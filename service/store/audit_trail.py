"""The audit trail in the database: entries are added within transactions, and sealed into a chain soon after.

An entry is written in the transaction of what it records, or before what was seen is left. It gets its place
in the chain a moment later, from one process at a time, so that writers need not wait for each other. What is
changed in that moment by somebody who may change the database is not found; what is changed later is, by
`verify_chain`, and what was cut off at the end by an anchor that was kept elsewhere.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from service.store import locks
from service.store.audit_entries import FIRST_HASH, AuditAction, AuditEntry, AuditOutcome, chained_hash
from service.store.audit_schema import audit_trail
from service.store.database import Store
from service.store.records import actor_columns, actor_of

_BATCH = 2000  # entries that one transaction seals
_PAGE = 5000  # entries that are read at once

_ADD = insert(audit_trail)
_LAST_SEALED = (
    select(audit_trail.c.position, audit_trail.c.hash)
    .where(audit_trail.c.position.is_not(None))
    .order_by(audit_trail.c.position.desc())
    .limit(1)
)
_UNSEALED = (
    select(audit_trail).where(audit_trail.c.position.is_(None)).order_by(audit_trail.c.entry_id).limit(_BATCH)
)
_SEAL = (
    update(audit_trail)
    .where(audit_trail.c.entry_id == bindparam("sealed"))
    .values(position=bindparam("place"), hash=bindparam("chained"))
)
_SEALED_AFTER = (
    select(audit_trail)
    .where(audit_trail.c.position > bindparam("after"))
    .order_by(audit_trail.c.position)
    .limit(_PAGE)
)
BACKUP = "backup"
"""Subject of the entry that says that a backup is whole."""

_LAST_BACKUP = select(func.max(audit_trail.c.happened_at)).where(audit_trail.c.subject == BACKUP)
_LAST_ACTS = (
    select(audit_trail.c.actor_identifier, func.max(audit_trail.c.happened_at).label("latest"))
    .where(audit_trail.c.what == bindparam("what"), audit_trail.c.outcome == AuditOutcome.SUCCEEDED.value)
    .group_by(audit_trail.c.actor_identifier)
)
_COUNT_UNSEALED = select(func.count(), func.min(audit_trail.c.happened_at)).where(
    audit_trail.c.position.is_(None)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """State of the chain at one moment: kept elsewhere, it tells whether the chain was cut or made anew."""

    position: int  # of the last sealed entry; 0 while there is none
    hash: str

    def __str__(self) -> str:
        """Return what a file or a log keeps: position and hash."""
        return f"{self.position}:{self.hash}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedEntry:
    """An entry with its place in the chain, as the table has it."""

    entry_id: int
    position: int | None  # None while it is not sealed
    hash: str | None
    entry: AuditEntry | None  # None where the row is none that any release writes


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailFilter:
    """Filter of entries; None: any."""

    since: datetime | None = None
    before: datetime | None = None
    actor: str | None = None  # identifier
    subjects: tuple[str, ...] | None = None


def record_act(connection: Connection, *entries: AuditEntry) -> None:
    """Add entries within a transaction, so that what they record and they themselves happen or do not."""
    if entries:
        connection.execute(_ADD, [_columns(entry) for entry in entries])


def record_acts(store: Store, entries: Sequence[AuditEntry], *, durable: bool = True) -> None:
    """Add entries in a transaction of their own; a power cut may undo one that is not `durable`.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    with store.writing(durable=durable) as connection:
        record_act(connection, *entries)


def seal_trail(store: Store) -> int:
    """Give the entries that wait for it their place in the chain, and return how many.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    with store.reading() as connection:
        if not connection.execute(_COUNT_UNSEALED).one()[0]:
            return 0
    sealed = 0
    while count := _seal_batch(store):
        sealed += count
    return sealed


def read_anchor(store: Store) -> Anchor:
    """Return the state of the chain.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    with store.reading() as connection:
        return _last(connection)


def count_unsealed(store: Store) -> tuple[int, datetime | None]:
    """Return how many entries have no place in the chain yet, and when the oldest of them happened."""
    with store.reading() as connection:
        count, oldest = connection.execute(_COUNT_UNSEALED).one()
    return count, oldest


def last_backup_at(store: Store) -> datetime | None:
    """Return when `overread db backup` last made a backup that is whole; None: never.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    with store.reading() as connection:
        made_at: datetime | None = connection.execute(_LAST_BACKUP).scalar()
    return made_at


def last_acts(store: Store, what: str) -> dict[str, datetime]:
    """Return when each actor last did something and was not refused; the whole trail is looked through.

    Args:
        store: with the trail.
        what: route template or command.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    with store.reading() as connection:
        rows = connection.execute(_LAST_ACTS, {"what": what})
        return {row.actor_identifier: row.latest for row in rows}


def sealed_entries(store: Store) -> Iterator[SealedEntry]:
    """Yield the entries in the order of the chain; what is sealed meanwhile comes too.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    after = 0
    while page := _page_after(store, after):
        for row in page:
            yield _sealed_of(row)
        after = page[-1].position


def find_entries(store: Store, wanted: TrailFilter) -> Iterator[SealedEntry]:
    """Yield the entries that are wanted, the oldest first.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    columns = audit_trail.c
    given = [
        *([columns.happened_at >= wanted.since] if wanted.since else []),
        *([columns.happened_at < wanted.before] if wanted.before else []),
        *([columns.actor_identifier == wanted.actor] if wanted.actor else []),
        *([columns.subject.in_(wanted.subjects)] if wanted.subjects is not None else []),
    ]
    after = 0
    while True:
        query = (
            select(audit_trail)
            .where(columns.entry_id > after, *given)
            .order_by(columns.entry_id)
            .limit(_PAGE)
        )
        with store.reading() as connection:
            page = connection.execute(query).all()
        if not page:
            return
        yield from map(_sealed_of, page)
        after = page[-1].entry_id


def _seal_batch(store: Store) -> int:
    with store.writing(locks.audit_chain()) as connection:
        last = _last(connection)
        rows = connection.execute(_UNSEALED).all()
        if rows:
            connection.execute(_SEAL, list(_seals(last, rows)))
        return len(rows)


def _seals(last: Anchor, rows: Iterable[Row[Any]]) -> Iterator[dict[str, object]]:
    place, chained = last.position, last.hash
    for row in rows:
        entry = _sealed_of(row).entry
        # What no release writes is sealed too, with a hash that the walk takes for a change.
        place, chained = place + 1, FIRST_HASH if entry is None else chained_hash(chained, entry)
        yield {"sealed": row.entry_id, "place": place, "chained": chained}


def _last(connection: Connection) -> Anchor:
    row = connection.execute(_LAST_SEALED).one_or_none()
    return (
        Anchor(position=0, hash=FIRST_HASH) if row is None else Anchor(position=row.position, hash=row.hash)
    )


def _page_after(store: Store, position: int) -> Sequence[Row[Any]]:
    with store.reading() as connection:
        return connection.execute(_SEALED_AFTER, {"after": position}).all()


def _columns(entry: AuditEntry) -> dict[str, object]:
    entry = entry.fitted()
    return {
        "happened_at": entry.at,
        **actor_columns(entry.actor),
        "sent_from": entry.sent_from,
        "action": entry.action.value,
        "outcome": entry.outcome.value,
        "what": entry.what,
        "subject": entry.subject,
        "detail": entry.detail,
    }


def _entry_of(row: Row[Any]) -> AuditEntry:
    return AuditEntry(
        at=row.happened_at,
        actor=actor_of(row),
        sent_from=row.sent_from,
        action=AuditAction(row.action),
        outcome=AuditOutcome(row.outcome),
        what=row.what,
        subject=row.subject,
        detail=row.detail,
    )


def _sealed_of(row: Row[Any]) -> SealedEntry:
    try:
        entry = _entry_of(row)
    except ValueError:
        entry = None
    return SealedEntry(entry_id=row.entry_id, position=row.position, hash=row.hash, entry=entry)
