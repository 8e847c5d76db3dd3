"""Room of the intake before it refuses, and the time of its latest refusal.

The time of the last refusal is the time of a file's last change: to set it needs no room on the disk, and
every process of an installation sees it.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from overread.errors import OutOfResourcesError
from service.settings import Settings

_MARK = "turned-away"

P = ParamSpec("P")
T = TypeVar("T")


class Installed(Protocol):
    """Holder of the settings of an installation, such as a store."""

    @property
    def settings(self) -> Settings:
        """The settings."""


S = TypeVar("S", bound=Installed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressure:
    """Room on the disk of the data folder, and the last refusal for want of it."""

    free_bytes: int
    stops_below: int  # free bytes below which the intake answers "out of resources"
    warns_below: int
    turned_away_at: datetime | None  # when something was last not stored now; None: never

    @property
    def is_stopped(self) -> bool:
        """Whether the intake refuses everything now."""
        return self.free_bytes < self.stops_below

    @property
    def is_high(self) -> bool:
        """Whether a person should make room."""
        return self.free_bytes < max(self.warns_below, self.stops_below)


def read_pressure(settings: Settings) -> Pressure:
    """Return how it is now.

    Raises:
        OSError: the data folder cannot be looked at.
    """
    status = os.statvfs(settings.data_folder)
    return Pressure(
        free_bytes=status.f_bavail * status.f_frsize,
        stops_below=settings.free_bytes_min,
        warns_below=settings.free_bytes_warn,
        turned_away_at=_turned_away_at(settings.data_folder / _MARK),
    )


def prepare_mark(folder: Path) -> None:
    """Make the file that tells of the last refusal, while there is room; as old as can be."""
    if not (folder / _MARK).exists():
        (folder / _MARK).touch(mode=0o600)
        os.utime(folder / _MARK, (0, 0))


def note_turned_away(folder: Path) -> None:
    """Note that something could not be stored now; that this cannot be noted either is no further harm."""
    try:
        os.utime(folder / _MARK)
    except OSError:
        return


def notes_turned_away(receive: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """Return the function so that it notes when it has no room for what a sender brings."""

    @wraps(receive)
    def noting(store: S, /, *arguments: P.args, **named: P.kwargs) -> T:
        try:
            return receive(store, *arguments, **named)
        except OutOfResourcesError:
            note_turned_away(store.settings.data_folder)
            raise

    return noting


def _turned_away_at(mark: Path) -> datetime | None:
    try:
        seconds = mark.stat().st_mtime
    except OSError:
        return None
    return datetime.fromtimestamp(seconds, UTC) if seconds > 0 else None
