"""Retention by policy: pixels go when their time is over, what was decided stays.

Only the pixels of cases that triage has settled go, each state after its own time, and of what was refused
only what a person has dealt with. What waits for something, or for somebody, keeps everything.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

import structlog
from sqlalchemy import Row, Select, and_, bindparam, or_, select, tuple_

from overread.case import CaseState
from overread.errors import ConfigurationError, OutOfResourcesError
from service.settings import Settings
from service.store.column_types import UtcDateTime
from service.store.database import Store
from service.store.leases import NamedLease, process_name, release_lease, take_lease
from service.store.records import QuarantineState
from service.store.removal import Removal, drop_removed, mark_removed, remove_refused
from service.store.schema import cases, instances, quarantine, studies

_log = structlog.get_logger("overread.retention")
_PAGE = 500
_DAY_SECONDS = 86400.0
_RETRY_SECONDS = 600.0
_EARLIEST = datetime(1, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How long the pixels of cases in one state are kept."""

    state: CaseState
    days: float  # since the case last changed and the object was last received, whichever is later
    variable: str  # the setting


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionCount:
    """What went, or would go."""

    instances: int = 0
    instance_bytes: int = 0
    refused: int = 0
    refused_bytes: int = 0

    def __add__(self, other: "RetentionCount") -> "RetentionCount":
        """Return both together."""
        return RetentionCount(
            instances=self.instances + other.instances,
            instance_bytes=self.instance_bytes + other.instance_bytes,
            refused=self.refused + other.refused,
            refused_bytes=self.refused_bytes + other.refused_bytes,
        )


def rules_of(settings: Settings) -> tuple[Rule, ...]:
    """Return the rules that the settings give; a state without one keeps its pixels for ever."""
    given = (
        (CaseState.CONCORDANT, settings.keep_days_concordant, "OVERREAD_KEEP_DAYS_CONCORDANT"),
        (CaseState.NOT_APPLICABLE, settings.keep_days_not_applicable, "OVERREAD_KEEP_DAYS_NOT_APPLICABLE"),
    )
    return tuple(
        Rule(state=state, days=days, variable=variable) for state, days, variable in given if days is not None
    )


def has_retention(settings: Settings) -> bool:
    """Return whether anything goes at all."""
    return bool(rules_of(settings)) or settings.keep_days_quarantine is not None


