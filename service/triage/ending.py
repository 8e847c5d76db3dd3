"""How a claimed case ends that could not be concluded: FAILED, back in the queue, or with another worker."""

import traceback
from collections.abc import Callable
from datetime import datetime

import structlog

from overread.case import CaseState
from overread.errors import (
    ConfigurationError,
    InputError,
    LeaseLostError,
    LostProcessError,
    ModelError,
    NotFoundError,
    OutOfResourcesError,
    RemovedError,
)
from service.confined.confined import ConfinedTraceback
from service.metrics import TRIAGES, TriageEnd
from service.store.database import Store
from service.store.queue import fail_case, release_case
from service.store.records import ClaimedCase

_log = structlog.get_logger("overread.worker")


def end_case(store: Store, claimed: ClaimedCase, error: Exception, *, clock: Callable[[], datetime]) -> None:
    """Bring a claimed case to its end whose look, or whose storing, raised; raise anew what concerns others.

    Raises:
        ModelError: a model does not do what its manifest says; the case is back in the queue.
        ConfigurationError: a setting or policy is wrong; the case is back in the queue.
        OutOfResourcesError: the store is not available; the case is given back, or its lease will run out.
    """
    if isinstance(error, LeaseLostError):
        _note_lost_lease(claimed)
    elif isinstance(error, OutOfResourcesError):
        count_end(TriageEnd.RELEASED)
        _give_back(store, claimed, error, now=clock())
        raise error
    else:
        _fail_or_release(store, claimed, error, now=clock())
        if isinstance(error, ModelError | ConfigurationError):
            raise error


def _fail_or_release(store: Store, claimed: ClaimedCase, error: Exception, *, now: datetime) -> None:
    """End a case: FAILED where no further attempt would help, else back to the queue."""
    lease = claimed.lease
    try:
        if isinstance(error, InputError | RemovedError):
            fail_case(store, lease, str(error), now=now)
            count_end(TriageEnd.FAILED)
            _log.warning("failed", reason=str(error), **names_of(claimed))
            return
        # Of others neither message nor values are kept: they may hold what the report says.
        ours = isinstance(error, NotFoundError | LostProcessError)
        reason = str(error) if ours else f"unexpected {type(error).__name__}"
        counts = not isinstance(error, ModelError | ConfigurationError)  # those are not the case's fault
        state = release_case(store, lease, reason, now=now, failed=counts)
        count_end(TriageEnd.FAILED if state is CaseState.FAILED else TriageEnd.RELEASED)
        _log.error("released", reason=reason, state=state.value, trace=_frames(error), **names_of(claimed))
    except LeaseLostError:
        _note_lost_lease(claimed)


def _give_back(store: Store, claimed: ClaimedCase, error: OutOfResourcesError, *, now: datetime) -> None:
    """Put a case back whose images cannot be fetched now; if the database is away too, its lease runs out."""
    try:
        release_case(store, claimed.lease, str(error), now=now, failed=False)
    except (LeaseLostError, OutOfResourcesError):
        _log.warning("store_unavailable", why=str(error), **names_of(claimed))


def _note_lost_lease(claimed: ClaimedCase) -> None:
    count_end(TriageEnd.LEASE_LOST)
    _log.warning("lease_lost", **names_of(claimed))


def count_end(end: TriageEnd) -> None:
    """Count a claimed case that ended so."""
    TRIAGES.labels(end.value).inc()


def names_of(claimed: ClaimedCase) -> dict[str, object]:
    """Return what logs call a claimed case."""
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
