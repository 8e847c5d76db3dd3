"""One worker as a process of its own: put together from the settings, stopped by a signal."""

import signal
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import partial

import structlog

from overread import __version__
from overread.actor import Actor
from service.settings import Settings
from service.store.database import Store, open_store
from service.store.detector_registry import read_registry
from service.store.leases import process_name
from service.store.policies import follow_shipped_policy
from service.triage.confined_looks import ConfinedLooks, load_registered
from service.triage.looks import Looks
from service.triage.worker import Clock, is_outdated, work

_log = structlog.get_logger("overread.worker")


def confined_looks(store: Store) -> ConfinedLooks:
    """Return who looks with the detectors of the registry, in a child process; nothing is started yet.

    Raises:
        ConfigurationError: the registry is malformed.
    """
    stored = read_registry(store)
    load = partial(load_registered, stored.registry, store.settings, stored.version)
    return ConfinedLooks(load, store.settings, registry_version=stored.version)


def work_as_registered(
    store: Store,
    load: Callable[[Store], Looks],
    *,
    name: str,
    clock: Clock,
    stop: threading.Event,
    drain: bool,
) -> int:
    """Triage cases with the detectors that the registry names, anew whenever it is changed; return how many.

    A case that is in hand when the registry is changed is finished with the detectors that it was begun with.
    """
    claims = 0
    while True:
        with closing(load(store)) as looks:  # not two sets of networks in memory
            claims += work(store, looks, name=name, clock=clock, stop=stop, drain=drain)
            if stop.is_set() or not is_outdated(store, looks):
                return claims
            _log.info("registry_changed", worker=name, version_before=looks.registry_version)


def run_worker(settings: Settings, *, drain: bool) -> int:
    """Triage cases until SIGTERM or SIGINT, or with `drain` until none is due, and return how many claims.

    A case that is being triaged when the signal comes is finished first. When the registry of detectors is
    changed, the worker goes on with those that it names from then on.

    Raises:
        ModelError: a release of the registry is missing on this machine, altered, or does not do what its
            manifest says.
        ConfigurationError: a setting, the registry or the policy is wrong.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    store = open_store(settings)
    try:
        follow_shipped_policy(store, actor=Actor.program(f"overread {__version__}"), now=datetime.now(UTC))
        return work_as_registered(
            store,
            confined_looks,
            name=process_name("worker"),
            clock=lambda: datetime.now(UTC),
            stop=stop,
            drain=drain,
        )
    finally:
        store.close()
