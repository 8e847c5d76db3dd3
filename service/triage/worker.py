"""Triages cases: claim under a lease, read the report, look at the images, compare, store.

Killing a worker at any moment loses nothing: its lease runs out and another worker claims the case. Two
results for one revision of a case cannot be stored.
"""

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

import structlog

from overread.case import CaseState
from overread.comparison import ComparedCase, compare, read_history
from overread.errors import (
    ConfigurationError,
    InputError,
    LeaseLostError,
    ModelError,
    NotFoundError,
    OutdatedProcessError,
    OutOfResourcesError,
    RemovedError,
)
from overread.finding import Vocabulary
from overread.observation import Detection, ReportReading
from overread.ports import Detector, ReportReader
from overread.report.reread import Rereader
from overread.triage import TriageResult
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
from service.triage.presence import Presence
from service.triage.shadow import look_in_shadow

_log = structlog.get_logger("overread.worker")
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class TriageTools:
    """Report reader, detectors and vocabulary that a worker triages with."""

    report_reader: ReportReader
    rereader: Rereader | None = None  # reads the sentences behind a flag again
    detectors: tuple[Detector, ...]
    shadows: tuple[Detector, ...] = ()  # look at every concluded case, and change nothing
    vocabulary: Vocabulary
    registry_version: int | None = None  # of the registry that names the detectors; None: of none


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """Conclusion about one case."""

    result: TriageResult
    reading: ReportReading
    detections: tuple[Detection, ...]


def work(
    store: Store, readers: TriageTools, *, name: str, clock: Clock, stop: threading.Event, drain: bool
) -> int:
    """Triage cases until `stop` is set or the registry changes, finish the one in hand, return how many.

    Args:
        store: where the cases are.
        readers: what triages them.
        name: of this worker, in the history of the cases; different for every process.
        clock: gives the aware time.
        stop: set by a signal handler or by the caller.
        drain: whether to return as soon as no case is due.

    Raises:
        ModelError: a model does not do what its manifest says.
        ConfigurationError: a setting or policy is wrong.
        OutdatedProcessError: the database is of another release by now.
    """
    claims = 0
    pause = timedelta(seconds=store.settings.poll_seconds)
    house_due = clock()
    with (
        Heartbeat(store, clock=clock) as heartbeat,
        Presence(store, name, (*readers.detectors, *readers.shadows), clock=clock) as presence,
        Housekeeping(store, worker=name, clock=clock) as housekeeping,
        ReadyCases(store) as ready_cases,
    ):
        while not stop.is_set() and not is_outdated(store, readers):
            try:
                if kept := clock() >= house_due:
                    housekeeping.do()
                    house_due = clock() + pause
                claimed = claim_case(store, worker=name, now=clock())
                if claimed is not None:
                    claims += 1
                    _hint_next(store, readers, now=clock())
                    with presence.working_on(claimed.lease.case_id):
                        concluded = triage_case(store, claimed, readers, heartbeat=heartbeat, clock=clock)
                        shadows = readers.shadows if concluded else ()
                        look_in_shadow(store, claimed, shadows, clock=clock, stop=stop)
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


def is_outdated(store: Store, tools: TriageTools) -> bool:
    """Whether the registry of detectors has been changed since the tools were loaded."""
    if tools.registry_version is None:
        return False
    try:
        return registry_version(store) != tools.registry_version
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


def _hint_next(store: Store, readers: TriageTools, *, now: datetime) -> None:
    """Tell the detectors which images probably come next, so that they can prepare them meanwhile."""
    try:
        instances = peek_case(store, now=now)
    except OutOfResourcesError as error:  # a hint is not worth the case in hand
        _log.warning("store_unavailable", why=str(error))
        return
    if instances:
        for detector in readers.detectors:
            detector.prefetch(instances)


def triage_case(
    store: Store, claimed: ClaimedCase, readers: TriageTools, *, heartbeat: "Heartbeat", clock: Clock
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
            conclusion = look(claimed, readers)
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


def look(claimed: ClaimedCase, readers: TriageTools) -> Conclusion:
    """Return what the readers conclude about a case; nothing is stored.

    Raises:
        InputError: the report or the images cannot be read.
    """
    reading = readers.report_reader.read(claimed.report_text)
    history = read_history(claimed.earlier, readers.report_reader, restored=claimed.restored)
    # What was seen before the pixels were removed holds: a new report is compared with that.
    detections = claimed.seen or tuple(detector.detect(claimed.instances) for detector in readers.detectors)
    case = ComparedCase(reading=reading, detections=detections, history=history, text=claimed.report_text)
    compared = compare(case, claimed.policy, readers.vocabulary, rereader=readers.rereader)
    return Conclusion(result=compared.result, reading=compared.reading, detections=detections)


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
        reason = str(error) if isinstance(error, NotFoundError) else f"unexpected {type(error).__name__}"
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
    return [
        f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
    ]
