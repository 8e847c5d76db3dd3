"""Rows and files that imports have taken, by a hash of their name and state.

So it is saved and restored with what it tells of. Losing its last entries does no harm: the intake knows what
it has been sent before.
"""

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Insert, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from service.store.database import Store, Transaction
from service.store.schema import imports

_KNOWN = select(imports.c.item_sha256).where(imports.c.item_sha256.in_(bindparam("keys", expanding=True)))


def key_of(*parts: str) -> str:
    """Return the key of what these words name: 64 hexadecimal digits."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def taken_before(store: Store, keys: Collection[str]) -> frozenset[str]:
    """Return those of the keys that an import has taken."""
    with store.reading() as transaction:
        return frozenset(transaction.execute(_KNOWN, {"keys": list(keys)}).scalars())


def note_taken(store: Store, outcomes: Mapping[str, str], *, now: datetime) -> None:
    """Record what has been taken: of each key, what became of it in one word of at most 16 letters."""
    if not outcomes:
        return
    rows = [
        {"item_sha256": key, "outcome": str(outcome), "imported_at": now} for key, outcome in outcomes.items()
    ]
    with store.writing(durable=False) as transaction:
        transaction.execute(_add(transaction), rows)


def _add(transaction: Transaction) -> Insert:
    """Return the statement that adds entries which may be there already."""
    if transaction.dialect.name == "postgresql":
        return postgresql.insert(imports).on_conflict_do_nothing()
    return sqlite.insert(imports).on_conflict_do_nothing()
