"""Fetches by itself what the settings ask for: the studies of waiting reports, and earlier studies."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog

from overread.errors import InputError, NotFoundError, OutOfResourcesError, PeerError
from service.pacs.archive import Archive
from service.pacs.fetching import Fetched, Pace, fetch_study, priors_of, studies_of_case
from service.pacs.settings import PacsSettings
from service.store.database import Store
from service.store.fetches import (
    Fetch,
    FetchKind,
    claim_fetch,
    conclude_fetch,
    give_up_fetch,
    known_study,
    note_missed,
    note_new_studies,
    note_priors,
    postpone_fetch,
    waiting_case,
)
from service.store.leases import NamedLease, kept_lease, process_name, take_lease

_NEW_FOR = timedelta(days=1)  # a study that was closed before is not new any more
_MADE_WITHIN = timedelta(days=30)  # nor is one that was made before, and imported or fetched now
_POLL_SECONDS = 5.0
_PAUSE_SECONDS_MAX = 600.0  # of asking at all, while the PACS fails
_LEASE_SECONDS = 30.0  # after which another process fetches, if this one has died

_log = structlog.get_logger("overread.fetch")
Clock = Callable[[], datetime]


def fetch_by_itself(
    store: Store,
    archive: Archive,
    settings: PacsSettings,
    *,
    clock: Clock,
    stop: threading.Event,
    drain: bool = False,
) -> None:
    """Fetch what is due until `stop` is set, or with `drain` until nothing is.

    Of several processes of one installation one fetches, so that the PACS is asked at the pace that was set.
    """
    pace = Pace(settings.studies_per_minute, stop)
    pause_seconds = _POLL_SECONDS
    lease = NamedLease(name="fetch", owner=process_name("fetch"), seconds=_LEASE_SECONDS)
    with kept_lease(store, lease, clock=clock):
        while not stop.is_set():
            try:
                fetch = _next_fetch(store, settings, lease, now=clock())
                if fetch is not None:
                    failed = not attempt(store, archive, settings, fetch, pace=pace, clock=clock)
                    pause_seconds = min(pause_seconds * 2, _PAUSE_SECONDS_MAX) if failed else _POLL_SECONDS
                    if not failed or drain:
                        continue
                elif drain:
                    return
            except OutOfResourcesError as error:
                _log.warning("store_unavailable", why=str(error))
            stop.wait(pause_seconds)


def _next_fetch(store: Store, settings: PacsSettings, lease: NamedLease, *, now: datetime) -> Fetch | None:
    """Return what is to be fetched next; None if nothing is due, or another process does the fetching."""
    if not take_lease(store, lease, now=now):
        return None
    note_due(store, settings, now=now)
    return claim_fetch(store, now=now)


def note_due(store: Store, settings: PacsSettings, *, now: datetime) -> None:
    """Put down what is to be fetched by now."""
    if settings.missed_minutes is not None:
        note_missed(store, before=now - timedelta(minutes=settings.missed_minutes), now=now)
    if settings.priors_max > 0:
        first_day = (now - _MADE_WITHIN).date()
        note_new_studies(store, after=now - _NEW_FOR, first_day=first_day, now=now)


def attempt(
    store: Store, archive: Archive, settings: PacsSettings, fetch: Fetch, *, pace: Pace, clock: Clock
) -> bool:
    """Fetch one thing, or note why not; return whether the PACS did what was asked."""
    names = {"kind": fetch.kind.value, "subject": fetch.subject, "attempt": fetch.attempts}
    try:
        detail = _fetched(store, archive, settings, fetch, pace, clock)
    except (PeerError, OutOfResourcesError) as error:
        state = postpone_fetch(store, fetch, str(error), now=clock())
        _log.warning("not_fetched", reason=str(error), state=state.value, **names)
        return False
    except (InputError, NotFoundError) as error:
        give_up_fetch(store, fetch, str(error), now=clock())
        _log.warning("not_fetched", reason=str(error), state="GIVEN_UP", **names)
        return True
    conclude_fetch(store, fetch, detail, now=clock())
    _log.info("fetched", detail=detail, **names)
    return True


def _fetched(
    store: Store, archive: Archive, settings: PacsSettings, fetch: Fetch, pace: Pace, clock: Clock
) -> str:
    """Return what came, in words."""
    if fetch.kind is FetchKind.PRIORS:
        study = known_study(store, fetch.subject)
        found = priors_of(archive, study, at_most=settings.priors_max, years=settings.priors_years)
        note_priors(store, [prior.study_instance_uid for prior in found], now=clock())
        return f"{len(found)} earlier studies of the same kind"
    if fetch.kind is FetchKind.PRIOR:
        return _retrieve(store, archive, (fetch.subject,), pace)
    case = waiting_case(store, int(fetch.subject))
    if case is None:
        return "its images have come by themselves"
    found = studies_of_case(archive, case)
    return _retrieve(store, archive, [study.study_instance_uid for study in found], pace)


def _retrieve(store: Store, archive: Archive, study_instance_uids: Sequence[str], pace: Pace) -> str:
    """Return what came of some studies; raises PeerError unless all of it did."""
    results: list[Fetched] = []
    for uid in study_instance_uids:
        pace.wait()
        results.append(fetch_study(store, archive, uid, lambda _: None))
    said = "; ".join(map(str, results))
    if any(result.failed for result in results):
        raise PeerError(said)
    return said
