"""Room in quarantine: how many refused things it keeps, how many bytes, and when it takes no more.

What is refused is kept before its sender is told. Where there is no room, nobody is told that it is refused
for good: the sender keeps it, and sends it again later.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from overread.errors import OutOfResourcesError
from service.store.database import Store
from service.store.schema import quarantine

_FULL_SOON = 0.9  # share of the room from which a person should make some
_KEPT = select(func.count(), func.coalesce(func.sum(quarantine.c.size_bytes), 0)).where(
    quarantine.c.removed_at.is_(None)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineRoom:
    """Entries whose bytes are kept, and how many there may be."""

    entries: int
    entries_max: int
    size_bytes: int
    bytes_max: int

    @property
    def filled(self) -> float:
        """Share that is in use, of entries or bytes, whichever is larger; 1 and above: it takes no more."""
        return max(self.entries / self.entries_max, self.size_bytes / self.bytes_max)

    @property
    def is_nearly_full(self) -> bool:
        """Whether a person should make room."""
        return self.filled >= _FULL_SOON


def read_room(store: Store) -> QuarantineRoom:
    """Return how full the quarantine is.

    Raises:
        OutOfResourcesError: the database cannot be reached.
    """
    with store.reading() as connection:
        return room_of(store, connection)


def room_of(store: Store, connection: Connection) -> QuarantineRoom:
    """Return how full the quarantine is, as a transaction sees it."""
    entries, size_bytes = connection.execute(_KEPT).one()
    return QuarantineRoom(
        entries=entries,
        entries_max=store.settings.quarantine_entries_max,
        size_bytes=int(size_bytes),
        bytes_max=store.settings.quarantine_bytes_max,
    )


def require_room(store: Store, connection: Connection, size_bytes: int) -> None:
    """Return if the quarantine takes one more thing of this size.

    Raises:
        OutOfResourcesError: it does not; the sender should try again.
    """
    room = room_of(store, connection)
    if room.entries < room.entries_max and room.size_bytes + size_bytes <= room.bytes_max:
        return
    raise OutOfResourcesError(
        f"the quarantine is full ({room.entries} things, {room.size_bytes} bytes), and what is sent would go "
        "there: look through it, discard what is of no use and let its bytes go with `overread retain`, or "
        "raise OVERREAD_QUARANTINE_ENTRIES_MAX or OVERREAD_QUARANTINE_BYTES_MAX"
    )
