"""Triages cases: claim under a lease, read the report, look at the images, compare, store.

Killing a worker at any moment loses nothing: its lease runs out and another worker claims the case. Two
results for one revision of a case cannot be stored.
"""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from overread.errors import LostProcessError, OutdatedProcessError, OutOfResourcesError
from service.error_boundary import ErrorBoundary
from service.store.database import Store
from service.store.detector_registry import registry_version
from service.store.queue import claim_case, peek_case
from service.store.queue_front import QueueFront
from service.store.ready_cases import ReadyCases
from service.store.records import ClaimedCase
from service.tracing import Step, traces
from service.triage.ending import end_case
from service.triage.heartbeat import Heartbeat
from service.triage.housekeeping import Housekeeping
from service.triage.looks import Looks, material_of
from service.triage.presence import Presence
from service.triage.shadow import look_in_shadow
from service.triage.storing import Storing

_log = structlog.get_logger("overread.worker")
_LOAD_AGAIN_SECONDS = 10.0
Clock = Callable[[], datetime]


def work(store: Store, looks: Looks, *, name: str, clock: Clock, stop: threading.Event, drain: bool) -> int:
    """Triage cases until `stop` is set or the registry changes, finish the one in hand, return how many.

    Args:
        store: where the cases are.
        looks: looks at them.
        name: of this worker, in the history of the cases; different for every process.
        clock: gives the aware time.
        stop: set by a signal handler or by the caller.
        drain: whether to return as soon as no case is due.

    Raises:
        ModelError: a model does not do what its manifest says.
        ConfigurationError: a setting or policy is wrong.
        OutdatedProcessError: the database is of another release by now.
        LostProcessError: with `drain` alone: the process that loads the detectors ends again and again.
        OutOfResourcesError: with `drain` alone: no process can be started now.
    """
    _prepared(looks, stop, drain=drain)
    claims = 0
    pause = timedelta(seconds=store.settings.poll_seconds)
    house_due = clock()
    front = None if drain else QueueFront()  # what drains looks at every case each time
    with (
        Heartbeat(store, clock=clock) as heartbeat,
        Storing(store, heartbeat, clock=clock) as storing,
        Presence(store, name, (*looks.observers, *looks.shadow_observers), clock=clock) as presence,
        Housekeeping(store, worker=name, clock=clock) as housekeeping,
        ReadyCases(store) as ready_cases,
    ):
        while _prepared(looks, stop, drain=drain) and not is_outdated(store, looks):
            try:
                if kept := clock() >= house_due:
                    housekeeping.do()
                    house_due = clock() + pause
                asked_at = clock()
                claimed = claim_case(store, worker=name, now=asked_at, front=front)
                if claimed is not None:
                    claims += 1
                    _trace_claim(claimed, asked_at)
                    _hint_next(store, looks, front, now=clock())
                    with presence.working_on(claimed.lease.case_id):
                        _take_through(store, looks, storing, clock=clock, stop=stop, claimed=claimed)
                    continue
                storing.settle()
            except OutOfResourcesError as error:
                _log.warning("store_unavailable", worker=name, why=str(error))
                _await_store(store, stop)
            else:
                if drain and kept:
                    break
                house_due = clock()  # nothing else to do
                if drain:
                    continue
            ready_cases.wait(store.settings.poll_seconds, stop)
    return claims


def _prepared(looks: Looks, stop: threading.Event, *, drain: bool) -> bool:
    """Return True once the detectors are loaded, False once `stop` is set: no case is claimed before.

    What ended while it loaded them, as on a machine that is short of memory, is tried again; not for `drain`.
    """
    while not stop.is_set():
        try:
            looks.prepare()
        except (LostProcessError, OutOfResourcesError) as error:
            if drain:
                raise
            _log.warning("detectors_unavailable", why=str(error))
            stop.wait(_LOAD_AGAIN_SECONDS)
        else:
            return True
    return False


def is_outdated(store: Store, looks: Looks) -> bool:
    """Whether the registry of detectors has been changed since they were loaded."""
    if looks.registry_version is None:
        return False
    try:
        return registry_version(store) != looks.registry_version
    except OutOfResourcesError:
        return False  # whoever works on meets it again


def _await_store(store: Store, stop: threading.Event) -> None:
    """Return when database and objects can be reached, or `stop` is set: an earlier claim fills a history.

    Raises:
        OutdatedProcessError: the database is of another release by now.
    """
    while not stop.wait(store.settings.poll_seconds):
        try:
            store.require_release()
            store.files.objects.check()
        except OutdatedProcessError:
            raise
        except OutOfResourcesError:
            continue
        return


def _trace_claim(claimed: ClaimedCase, asked_at: datetime) -> None:
    lease = claimed.lease
    traces().past(
        Step.CLAIM,
        lease.case_id,
        started_at=asked_at,
        revision=lease.revision,
        attempt=lease.attempt,
        worker=lease.owner,
    )


def _hint_next(store: Store, looks: Looks, front: QueueFront | None, *, now: datetime) -> None:
    """Tell the detectors which images probably come next, so that they can prepare them meanwhile."""
    try:
        instances = peek_case(store, now=now, front=front)
    except OutOfResourcesError as error:  # a hint is not worth the case in hand
        _log.warning("store_unavailable", why=str(error))
        return
    if instances:
        looks.hint(instances)


def _take_through(
    store: Store,
    looks: Looks,
    storing: Storing,
    *,
    clock: Clock,
    stop: threading.Event,
    claimed: ClaimedCase,
) -> None:
    """Triage a claimed case, and let the detectors in shadow look, if there are any, once it is stored."""
    concluded = triage_case(store, claimed, looks, storing=storing, clock=clock)
    if concluded and looks.shadow_observers and storing.settle():
        look_in_shadow(store, claimed, looks, clock=clock, stop=stop)


def triage_case(
    store: Store,
    claimed: ClaimedCase,
    looks: Looks,
    *,
    storing: Storing,
    clock: Clock,
) -> bool:
    """Look at a claimed case and begin to store what is concluded; else bring the case to its end.

    Returns:
        Whether something was concluded.

    Raises:
        ModelError: a model does not do what its manifest says; the case is back in the queue.
        ConfigurationError: a setting or policy is wrong; the case is back in the queue.
        OutOfResourcesError: the store is not available; the case is given back, or its lease will run out.
    """
    started = time.perf_counter()
    storing.heartbeat.keep(claimed.lease)
    conclusion = None
    step = traces().step(Step.LOOK, claimed.lease.case_id, revision=claimed.lease.revision)
    with ErrorBoundary() as boundary, step:
        conclusion = looks.look(material_of(claimed))
    if conclusion is None:
        storing.heartbeat.let_go(claimed.lease)
        end_case(store, claimed, boundary.error or RuntimeError(), clock=clock)
        return False
    storing.begin(claimed, conclusion, started=started)
    return True
