"""Counts of the cases as the database keeps them: exact, and found without a look at the cases.

What stands on either side of a priority is known by bands of it, all but the band that the priority itself
lies in: so far the index of the list is walked. What that takes grows with the cases of one band, not with
those of the store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select, text

from overread.case import CaseState
from service.store import locks
from service.store.count_tables import kept
from service.store.database import Store
from service.store.schema import cases
from service.store.sight import cases_in_sight, counts_in_sight

_BAND_MAX = 100  # of the triggers; what lies beyond is counted in it
_FOLD = text(
    "WITH gone AS (DELETE FROM case_count_changes RETURNING *) "
    "INSERT INTO case_counts (state, site, subspecialty, actionable, band, cases) "
    "SELECT state, site, subspecialty, actionable, band, SUM(cases) FROM gone "
    "GROUP BY state, site, subspecialty, actionable, band HAVING SUM(cases) <> 0 "
    "ON CONFLICT (state, site, subspecialty, actionable, band) "
    "DO UPDATE SET cases = case_counts.cases + excluded.cases"
)
"""Adds the changes to the counts: one statement, so that a reader sees each in one place or the other."""

_IS_DUE = text("SELECT 1 FROM case_count_changes OFFSET :changes LIMIT 1")
_LISTED = CaseState.LISTED.value
_COUNT = func.sum(kept.c.cases).label("number")

_BY_STATE = select(kept.c.state, _COUNT).group_by(kept.c.state).having(_COUNT != 0)
_LISTED_BY_BAND = select(kept.c.band, _COUNT).where(kept.c.state == _LISTED).group_by(kept.c.band)
_LISTED_BY_KIND = select(kept.c.subspecialty, kept.c.actionable, kept.c.band, _COUNT).where(
    kept.c.state == _LISTED
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Listed cases on either side of the line."""

    above: int
    below: int


Kind = tuple[str | None, str | None]
"""Subspecialty and urgency of listed cases; None where a case has none."""


def counts_by_state(connection: Connection, *, everywhere: bool) -> Mapping[str, int]:
    """Return how many cases there are in each state; states without a case are left out.

    Args:
        connection: to the store.
        everywhere: whether cases count that whoever asks may not see, as they do where the line is drawn.
    """
    wanted = _BY_STATE if everywhere else _BY_STATE.where(counts_in_sight(connection))
    return {row.state: int(row.number) for row in connection.execute(wanted)}


def priority_at(connection: Connection, number: int) -> float | None:
    """Return the priority of the listed case with this number, from 1, by falling priority; None beyond."""
    before = 0
    for row in connection.execute(_LISTED_BY_BAND.order_by(kept.c.band.desc())):
        if before + row.number >= number:
            return _nth(connection, row.band, number - before)
        before += int(row.number)
    return None


def listed_sides(
    connection: Connection,
    line: float | None,
    *,
    counted: Sequence[ColumnElement[bool]] = (),
    wanted: Sequence[ColumnElement[bool]] = (),
) -> Sides:
    """Return how many of the listed cases that may be seen stand above the line, and below it.

    Args:
        connection: to the store.
        line: the priority from which on a case stands above it; None: all of them do.
        counted: which of the counts are meant.
        wanted: the same of the cases themselves.
    """
    bands = _LISTED_BY_BAND.where(counts_in_sight(connection), *counted)
    counts = {row.band: int(row.number) for row in connection.execute(bands)}
    total = sum(counts.values())
    if line is None:
        return Sides(above=total, below=0)
    band = _band(line)
    found = 0
    if counts.get(band):
        inside = _in_band(band).where(cases.c.priority >= line, cases_in_sight(connection), *wanted)
        found = connection.execute(select(func.count()).select_from(inside.subquery())).scalar_one()
    above = found + sum(count for other, count in counts.items() if other > band)
    return Sides(above=above, below=max(total - above, 0))


def listed_kinds(connection: Connection, line: float | None) -> Mapping[Kind, Sides]:
    """Return how many listed cases of each subspecialty and urgency, of what may be seen, stand on a side."""
    band = _band(line) if line is not None else -1
    above: dict[Kind, int] = {}
    total: dict[Kind, int] = {}
    found = _LISTED_BY_KIND.where(counts_in_sight(connection))
    for row in connection.execute(found.group_by(kept.c.subspecialty, kept.c.actionable, kept.c.band)):
        kind = (row.subspecialty or None, row.actionable or None)
        total[kind] = total.get(kind, 0) + int(row.number)
        if row.band > band:
            above[kind] = above.get(kind, 0) + int(row.number)
    if line is not None:
        columns = (cases.c.subspecialty, cases.c.actionable)
        inside = _in_band(band, *columns).where(cases.c.priority >= line, cases_in_sight(connection))
        split = inside.subquery()
        by = (split.c.subspecialty, split.c.actionable)
        for row in connection.execute(select(*by, func.count().label("number")).group_by(*by)):
            kind = (row.subspecialty, row.actionable)
            above[kind] = above.get(kind, 0) + row.number
    return {
        kind: Sides(above=above.get(kind, 0), below=max(count - above.get(kind, 0), 0))
        for kind, count in total.items()
        if count > 0
    }


def fold_counts(store: Store, *, changes: int = 1000) -> None:
    """Add what changed to the counts, if there are that many changes; on SQLite there are none.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    if store.engine.dialect.name != "postgresql":
        return
    with store.reading() as connection:
        if connection.execute(_IS_DUE, {"changes": max(changes - 1, 0)}).first() is None:
            return
    with store.writing(locks.case_counts(), durable=False) as connection:
        connection.execute(_FOLD)


def _nth(connection: Connection, band: int, number: int) -> float | None:
    order = (cases.c.priority.desc(), cases.c.opened_at, cases.c.case_id)
    wanted = select(cases.c.priority).where(cases.c.state == _LISTED, *_upto(band))
    found: float | None = connection.execute(
        wanted.order_by(*order).limit(1).offset(number - 1)
    ).scalar_one_or_none()
    return found


def _in_band(band: int, *columns: ColumnElement[Any]) -> Select[Any]:
    """Return the query of the listed cases of a band, and of those below it."""
    return select(*(columns or (cases.c.case_id,))).where(cases.c.state == _LISTED, *_upto(band))


def _upto(band: int) -> tuple[ColumnElement[bool], ...]:
    return () if band == _BAND_MAX else (cases.c.priority < band + 1,)


def _band(priority: float) -> int:
    return min(max(int(priority), 0), _BAND_MAX)
