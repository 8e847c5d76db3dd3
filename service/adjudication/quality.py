"""Figures of quality over everything that was judged: shares, rates, months, the archive, agreement.

The estimators are those of the audit of an export (`overread.audit`), and the figures are the same.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from overread.audit.agreement import two_reader_estimates
from overread.audit.archive import ArchiveFigure, Reading, archive_figures
from overread.audit.clustered import LEAST_PATIENTS, GroupCounts, group_counts
from overread.audit.months import ChartedMonth, charted_months
from overread.statistics import Estimate
from overread.triage import Outcome
from service.adjudication.judged_table import JudgedCase, JudgedTable, unread_chance
from service.adjudication.summary import Summary, summary_of
from service.store.database import Store
from service.store.judged_cases import UnreadCount

Level = TypeVar("Level", str, tuple[str, ...])

SEED = 1  # of what is simulated and resampled: the same cases give the same page


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Share of confirmed discrepancies in one group; of few patients nothing is told but that."""

    level: tuple[str, ...]
    of: int | None  # what was looked at; None where the group is too small to be told of
    confirmed: int | None
    estimate: Estimate | None  # n is patients


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthRate:
    """One month of the chart."""

    month: str
    chart: ChartedMonth


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What is known of quality at one moment."""

    summary: Summary
    read: int  # judged cases of which anything was decided
    patients: int  # of these
    findings: tuple[Rate, ...]  # by finding and kind, of what was looked at
    kinds: tuple[Rate, ...]
    sites: tuple[Rate, ...]  # of cases that were read
    months: tuple[Rate, ...]  # the same, by month of the study
    chart: tuple[MonthRate, ...]  # the months against the first ones; empty where there are too few
    archive: tuple[ArchiveFigure, ...]
    flagged_unread: int  # flagged cases that wait for their read
    drawn_read: int  # cases of the random audit sample that were read
    agreement: Mapping[str, Estimate]
    read_twice: int
    addenda_asked: tuple[tuple[int, datetime], ...]  # case, and when an addendum was asked for
    as_of: datetime
    unread_at: datetime  # when the cases that nobody judged were counted


@dataclass(slots=True)
class _Kept:
    table: JudgedTable = field(default_factory=JudgedTable)
    quality: Quality | None = None


class QualityRoom:
    """Keeps the judged cases of one process, for each set of sites that somebody may see."""

    def __init__(self) -> None:
        """Load nothing yet."""
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, ...] | None, _Kept] = {}

    def quality(self, store: Store, *, now: datetime) -> Quality:
        """Return the figures of what may be seen of a store; computed anew where something changed.

        Raises:
            UnreadableRecordError: a judgement is stored in a form that this release does not know.
            OutOfResourcesError: the store is not available.
        """
        with self._lock:  # two looks at once would load the same twice
            kept = self._kept.setdefault(store.sites, _Kept())
            if kept.table.refresh(store, now=now) or kept.quality is None:
                kept.quality = quality_of(kept.table, now=now)
            return replace(kept.quality, as_of=now)


def quality_of(table: JudgedTable, *, now: datetime) -> Quality:
    """Return the figures of a table of judged cases."""
    cases = list(table.cases.values())
    patients = _codes([case.patient for case in cases])[1]
    read = np.array([case.said.is_read for case in cases], dtype=bool)
    found = np.array([case.said.is_found for case in cases], dtype=bool)
    months, chart = _months(cases, read, found, patients)
    twice = [number for number, case in enumerate(cases) if case.found_twice is not None]
    reading = _reading(cases, read, found, table.unread)
    return Quality(
        summary=summary_of(cases),
        read=int(read.sum()),
        patients=len(np.unique(patients[read])),
        findings=_rates_of_items(cases, patients, by_finding=True),
        kinds=_rates_of_items(cases, patients, by_finding=False),
        sites=_rates([case.site for case in cases], read, found, patients)[0],
        months=months,
        chart=chart,
        archive=tuple(archive_figures(reading)),
        flagged_unread=sum(
            count.cases for count in table.unread if count.outcome == Outcome.DISCREPANT.value
        ),
        drawn_read=int((reading.read & ~reading.flagged & (reading.probability > 0)).sum()),
        agreement=_agreement([cases[number] for number in twice], patients[twice]),
        read_twice=len(twice),
        addenda_asked=tuple(
            (case_id, case.judged_at) for case_id, case in table.cases.items() if case.said.asks_for_addendum
        ),
        as_of=now,
        unread_at=table.unread_at or now,
    )


def _rates_of_items(
    cases: Sequence[JudgedCase], patients: NDArray[np.intp], *, by_finding: bool
) -> tuple[Rate, ...]:
    """Return the shares of what was looked at that is confirmed, by finding and kind or by kind alone."""
    levels: list[tuple[str, ...]] = []
    owners: list[int] = []
    confirmed: list[bool] = []
    for number, case in enumerate(cases):
        for item in case.said.adjudications:
            levels.append((item.finding, item.kind.value) if by_finding else (item.kind.value,))
            owners.append(number)
            confirmed.append(item.confirmed)
    names, groups = _codes(levels)
    hits = np.array(confirmed, dtype=bool)
    of = np.ones(len(hits), dtype=bool)
    counts = _counts(hits, of, groups, patients[np.array(owners, dtype=np.intp)], len(names))
    return tuple(_rate(names[group], counts, group) for group in range(len(names)))


def _rates(
    levels: Sequence[str | None],
    read: NDArray[np.bool_],
    found: NDArray[np.bool_],
    patients: NDArray[np.intp],
) -> tuple[tuple[Rate, ...], list[str], GroupCounts]:
    """Return the shares of the read cases in which something is confirmed, the names, and the counts."""
    known = np.array([level is not None for level in levels], dtype=bool) & read
    names, groups = _codes([level or "" for level in levels])
    groups = np.where(known, groups, -1)
    counts = _counts(found & read, read, groups, patients, len(names))
    seen = [group for group in range(len(names)) if counts.cases[group, 0]]
    return tuple(_rate((names[group],), counts, group) for group in seen), names, counts


def _months(
    cases: Sequence[JudgedCase],
    read: NDArray[np.bool_],
    found: NDArray[np.bool_],
    patients: NDArray[np.intp],
) -> tuple[tuple[Rate, ...], tuple[MonthRate, ...]]:
    rates, names, counts = _rates([case.month for case in cases], read, found, patients)
    charted = charted_months(counts, 0, seed=SEED)
    return rates, tuple(MonthRate(month=names[item.group], chart=item) for item in charted)


def _rate(level: tuple[str, ...], counts: GroupCounts, group: int) -> Rate:
    if counts.patients[group, 0] < LEAST_PATIENTS:
        return Rate(level=level, of=None, confirmed=None, estimate=None)
    return Rate(
        level=level,
        of=int(counts.cases[group, 0]),
        confirmed=int(counts.hits[group, 0]),
        estimate=counts.estimate(group, 0),
    )


def _counts(
    hits: NDArray[np.bool_],
    of: NDArray[np.bool_],
    groups: NDArray[np.intp],
    patients: NDArray[np.intp],
    count: int,
) -> GroupCounts:
    return group_counts(hits[:, None], of[:, None], groups, patients, count)


def _reading(
    cases: Sequence[JudgedCase],
    read: NDArray[np.bool_],
    found: NDArray[np.bool_],
    unread: Iterable[UnreadCount],
) -> Reading:
    """Return what is known of every case that triage concluded: those judged, then the others."""
    others = list(unread)
    numbers = np.array([count.cases for count in others], dtype=np.intp)
    flagged = [count.outcome == Outcome.DISCREPANT.value for count in others]
    chances = [_number(unread_chance(count)) for count in others]
    nothing = np.zeros(int(numbers.sum()), dtype=bool)
    return Reading(
        read=np.concatenate([read, nothing]),
        found=np.concatenate([found, nothing]),
        flagged=np.concatenate(
            [
                np.array([case.is_flagged for case in cases], dtype=bool),
                np.repeat(np.array(flagged, dtype=bool), numbers),
            ]
        ),
        probability=np.concatenate(
            [
                np.array([_number(case.probability) for case in cases], dtype=np.float64),
                np.repeat(np.array(chances, dtype=np.float64), numbers),
            ]
        ),
    )


def _agreement(cases: Sequence[JudgedCase], patients: NDArray[np.intp]) -> Mapping[str, Estimate]:
    """Return how far two independent readers agree on whether something was missed or overcalled."""
    if len(np.unique(patients)) < LEAST_PATIENTS:
        return {}
    reads = np.array([case.found_twice for case in cases], dtype=np.float64)
    return two_reader_estimates(reads, patients, seed=SEED)


def _codes(values: Sequence[Level]) -> tuple[list[Level], NDArray[np.intp]]:
    """Return the different values in order, and the place of each value among them."""
    names = sorted(set(values))
    places = {name: place for place, name in enumerate(names)}
    return names, np.array([places[value] for value in values], dtype=np.intp)


def _number(probability: float | None) -> float:
    return np.nan if probability is None else probability
