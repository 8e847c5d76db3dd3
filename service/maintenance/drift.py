"""The watch for drift in the running service: the latest window of studies against those that are usual.

Windows follow the reference one after the other without overlap, and each is looked at once. So the rate of
false alarms that the site bears in a month is divided among the looks of a month and the channels of a look
(Bonferroni), and holds for the month as a whole. What is compared is what `overread audit drift` compares.
"""

import math
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from overread.actor import Actor
from overread.cohort import CohortCase
from overread.drift_columns import CHANNELS, windows_of
from overread.drift_watch import Watch, changes_by_channel
from overread.errors import ConfigurationError, OutOfResourcesError
from overread.report import load_reader
from service.error_boundary import ErrorBoundary
from service.maintenance.drift_settings import DriftSettings
from service.store.database import Store
from service.store.drift import ChannelLook, DriftLook, Period, add_look, cases_within, has_look
from service.store.history import concluded_cases_of
from service.store.leases import NamedLease, process_name, take_lease

_log = structlog.get_logger("overread.drift")
_HOUR_SECONDS = 3600.0
_RETRY_SECONDS = 600.0
_EXCHANGES_MIN = 4999
_EXCHANGES_PER_ALARM = 4.0  # at least; with one, only the most extreme exchange of all could be an alarm
_COLUMNS_KEPT = 5  # of each channel, those that differ most
_SEED = 2026


def due_window(settings: DriftSettings, *, now: datetime) -> Period | None:
    """Return the latest window that is over; None before the first, and where nothing is compared."""
    reference = settings.period
    if reference is None:
        return None
    length = timedelta(days=settings.window_days)
    count = (now - reference.end) // length
    if count < 1:
        return None
    end = reference.end + count * length
    return Period(start=end - length, end=end)


def false_alarms_per_look(settings: DriftSettings) -> float:
    """Return the rate of false alarms of each channel at one look."""
    return settings.false_alarms_per_month / max(settings.looks_per_month, 1.0) / len(CHANNELS)


def look_for_drift(store: Store, settings: DriftSettings, *, now: datetime) -> DriftLook | None:
    """Compare the latest window, keep what was found and return it; None where that was done, or none is due.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    reference, window = settings.period, due_window(settings, now=now)
    if reference is None or window is None or has_look(store, reference, window):
        return None
    look = compared(store, settings, reference=reference, window=window, now=now)
    if not add_look(store, look, actor=Actor.program("overread drift")):
        return None
    say = _log.warning if look.alarms else _log.info
    say(
        "drift" if look.alarms else "no_drift",
        window=str(window),
        reference=str(reference),
        channels=list(look.alarms),
        window_cases=look.window_cases,
        reference_cases=look.reference_cases,
    )
    return look


def compared(
    store: Store, settings: DriftSettings, *, reference: Period, window: Period, now: datetime
) -> DriftLook:
    """Return what a window and the reference differ in, of so many studies of each as the settings allow.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    sides: dict[str, bool] = {}
    cases: list[CohortCase] = []
    for period, is_window in ((reference, False), (window, True)):
        for _, case in concluded_cases_of(store, cases_within(store, period, most=settings.cases_max)):
            sides[case.case] = is_window
            cases.append(case)
    own = sum(sides.values())
    channels: tuple[ChannelLook, ...] = ()
    share = false_alarms_per_look(settings)
    if 0 < own < len(sides):
        watch = Watch(
            false_alarms=share,
            permutations=max(_EXCHANGES_MIN, math.ceil(_EXCHANGES_PER_ALARM / share)),
            seed=_SEED,
        )
        windows = windows_of(cases, lambda case: sides[case.case], load_reader(), None)
        channels = tuple(
            ChannelLook(
                channel=channel,
                is_alarm=any(change.is_alarm for change in changes),
                changes=tuple(changes[:_COLUMNS_KEPT]),
            )
            for channel, changes in changes_by_channel(windows, watch).items()
        )
    return DriftLook(
        look_id=0,
        reference=reference,
        window=window,
        looked_at=now,
        reference_cases=len(sides) - own,
        window_cases=own,
        false_alarms=share,
        channels=channels,
    )


def watch_for_drift(
    store: Store, settings: DriftSettings, *, clock: Callable[[], datetime], stop: threading.Event
) -> None:
    """Compare each window once it is over, until `stop` is set; of several processes one does.

    Raises:
        ConfigurationError: no setting says what is usual.
    """
    if settings.period is None:
        raise ConfigurationError(
            "nothing is compared: set OVERREAD_DRIFT_REFERENCE to the days that count as usual; see "
            "docs/scorecards.md"
        )
    lease = NamedLease(name="drift", owner=process_name("drift"), seconds=2 * _HOUR_SECONDS)
    while not stop.is_set():
        with ErrorBoundary() as boundary:
            if take_lease(store, lease, now=clock()):
                look_for_drift(store, settings, now=clock())
        if isinstance(boundary.error, OutOfResourcesError):
            _log.warning("store_unavailable", why=str(boundary.error))
        elif boundary.error is not None:
            _log.error("failed", reason=type(boundary.error).__name__)
        stop.wait(_HOUR_SECONDS if boundary.error is None else _RETRY_SECONDS)
