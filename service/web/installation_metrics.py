"""Metrics of the whole installation, read from the store and the disk at the moment of a scrape."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from overread import __version__
from overread.case import CaseState
from overread.drift_columns import CHANNELS
from overread.errors import ConfigurationError, OutOfResourcesError
from service.network_settings import certificate_expiry
from service.store.audit_trail import last_backup_at
from service.store.database import Store
from service.store.drift import list_looks
from service.store.outbox import outbox_figures
from service.store.pressure import read_pressure
from service.store.quarantine import count_states
from service.store.quarantine_room import read_room
from service.store.queue_figures import read_queue_figures
from service.store.records import QuarantineState
from service.store.workers import workers_alive

_DRIFT_FORGOTTEN = timedelta(days=30)  # after the next look was due: somebody has switched the watch off


class InstallationCollector(Collector):
    """Gives the gauges of an installation; those that cannot be read now are left out."""

    def __init__(
        self,
        store: Store,
        *,
        now: datetime,
        checks: Mapping[str, bool] | None = None,
        certificates: Mapping[str, Path] | None = None,
    ) -> None:
        """Collect as of a moment.

        Args:
            store: of the installation.
            now: for every age.
            checks: of /health/ready, by name.
            certificates: that our listeners show, by listener.
        """
        self._store = store
        self._now = now
        self._checks = checks or {}
        self._certificates = certificates or {}

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges."""
        yield InfoMetricFamily("overread_build", "Release of overread.", {"version": __version__})
        yield _labelled(
            "overread_check_ok", "Whether a check of /health/ready passes: 1, or 0.", "check", self._checks
        )
        yield self._of_certificates()
        yield from self._of_disk()
        try:
            of_database = [
                *self._of_queue(),
                *self._of_quarantine(),
                *self._of_outbox(),
                self._of_workers(),
                self._of_backup(),
                *self._of_drift(),
            ]
        except OutOfResourcesError:
            of_database = []
        yield _gauge(
            "overread_database_up", "Whether the database could be read: 1, or 0.", float(bool(of_database))
        )
        yield from of_database

    def _of_disk(self) -> Iterator[Metric]:
        try:
            pressure = read_pressure(self._store.settings)
        except OSError:
            return
        yield _gauge(
            "overread_disk_free_bytes", "Free space on the disk of the data folder.", pressure.free_bytes
        )
        yield _gauge(
            "overread_disk_free_warn_bytes",
            "Free space below which a person should make room (OVERREAD_FREE_BYTES_WARN).",
            pressure.warns_below,
        )
        yield _gauge(
            "overread_disk_free_min_bytes",
            "Free space below which everything is refused (OVERREAD_FREE_BYTES_MIN).",
            pressure.stops_below,
        )

    def _of_queue(self) -> Iterator[Metric]:
        figures = read_queue_figures(self._store)
        yield _by_state("overread_cases", "Cases by state.", figures.cases)
        yield _by_state(
            "overread_oldest_case_age_seconds",
            "How long the oldest case waits: READY for a worker, LISTED for a reader; 0 where none does.",
            {
                CaseState.READY: self._seconds_since(figures.ready_since),
                CaseState.LISTED: self._seconds_since(figures.listed_since),
            },
        )

    def _of_quarantine(self) -> Iterator[Metric]:
        waiting = count_states(self._store)[QuarantineState.WAITING]
        yield _gauge(
            "overread_quarantine_waiting", "Refused objects and reports that wait for a person.", waiting
        )
        yield _gauge(
            "overread_quarantine_filled_ratio",
            "Share of the room of the quarantine that is in use; at 1 it takes no more.",
            read_room(self._store).filled,
        )

    def _of_outbox(self) -> Iterator[Metric]:
        labels = ("destination", "state")
        counts = GaugeMetricFamily(
            "overread_results_waiting", "Results that wait to be sent, or were given up.", labels=labels
        )
        ages = GaugeMetricFamily(
            "overread_oldest_result_age_seconds", "How long the oldest of them has waited.", labels=labels
        )
        for figure in outbox_figures(self._store):
            values = (figure.destination, figure.state.value)
            counts.add_metric(values, figure.count)
            ages.add_metric(values, self._seconds_since(figure.oldest_asked_at))
        yield from (counts, ages)

    def _of_certificates(self) -> Metric:
        expiries = {}
        for listener, certificate in self._certificates.items():
            try:
                expiries[listener] = certificate_expiry(certificate).timestamp()
            except ConfigurationError:
                expiries[listener] = 0.0  # one that cannot be read lets nobody in at the next start
        return _labelled(
            "overread_certificate_expires_timestamp_seconds",
            "When the certificate that a listener shows stops being valid; 0 where it cannot be read.",
            "listener",
            expiries,
        )

    def _of_backup(self) -> Metric:
        made_at = last_backup_at(self._store)
        return _gauge(
            "overread_last_backup_timestamp_seconds",
            "When `overread db backup` last made a backup that is whole; 0 where it never did.",
            made_at.timestamp() if made_at else 0.0,
        )

    def _of_drift(self) -> Iterator[Metric]:
        """Give the latest look; zeros where there is none, or further ones have not come for long."""
        look = next(iter(list_looks(self._store, limit=1)), None)
        if look is not None and self._now - look.next_end > _DRIFT_FORGOTTEN:
            look = None
        channels = () if look is None else look.channels
        yield _labelled(
            "overread_drift_alarm",
            "Whether the latest window of studies differs from the reference: 1, or 0.",
            "channel",
            {**dict.fromkeys(CHANNELS, 0.0), **{item.channel: item.is_alarm for item in channels}},
        )
        yield _labelled(
            "overread_drift_p",
            "Chance that nothing but chance made the column differ that differs most.",
            "channel",
            {item.channel: item.p for item in channels if item.p is not None},
        )
        yield _gauge(
            "overread_drift_window_cases",
            "Studies of the latest window that were compared.",
            look.window_cases if look else 0,
        )
        yield _gauge(
            "overread_drift_next_look_timestamp_seconds",
            "When the next window is over, which is to be looked at then; 0 where none was looked at.",
            look.next_end.timestamp() if look else 0.0,
        )

    def _of_workers(self) -> Metric:
        alive = workers_alive(self._store, now=self._now)
        return _gauge("overread_workers_alive", "Workers that live, on all machines.", alive)

    def _seconds_since(self, then: datetime | None) -> float:
        return 0.0 if then is None else max((self._now - then).total_seconds(), 0.0)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _by_state(name: str, text: str, values: Mapping[CaseState, float]) -> Metric:
    return _labelled(name, text, "state", {state.value: value for state, value in values.items()})


def _labelled(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for labelled, value in values.items():
        family.add_metric((labelled,), float(value))
    return family
