"""Back-pressure in words, for the page and for readiness."""

from datetime import datetime, timedelta

from overread.errors import OutOfResourcesError
from service.store.database import Store
from service.store.pressure import Pressure, read_pressure
from service.store.quarantine_room import read_room

_RECENT = timedelta(hours=1)


def pressure_words(store: Store, *, now: datetime) -> tuple[str, ...]:
    """Return what a person should know of the room for what arrives, the most urgent first.

    Nothing means that all is well. A refusal is told for an hour.
    """
    try:
        pressure = read_pressure(store.settings)
    except OSError as error:
        return (f"The data folder cannot be looked at: {error.strerror}.",)
    words = [_room(pressure), _quarantine(store)]
    at = pressure.turned_away_at
    if at is not None and now - at < _RECENT:
        words.append(
            f"Something that arrived could last not be stored at {at:%H:%M:%S} UTC; its sender was told to "
            "try again later."
        )
    return tuple(word for word in words if word)


def in_gigabytes(count: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"


def _quarantine(store: Store) -> str:
    try:
        room = read_room(store)
    except OutOfResourcesError:
        return ""  # readiness says that the database cannot be read
    if not room.is_nearly_full:
        return ""
    holds = f"it holds {room.entries:,} things and {in_gigabytes(room.size_bytes)}"
    remedy = (
        "Look through it, discard what is of no use, and let its bytes go (OVERREAD_KEEP_DAYS_QUARANTINE)"
    )
    if room.filled >= 1:
        return (
            f"The quarantine is full: {holds}. Senders of what cannot be used are told to try again later. "
            f"{remedy}, or raise OVERREAD_QUARANTINE_ENTRIES_MAX and OVERREAD_QUARANTINE_BYTES_MAX."
        )
    return f"The quarantine is nearly full: {holds}. {remedy}."


def _room(pressure: Pressure) -> str:
    free = in_gigabytes(pressure.free_bytes)
    if pressure.is_stopped:
        return (
            f"Nothing is taken any more: the disk has {free} free, less than the "
            f"{in_gigabytes(pressure.stops_below)} that are kept (OVERREAD_FREE_BYTES_MIN). Senders are told "
            "to try again later. Make room."
        )
    if pressure.is_high:
        return (
            f"The disk is nearly full: {free} free. Below {in_gigabytes(pressure.stops_below)} nothing is "
            "taken any more."
        )
    return ""
