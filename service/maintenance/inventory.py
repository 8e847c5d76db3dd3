"""Compares what the rows say with what is on the shelves: orphans both ways, and bytes that changed.

One prefix of the hashes at a time, 256 in all, so that neither the rows nor the names of millions of objects
are in memory at once. It is safe beside a running service: what is young may be on its way, and what looks
wrong is looked at again before it counts.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from overread.errors import NotFoundError
from service.store.database import Store
from service.store.object_rows import ObjectRow, Place, row_with_hash, rows_with_prefix
from service.store.object_store import KeptObject, ObjectStore

_CHUNK_BYTES = 1 << 20
_NAME = re.compile(r"[0-9a-f]{64}")
GRACE = timedelta(hours=1)
"""What is younger may be on its way from the shelf into a row."""


class Fault(StrEnum):
    """Kind of a fault."""

    MISSING = "MISSING"  # a row whose bytes are not there
    ORPHAN = "ORPHAN"  # bytes that no row mentions
    DAMAGED = "DAMAGED"  # bytes with another hash than their name
    LEFT_OVER = "LEFT_OVER"  # bytes that were removed as the row says, and are still there
    STRANGE = "STRANGE"  # a name that is no hash: not ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Irregularity:
    """One thing that is not as it should be."""

    place: Place
    fault: Fault
    sha256: str  # the name of the object
    study_instance_uid: str | None = None  # as the row says
    sop_instance_uid: str | None = None
    repair: str | None = None  # what was done about it; None: nothing
    repaired: bool = False  # nothing of it is left


@dataclass(kw_only=True)
class Tally:
    """Counts of a check and its faults; they grow while the check goes on."""

    objects: int = 0
    object_bytes: int = 0
    rows: int = 0
    stale_incoming: int = 0  # files of receivers that died
    found: dict[str, int] = field(default_factory=dict)  # by place and fault, such as "OBJECTS ORPHAN"
    repaired: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong, or all of it was repaired."""
        return sum(self.found.values()) + self.stale_incoming == self.repaired


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Options of a check."""

    now: datetime
    reads_bytes: bool = True  # whether every hash is computed, or only where the length is wrong
    grace: timedelta = GRACE


Repair = Callable[[Irregularity], Irregularity]
"""Does something about an irregularity, and returns it with what was done."""


def check_prefix(
    store: Store, place: Place, prefix: str, check: Check, tally: Tally
) -> Iterator[Irregularity]:
    """Yield what is wrong with objects whose hash starts so.

    Raises:
        OutOfResourcesError: the store is not available; what was found so far holds.
    """
    shelf = shelf_of(store, place)
    listed = {item.sha256: item for item in shelf.listed(prefix)}  # before the rows, which follow the bytes
    rows = rows_with_prefix(store, place, prefix)
    tally.objects += len(listed)
    tally.rows += len(rows)
    for item in listed.values():
        tally.object_bytes += item.size_bytes
        row = rows.get(item.sha256)
        fault = _fault_of(store, place, item, row, check)
        if fault is not None:
            yield _irregularity(place, fault, item.sha256, row)
    for sha256 in sorted(rows.keys() - listed.keys()):
        row = row_with_hash(store, place, sha256)  # it may have been removed, or sent again, in the meantime
        if row is not None and row.removed_at is None and shelf.size_of(sha256) is None:
            yield _irregularity(place, Fault.MISSING, sha256, row)


def check_all(
    store: Store,
    prefixes: Iterable[tuple[Place, str]],
    check: Check,
    tally: Tally,
    repair: Repair | None = None,
) -> Iterator[Irregularity]:
    """Yield what is wrong with these prefixes, after it was repaired if somebody does."""
    for place, prefix in prefixes:
        for found in check_prefix(store, place, prefix, check, tally):
            done = found if repair is None else repair(found)
            name = f"{done.place} {done.fault}"
            tally.found[name] = tally.found.get(name, 0) + 1
            tally.repaired += done.repaired
            yield done


def stale_incoming(store: Store, check: Check) -> int:
    """Return how many files of receivers that died lie on this machine."""
    limit = (check.now - check.grace).timestamp()
    return sum(1 for path in store.files.abandoned() if path.stat().st_mtime < limit)


def shelf_of(store: Store, place: Place) -> ObjectStore:
    """Return the shelf of a place."""
    return store.files.objects if place is Place.OBJECTS else store.files.quarantine


def hash_of(shelf: ObjectStore, sha256: str) -> str:
    """Return the hash that the bytes of an object have.

    Raises:
        NotFoundError: it is not there.
    """
    seen = hashlib.sha256()
    with shelf.reading(sha256) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            seen.update(chunk)
    return seen.hexdigest()


def _fault_of(
    store: Store, place: Place, item: KeptObject, row: ObjectRow | None, check: Check
) -> Fault | None:
    """Return what is wrong with an object; None where nothing is, or where it is too early to tell."""
    if _NAME.fullmatch(item.sha256) is None:
        return Fault.STRANGE
    if row is None or row.removed_at is not None:
        if item.modified_at > check.now - check.grace or shelf_of(store, place).size_of(item.sha256) is None:
            return None
        row = row_with_hash(store, place, item.sha256)
        if row is None:
            return Fault.ORPHAN
        if row.removed_at is not None:  # a moment ago: its bytes are about to go
            return Fault.LEFT_OVER if row.removed_at <= check.now - check.grace else None
    return Fault.DAMAGED if _is_damaged(shelf_of(store, place), item, row, check) else None


def _is_damaged(shelf: ObjectStore, item: KeptObject, row: ObjectRow, check: Check) -> bool:
    try:
        suspicious = check.reads_bytes or item.size_bytes != row.size_bytes
        return suspicious and hash_of(shelf, item.sha256) != item.sha256
    except NotFoundError:
        return False  # moved in the meantime; its row tells whether it should be there


def _irregularity(place: Place, fault: Fault, sha256: str, row: ObjectRow | None) -> Irregularity:
    return Irregularity(
        place=place,
        fault=fault,
        sha256=sha256,
        study_instance_uid=row.study_instance_uid if row is not None else None,
        sop_instance_uid=row.sop_instance_uid if row is not None else None,
    )
