"""A candidate beside the active detectors: it looks at the same study after the case has been concluded.

The conclusion is committed before the candidate is asked, so that nothing it does can change what is shown:
not its answer, not its failure, not even its crash. What it saw is kept for comparison alone.
"""

import threading
import time
from collections.abc import Callable
from datetime import datetime

import structlog

from overread.errors import OutOfResourcesError, OverreadError
from overread.observation import ObserverIdentity
from service.error_boundary import ErrorBoundary
from service.store.database import Store
from service.store.records import ClaimedCase
from service.store.shadows import ShadowLook, add_shadows
from service.triage.looks import Looks

_log = structlog.get_logger("overread.shadow")


def look_in_shadow(
    store: Store,
    claimed: ClaimedCase,
    looks: Looks,
    *,
    clock: Callable[[], datetime],
    stop: threading.Event,
) -> None:
    """Let the detectors in shadow look at a concluded case and keep what they saw; never raises for it.

    A worker that is told to stop asks no further one.
    """
    seen = []
    for number, observer in enumerate(looks.shadow_observers):
        if stop.is_set():
            return
        seen.append(_look(looks, number, observer, claimed))
    try:
        add_shadows(store, claimed.lease, seen, now=clock())
    except OutOfResourcesError as error:
        _log.warning("shadow_not_kept", case=claimed.lease.case_id, why=str(error))


def _look(looks: Looks, number: int, observer: ObserverIdentity, claimed: ClaimedCase) -> ShadowLook:
    started = time.perf_counter()
    detection, failure = None, None
    with ErrorBoundary() as boundary:
        detection = looks.look_in_shadow(number, claimed.instances)
    error = boundary.error
    if error is not None:  # the message of one that is not ours may hold what the header says
        failure = str(error) if isinstance(error, OverreadError) else f"unexpected {type(error).__name__}"
    if failure is not None:
        _log.warning(
            "shadow_failed",
            case=claimed.lease.case_id,
            study_instance_uid=claimed.study_instance_uid,
            detector=observer.name,
            reason=failure,
        )
    return ShadowLook(
        detector=observer,
        detection=detection,
        failure=failure,
        seconds=time.perf_counter() - started,
    )
