"""Drift in the store: what studies looked like at their triage, and the looks at two windows of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, insert, select, update

from overread.actor import Actor
from overread.appearance import Appearance
from overread.drift import Change
from service.store import locks
from service.store.audit_entries import AuditAction, AuditEntry
from service.store.audit_trail import record_act
from service.store.database import Store
from service.store.drift_tables import appearances, drift_looks
from service.store.json_format import from_json, to_json

_LATEST = select(drift_looks).order_by(drift_looks.c.looked_at.desc(), drift_looks.c.look_id.desc())
"""The looks, the latest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Time from a moment on until before another."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        """Return it to the day, as the setting names it."""
        return f"{self.start:%Y-%m-%d}/{self.end:%Y-%m-%d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelLook:
    """One channel at one look."""

    channel: str
    is_alarm: bool
    changes: tuple[Change, ...]  # the columns that differ most first; none where nothing could be compared

    @property
    def p(self) -> float | None:
        """Chance that the column that differs most does so by chance; None where nothing was compared."""
        return self.changes[0].p if self.changes else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelLooks:
    """All channels at one look, as they are stored."""

    channels: tuple[ChannelLook, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftLook:
    """One comparison of a window with the reference."""

    look_id: int
    reference: Period
    window: Period
    looked_at: datetime
    reference_cases: int  # that were compared
    window_cases: int
    false_alarms: float  # of each channel, at this look
    channels: tuple[ChannelLook, ...]

    @property
    def next_end(self) -> datetime:
        """When the window after this one is over."""
        return self.window.end + (self.window.end - self.window.start)

    @property
    def alarms(self) -> tuple[str, ...]:
        """Names of the channels that differ."""
        return tuple(look.channel for look in self.channels if look.is_alarm)


def note_appearance(
    connection: Connection, case_id: int, appearance: Appearance | None, *, now: datetime
) -> None:
    """Keep what the images of a case looked like, and of a case that is triaged for the first time when."""
    text = None if appearance is None else to_json(appearance)
    kept = update(appearances).where(appearances.c.case_id == case_id)
    values = {"appearance": func.coalesce(text, appearances.c.appearance)}
    if connection.execute(kept.values(**values)).rowcount == 0:
        connection.execute(insert(appearances).values(case_id=case_id, triaged_at=now, appearance=text))


def kept_appearance(store: Store, case_id: int) -> str | None:
    """Return what the images of a case looked like, as JSON; None where no detector said.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    kept = select(appearances.c.appearance).where(appearances.c.case_id == case_id)
    with store.reading() as connection:
        found: str | None = connection.execute(kept).scalar_one_or_none()
    return found


def cases_within(store: Store, period: Period, *, most: int) -> tuple[int, ...]:
    """Return numbers of cases that were first triaged within a period: all, or every so many-th of them.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    within = and_(appearances.c.triaged_at >= period.start, appearances.c.triaged_at < period.end)
    with store.reading() as connection:
        count: int = connection.execute(select(func.count()).where(within)).scalar_one()
        if not count:
            return ()
        step = -(-count // most)
        numbers = select(appearances.c.case_id).where(within, appearances.c.case_id % step == 0)
        found = connection.execute(numbers.order_by(appearances.c.case_id).limit(most)).scalars()
        return tuple(found)


def has_look(store: Store, reference: Period, window: Period) -> bool:
    """Return whether a window was compared with a reference.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    with store.reading() as connection:
        return _is_there(connection, reference, window)


def add_look(store: Store, look: DriftLook, *, actor: Actor) -> bool:
    """Keep a look, with an entry of the audit trail where channels differ; return False where it was there.

    Its number is given here.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    row = {
        **_key(look.reference, look.window),
        "looked_at": look.looked_at,
        "reference_cases": look.reference_cases,
        "window_cases": look.window_cases,
        "false_alarms": look.false_alarms,
        "alarms": len(look.alarms),
        "channels": to_json(ChannelLooks(channels=look.channels)),
    }
    with store.writing(locks.lease("drift")) as connection:
        if _is_there(connection, look.reference, look.window):
            return False
        connection.execute(insert(drift_looks).values(**row))
        if look.alarms:
            record_act(connection, _entry(look, actor))
    return True


def list_looks(store: Store, *, limit: int) -> tuple[DriftLook, ...]:
    """Return the looks, the latest first.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    with store.reading() as connection:
        rows: Sequence[Row[Any]] = connection.execute(_LATEST.limit(limit)).all()
    return tuple(look_of(row) for row in rows)


def latest_look(connection: Connection) -> DriftLook | None:
    """Return the latest look; None before the first."""
    row = connection.execute(_LATEST.limit(1)).one_or_none()
    return None if row is None else look_of(row)


def load_look(connection: Connection, look_id: int) -> DriftLook:
    """Return one look."""
    return look_of(connection.execute(select(drift_looks).where(drift_looks.c.look_id == look_id)).one())


def look_of(row: Row[Any]) -> DriftLook:
    """Return the look of a row of `drift_looks`.

    Raises:
        UnreadableRecordError: it is stored in a form that this release does not know.
    """
    return DriftLook(
        look_id=row.look_id,
        reference=Period(start=row.reference_from, end=row.reference_until),
        window=Period(start=row.window_from, end=row.window_until),
        looked_at=row.looked_at,
        reference_cases=row.reference_cases,
        window_cases=row.window_cases,
        false_alarms=row.false_alarms,
        channels=from_json(ChannelLooks, row.channels).channels,
    )


def _entry(look: DriftLook, actor: Actor) -> AuditEntry:
    return AuditEntry(
        at=look.looked_at,
        actor=actor,
        action=AuditAction.NOTED,
        what="overread drift",
        subject=f"drift {look.window}",
        detail=f"differs from {look.reference} in {', '.join(look.alarms)}",
    )


def _key(reference: Period, window: Period) -> dict[str, datetime]:
    return {
        "reference_from": reference.start,
        "reference_until": reference.end,
        "window_from": window.start,
        "window_until": window.end,
    }


def _is_there(connection: Connection, reference: Period, window: Period) -> bool:
    same: list[ColumnElement[bool]] = [
        drift_looks.c[name] == value for name, value in _key(reference, window).items()
    ]
    return bool(connection.execute(select(exists().where(*same))).scalar_one())
