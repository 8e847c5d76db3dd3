"""Retention by policy: pixels go when their time is over, what was decided stays.

Only the pixels of cases that triage has settled go, each state after its own time, and of what was refused
only what a person has dealt with. What waits for something, or for somebody, keeps everything.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

import structlog

from overread.case import CaseState
from overread.errors import ConfigurationError, OutOfResourcesError
from service.settings import Settings
from service.store.database import Store
from service.store.expiry import ExpiredInstance, ExpiredRefusal, expired_instances, expired_refusals
from service.store.leases import NamedLease, process_name, release_lease, take_lease
from service.store.removal import Removal, drop_removed, mark_removed, remove_refused

_log = structlog.get_logger("overread.retention")
_DAY_SECONDS = 86400.0
_RETRY_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Time for which the pixels of cases in one state are kept."""

    state: CaseState
    days: float  # since the case last changed and the object was last received, whichever is later
    variable: str  # the setting


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionCount:
    """Number of objects and bytes that were removed, or would be."""

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
        ends = [(rule.state, now - timedelta(days=rule.days)) for rule in rules]
        for page in expired_instances(store, ends):
            for _, of_study in groupby(page, key=lambda instance: instance.study_instance_uid):
                yield _remove_pixels(store, list(of_study), rules, now, dry_run=dry_run)
    days = store.settings.keep_days_quarantine
    if days is not None:
        for refusal in expired_refusals(store, now - timedelta(days=days)):
            yield _remove_refused(store, refusal, days, now, dry_run=dry_run)


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


def _remove_pixels(
    store: Store, expired: Sequence[ExpiredInstance], rules: Sequence[Rule], now: datetime, *, dry_run: bool
) -> RetentionCount:
    """Remove the pixels of instances of one study."""
    if dry_run:
        return RetentionCount(instances=len(expired), instance_bytes=sum(each.size_bytes for each in expired))
    (rule,) = (rule for rule in rules if rule.state is expired[0].state)
    study = expired[0].study_instance_uid
    why = f"the case was {rule.state} for {rule.days:g} days ({rule.variable})"
    removal = Removal(at=now, why=why, state=rule.state)
    if mark_removed(store, study, [each.sop_instance_uid for each in expired], removal) == 0:
        return RetentionCount()
    gone = [each for each in expired if drop_removed(store, each.sop_instance_uid)]
    _log.info("pixels_removed", study_instance_uid=study, instances=len(gone), state=rule.state.value)
    return RetentionCount(instances=len(gone), instance_bytes=sum(each.size_bytes for each in gone))


def _remove_refused(
    store: Store, expired: ExpiredRefusal, days: float, now: datetime, *, dry_run: bool
) -> RetentionCount:
    why = f"it was dealt with more than {days:g} days ago (OVERREAD_KEEP_DAYS_QUARANTINE)"
    if dry_run or remove_refused(store, expired.quarantine_id, expired.sha256, Removal(at=now, why=why)):
        return RetentionCount(refused=1, refused_bytes=expired.size_bytes)
    return RetentionCount()
