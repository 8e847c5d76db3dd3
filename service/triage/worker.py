"""Triages cases: claim under a lease, read the report, look at the images, compare, store.

Killing a worker at any moment loses nothing: its lease runs out and another worker claims the case. Two
results for one revision of a case cannot be stored.
"""

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

import structlog

from overread.case import CaseState
from overread.errors import (
    ConfigurationError,
    InputError,
    LeaseLostError,
    LostProcessError,
    ModelError,
    NotFoundError,
    OutdatedProcessError,
    OutOfResourcesError,
    RemovedError,
)
from service.confined.confined import ConfinedTraceback
from service.metrics import TRIAGE_SECONDS, TRIAGES, TriageEnd
from service.store.database import Store
from service.store.detector_registry import registry_version
from service.store.queue import (
    claim_case,
    complete_case,
    fail_case,
    peek_case,
    release_case,
    renew_lease,
)
from service.store.ready_cases import ReadyCases
from service.store.records import ClaimedCase, Lease
from service.triage.housekeeping import Housekeeping
from service.triage.looks import Looks, material_of
from service.triage.presence import Presence
from service.triage.shadow import look_in_shadow

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
    with (
        Heartbeat(store, clock=clock) as heartbeat,
        Presence(store, name, (*looks.observers, *looks.shadow_observers), clock=clock) as presence,
        Housekeeping(store, worker=name, clock=clock) as housekeeping,
        ReadyCases(store) as ready_cases,
    ):
        while _prepared(looks, stop, drain=drain) and not is_outdated(store, looks):
            try:
                if kept := clock() >= house_due:
                    housekeeping.do()
                    house_due = clock() + pause
                claimed = claim_case(store, worker=name, now=clock())
                if claimed is not None:
                    claims += 1
                    _hint_next(store, looks, now=clock())
                    with presence.working_on(claimed.lease.case_id):
                        _take_through(store, claimed, looks, heartbeat=heartbeat, clock=clock, stop=stop)
                    continue
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


def _hint_next(store: Store, looks: Looks, *, now: datetime) -> None:
    """Tell the detectors which images probably come next, so that they can prepare them meanwhile."""
    try:
        instances = peek_case(store, now=now)
    except OutOfResourcesError as error:  # a hint is not worth the case in hand
        _log.warning("store_unavailable", why=str(error))
        return
    if instances:
        looks.hint(instances)


def _take_through(
    store: Store,
    claimed: ClaimedCase,
    looks: Looks,
    *,
    heartbeat: "Heartbeat",
    clock: Clock,
    stop: threading.Event,
) -> None:
    """Bring a claimed case to its end; let the detectors in shadow look at it too if that is a conclusion."""
    if triage_case(store, claimed, looks, heartbeat=heartbeat, clock=clock):
        look_in_shadow(store, claimed, looks, clock=clock, stop=stop)


def triage_case(
    store: Store, claimed: ClaimedCase, looks: Looks, *, heartbeat: "Heartbeat", clock: Clock
) -> bool:
    """Bring a claimed case to its end: concluded, FAILED, or back in the queue for another attempt.

    Returns:
        Whether a conclusion was stored.

    Raises:
        ModelError: a model does not do what its manifest says; the case is back in the queue.
        ConfigurationError: a setting or policy is wrong; the case is back in the queue.
        OutOfResourcesError: the store is not available; the case is given back, or its lease will run out.
    """
    started = time.perf_counter()
    try:
        with heartbeat.of(claimed.lease):
            conclusion = looks.look(material_of(claimed))
            complete_case(
                store,
                claimed,
                conclusion.result,
                reading=conclusion.reading,
                detections=conclusion.detections,
                now=clock(),
            )
        TRIAGE_SECONDS.observe(time.perf_counter() - started)
        _count(TriageEnd.CONCLUDED)
        _log.info("triaged", outcome=conclusion.result.outcome.value, **_names(claimed))
        return True
    except LeaseLostError:
        _count(TriageEnd.LEASE_LOST)
        _log.warning("lease_lost", **_names(claimed))
    except OutOfResourcesError as error:
        _count(TriageEnd.RELEASED)
        _give_back(store, claimed, error, now=clock())
        raise
    except Exception as error:
        _end(store, claimed, error, now=clock())
        if isinstance(error, ModelError | ConfigurationError):
            raise
    return False


class Heartbeat:
    """Renews the lease of the case in hand from a thread of its own, while its `with` block runs."""

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lease: Lease | None = None
        self._beats_left = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    @contextmanager
    def of(self, lease: Lease) -> Iterator[None]:
        """Keep this lease while the block runs; a look that never ends is left to lose it in the end."""
        settings = self._store.settings
        self._beats_left = int(3 * settings.case_seconds_max / settings.lease_seconds)
        self._lease = lease
        try:
            yield
        finally:
            self._lease = None

    def _run(self) -> None:
        while not self._done.wait(self._store.settings.lease_seconds / 3):
            lease = self._lease
            if lease is not None:
                self._renew(lease)

    def _renew(self, lease: Lease) -> None:
        if self._beats_left <= 0:
            _log.error("look_too_long", case=lease.case_id, worker=lease.owner)
            return
        self._beats_left -= 1
        try:
            renew_lease(self._store, lease, now=self._clock())
        except LeaseLostError:
            pass  # storing the result will tell
        except OutOfResourcesError as error:
            _log.warning("store_unavailable", case=lease.case_id, why=str(error))


def _end(store: Store, claimed: ClaimedCase, error: Exception, *, now: datetime) -> None:
    """End a case whose look raised: FAILED where no further attempt would help, else back to the queue."""
    lease = claimed.lease
    try:
        if isinstance(error, InputError | RemovedError):
            fail_case(store, lease, str(error), now=now)
            _count(TriageEnd.FAILED)
            _log.warning("failed", reason=str(error), **_names(claimed))
            return
        # Of others neither message nor values are kept: they may hold what the report says.
        ours = isinstance(error, NotFoundError | LostProcessError)
        reason = str(error) if ours else f"unexpected {type(error).__name__}"
        counts = not isinstance(error, ModelError | ConfigurationError)  # those are not the case's fault
        state = release_case(store, lease, reason, now=now, failed=counts)
        _count(TriageEnd.FAILED if state is CaseState.FAILED else TriageEnd.RELEASED)
        _log.error("released", reason=reason, state=state.value, trace=_frames(error), **_names(claimed))
    except LeaseLostError:
        _count(TriageEnd.LEASE_LOST)
        _log.warning("lease_lost", **_names(claimed))


def _count(end: TriageEnd) -> None:
    TRIAGES.labels(end.value).inc()


def _give_back(store: Store, claimed: ClaimedCase, error: OutOfResourcesError, *, now: datetime) -> None:
    """Put a case back whose images cannot be fetched now; if the database is away too, its lease runs out."""
    try:
        release_case(store, claimed.lease, str(error), now=now, failed=False)
    except (LeaseLostError, OutOfResourcesError):
        _log.warning("store_unavailable", why=str(error), **_names(claimed))


def _names(claimed: ClaimedCase) -> dict[str, object]:
    return {
        "case": claimed.lease.case_id,
        "revision": claimed.lease.revision,
        "attempt": claimed.lease.attempt,
        "worker": claimed.lease.owner,
        "study_instance_uid": claimed.study_instance_uid,
    }


def _frames(error: BaseException) -> list[str]:
    if isinstance(error.__cause__, ConfinedTraceback):
        return list(error.__cause__.frames)
    return [
        f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
    ]
