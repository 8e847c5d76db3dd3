"""Hashes and lengths of objects and of refused bytes that the rows say should be stored."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, Table, bindparam, select

from service.store.database import Store, Transaction
from service.store.schema import instances, quarantine

_BATCH = 1000


class Place(StrEnum):
    """Object store, and the table that belongs to it."""

    OBJECTS = "OBJECTS"
    QUARANTINE = "QUARANTINE"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRow:
    """Bytes that a row needs."""

    sha256: str
    size_bytes: int
    study_instance_uid: str | None
    sop_instance_uid: str | None
    removed_at: datetime | None  # on purpose; None while they are kept


_TABLES: Mapping[Place, Table] = {Place.OBJECTS: instances, Place.QUARANTINE: quarantine}
_NEEDS = {place: select(*(table.c[name] for name in ObjectRow.__slots__)) for place, table in _TABLES.items()}
_WITH_PREFIX = {
    place: query.where(
        _TABLES[place].c.sha256 >= bindparam("first"), _TABLES[place].c.sha256 < bindparam("end")
    )
    for place, query in _NEEDS.items()
}
_WITH_HASH = {
    place: query.where(_TABLES[place].c.sha256 == bindparam("sha256")) for place, query in _NEEDS.items()
}
_KEPT = {
    place: select(table.c.sha256).where(table.c.removed_at.is_(None)).distinct()
    for place, table in _TABLES.items()
}


def rows_with_prefix(store: Store, place: Place, prefix: str) -> Mapping[str, ObjectRow]:
    """Return what the rows say of hashes that start so; of several rows of one hash, one that needs it."""
    bound = {"first": prefix, "end": f"{prefix}g"}  # "g" follows the last hexadecimal digit
    with store.reading() as transaction:
        return _needed(transaction.execute(_WITH_PREFIX[place], bound))


def row_with_hash(store: Store, place: Place, sha256: str) -> ObjectRow | None:
    """Return what the rows say of one hash; None where no row mentions it."""
    with store.reading() as transaction:
        return _needed(transaction.execute(_WITH_HASH[place], {"sha256": sha256})).get(sha256)


def kept_hashes(transaction: Transaction, place: Place) -> Iterator[str]:
    """Yield the hashes of all bytes that are kept, each once."""
    rows = transaction.execute(_KEPT[place], execution_options={"yield_per": _BATCH})
    yield from rows.scalars()


def _needed(rows: Iterable[Row[Any]]) -> dict[str, ObjectRow]:
    found: dict[str, ObjectRow] = {}
    for row in rows:
        if row.sha256 not in found or row.removed_at is None:
            found[row.sha256] = ObjectRow(**row._mapping)
    return found