def retain(store: Store, *, now: datetime, dry_run: bool = False) -> Iterator[RetentionCount]:
    """Remove what is over its time, and yield what went, some at a time; with `dry_run` nothing goes.

    It may be interrupted at any moment, and run beside everything else.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    rules = rules_of(store.settings)
    if rules:
        for page in _over_time(store, rules, now):
            for _, of_study in groupby(page, key=lambda row: row.study_instance_uid):
                yield _remove_pixels(store, list(of_study), rules, now, dry_run=dry_run)
    days = store.settings.keep_days_quarantine
    if days is not None:
        for row in _refused_over_time(store, days, now):
            yield _remove_refused(store, row, days, now, dry_run=dry_run)


def retain_daily(store: Store, *, clock: Callable[[], datetime], stop: threading.Event) -> None:
    """Remove what is over its time now and once a day, until `stop` is set.

    Of several processes of one installation one does so each day.

    Raises:
        ConfigurationError: no setting says how long anything is kept.
    """
    if not has_retention(store.settings):
        raise ConfigurationError(
            "nothing is ever removed: set OVERREAD_KEEP_DAYS_CONCORDANT or another; see docs/store.md"
        )
    lease = NamedLease(name="retention", owner=process_name("retain"), seconds=_DAY_SECONDS)
    while not stop.is_set():
        pause = _RETRY_SECONDS
        try:
            if take_lease(store, lease, now=clock()):
                _log_retained(_retain_until(store, stop, now=clock()))
                pause = _DAY_SECONDS
                if stop.is_set():
                    release_lease(store, lease)  # whoever starts next goes on with it
        except OutOfResourcesError as error:
            _log.warning("store_unavailable", why=str(error))
        stop.wait(pause)


def _retain_until(store: Store, stop: threading.Event, *, now: datetime) -> RetentionCount:
    total = RetentionCount()
    for count in retain(store, now=now):
        total += count
        if stop.is_set():
            break
    return total


def _log_retained(total: RetentionCount) -> None:
    _log.info(
        "retained",
        instances=total.instances,
        instance_bytes=total.instance_bytes,
        refused=total.refused,
        refused_bytes=total.refused_bytes,
    )


def _over_time(store: Store, rules: Sequence[Rule], now: datetime) -> Iterator[Sequence[Row[Any]]]:
    """Yield the instances that are over their time, a page at a time, the oldest first."""
    query = _instances_over_time(rules, now)
    after = {"received_at": _EARLIEST, "study": "", "instance": ""}
    while True:
        with store.reading() as connection:
            rows = connection.execute(query, after).all()
        if not rows:
            return
        yield rows
        last = rows[-1]
        after = {
            "received_at": last.received_at,
            "study": last.study_instance_uid,
            "instance": last.sop_instance_uid,
        }


def _instances_over_time(rules: Sequence[Rule], now: datetime) -> Select[Any]:
    """Return the query of the next of them after one place."""
    ends = [(rule.state, now - timedelta(days=rule.days)) for rule in rules]
    over = or_(
        *(
            and_(cases.c.state == state.value, cases.c.updated_at <= end, instances.c.received_at <= end)
            for state, end in ends
        )
    )
    received_at = bindparam("received_at", type_=UtcDateTime())
    place = (instances.c.received_at, instances.c.study_instance_uid, instances.c.sop_instance_uid)
    return (
        select(instances, cases.c.state)
        .join(cases, cases.c.study_instance_uid == instances.c.study_instance_uid)
        .join(studies, studies.c.study_instance_uid == instances.c.study_instance_uid)
        .where(
            instances.c.removed_at.is_(None),
            studies.c.closed_at.is_not(None),
            instances.c.received_at.between(received_at, max(end for _, end in ends)),  # walks the index
            tuple_(*place) > tuple_(received_at, bindparam("study"), bindparam("instance")),
            over,
        )
        .order_by(*place)
        .limit(_PAGE)
    )


def _remove_pixels(
    store: Store, rows: Sequence[Row[Any]], rules: Sequence[Rule], now: datetime, *, dry_run: bool
) -> RetentionCount:
    """Remove the pixels of instances of one study."""
    if dry_run:
        return RetentionCount(instances=len(rows), instance_bytes=sum(row.size_bytes for row in rows))
    (rule,) = (rule for rule in rules if rule.state == rows[0].state)
    study = rows[0].study_instance_uid
    why = f"the case was {rule.state} for {rule.days:g} days ({rule.variable})"
    removal = Removal(at=now, why=why, state=rule.state)
    if mark_removed(store, study, [row.sop_instance_uid for row in rows], removal) == 0:
        return RetentionCount()
    gone = [row for row in rows if drop_removed(store, row.sop_instance_uid)]
    _log.info("pixels_removed", study_instance_uid=study, instances=len(gone), state=rule.state.value)
    return RetentionCount(instances=len(gone), instance_bytes=sum(row.size_bytes for row in gone))


def _refused_over_time(store: Store, days: float, now: datetime) -> Iterator[Row[Any]]:
    query = (
        select(quarantine)
        .where(
            quarantine.c.removed_at.is_(None),
            quarantine.c.state != QuarantineState.WAITING.value,
            quarantine.c.received_at <= now - timedelta(days=days),
            quarantine.c.quarantine_id > bindparam("after"),
        )
        .order_by(quarantine.c.quarantine_id)
        .limit(_PAGE)
    )
    after = 0
    while True:
        with store.reading() as connection:
            rows = connection.execute(query, {"after": after}).all()
        if not rows:
            return
        yield from rows
        after = rows[-1].quarantine_id


def _remove_refused(
    store: Store, row: Row[Any], days: float, now: datetime, *, dry_run: bool
) -> RetentionCount:
    why = f"it was refused more than {days:g} days ago (OVERREAD_KEEP_DAYS_QUARANTINE)"
    if dry_run or remove_refused(store, row.quarantine_id, row.sha256, Removal(at=now, why=why)):
        return RetentionCount(refused=1, refused_bytes=row.size_bytes)
    return RetentionCount()
