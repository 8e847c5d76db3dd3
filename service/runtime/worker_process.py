"""One worker as a process of its own: put together from the settings, stopped by a signal."""

import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from models.loaded_detectors import load_detectors
from overread import __version__
from overread.actor import Actor
from overread.finding import load_vocabulary
from overread.report import load_reader
from service.metrics import observe_stage
from service.settings import Settings
from service.store.database import Store, open_store
from service.store.detector_registry import read_registry
from service.store.leases import process_name
from service.store.policies import follow_shipped_policy
from service.triage.rereading import load_rereader
from service.triage.worker import Clock, TriageTools, is_outdated, work

_log = structlog.get_logger("overread.worker")


def load_tools(store: Store) -> TriageTools:
    """Return the report reader and the detectors of the registry.

    Raises:
        ConfigurationError: the registry is malformed.
        ModelError: a release of the registry is missing on this machine, or altered.
    """
    stored = read_registry(store)
    loaded = load_detectors(stored.registry, store.settings.data_folder, on_stage=observe_stage)
    for reason in loaded.unusable_shadows:
        _log.warning("shadow_unusable", reason=reason)
    return TriageTools(
        report_reader=load_reader(),
        rereader=load_rereader(store.settings),
        detectors=loaded.active,
        shadows=loaded.shadows,
        vocabulary=load_vocabulary(),
        registry_version=stored.version,
    )


def work_as_registered(
    store: Store,
    load: Callable[[Store], TriageTools],
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
        tools = load(store)
        claims += work(store, tools, name=name, clock=clock, stop=stop, drain=drain)
        if stop.is_set() or not is_outdated(store, tools):
            return claims
        _log.info("registry_changed", worker=name, version_before=tools.registry_version)
        del tools  # not two sets of networks in memory


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
            load_tools,
            name=process_name("worker"),
            clock=lambda: datetime.now(UTC),
            stop=stop,
            drain=drain,
        )
    finally:
        store.close()
