"""Liveness, readiness and metrics."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from overread.errors import OutOfResourcesError, OverreadError
from overread.observation import ObserverIdentity
from service.metrics import process_registry
from service.store.pressure import read_pressure
from service.store.readiness import TriageProgress, read_progress, verify_writes
from service.web.context import Context, ServerContext
from service.web.installation_metrics import InstallationCollector
from service.web.outbox import outbox_words
from service.web.pressure import in_gigabytes, pressure_words

router = APIRouter(tags=["health"])
_log = structlog.get_logger("overread.health")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that must be in order for the service to do its work."""

    name: str
    ok: bool
    detail: str  # what it is, or what is wrong and what to do


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether the service can take work now."""

    ready: bool
    checks: tuple[Check, ...]
    warnings: tuple[str, ...]  # what a person should see to soon


@router.get("/health/live", summary="The process answers")
def live() -> dict[str, str]:
    """Return 200 as long as the process can answer at all; restart it when it cannot."""
    return {"status": "live"}


@router.get(
    "/health/ready",
    summary="The service can take work",
    responses={503: {"model": Readiness, "description": "Something is wrong; the checks say what"}},
)
def ready(context: Context, response: Response) -> Readiness:
    """Return 200 if database, disk, objects, model, workers and queue are in order; else 503."""
    checks = readiness_checks(context)
    warnings = (*pressure_words(context.store, now=context.clock()), *_outbox_words(context))
    readiness = Readiness(ready=all(check.ok for check in checks), checks=checks, warnings=warnings)
    if not readiness.ready:
        response.status_code = 503
        _log.warning("not_ready", checks=[check.name for check in checks if not check.ok])
    return readiness


def _outbox_words(context: ServerContext) -> tuple[str, ...]:
    try:
        return outbox_words(context.store, now=context.clock())
    except OutOfResourcesError:
        return ()  # a check says that the database cannot be read


@router.get(
    "/metrics",
    summary="Counts, durations and the state of the queue for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus text format"}},
)
def metrics(context: Context) -> Response:
    """Return what the processes of this machine counted, and the state of queue, quarantine and disk.

    No label holds a name, number or UID.
    """
    of_installation = CollectorRegistry()
    checks = {check.name: check.ok for check in readiness_checks(context)}
    of_installation.register(
        InstallationCollector(
            context.store, now=context.clock(), checks=checks, certificates=context.certificates
        )
    )
    text = generate_latest(of_installation) + generate_latest(process_registry())
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def readiness_checks(context: ServerContext) -> tuple[Check, ...]:
    """Return what was looked at, in the order in which a person should look."""
    checks = [
        _check("database", lambda: _write_to_database(context)),
        _check("disk", lambda: _find_room(context)),
        _check("objects", lambda: _reach_objects(context)),
    ]
    if context.model is not None:
        model = context.model
        checks.append(_check("model", lambda: _name(model())))
        checks += _checks_of_triage(context)  # which is no matter of the intake, which has no model
    return tuple(checks)


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name=name, ok=True, detail=look())
    except OverreadError as error:
        return Check(name=name, ok=False, detail=str(error))
    except OSError as error:
        return Check(name=name, ok=False, detail=f"the data folder cannot be used: {error.strerror}")


def _checks_of_triage(context: ServerContext) -> list[Check]:
    """Return whether workers triage the cases that wait; nothing where the database cannot tell."""
    now = context.clock()
    try:
        progress = read_progress(context.store, now=now)
    except OutOfResourcesError as error:
        return [Check(name="workers", ok=False, detail=str(error))]
    stalled = timedelta(seconds=context.store.settings.stalled_seconds)
    return [
        _check("workers", lambda: _find_workers(progress, now)),
        _check("queue", lambda: _see_progress(progress, now, stalled)),
    ]


def _find_workers(progress: TriageProgress, now: datetime) -> str:
    waits = progress.waits(now=now)
    if waits and progress.hanging:
        raise OutOfResourcesError(
            "; ".join(
                f"{worker.name} hangs: it has worked on case {worker.case_id} for longer than "
                "OVERREAD_CASE_SECONDS_MAX and its lease; end it, and start it again"
                for worker in progress.hanging
            )
        )
    if waits and not progress.alive:
        silent = "".join(
            f"; {worker.name} was last seen at {worker.seen_at.isoformat()}: it is stopped, or it died"
            for worker in progress.silent
        )
        raise OutOfResourcesError(f"cases wait and no worker lives{silent}; start `overread worker`")
    return f"{len(progress.alive)} live" if progress.alive else "none lives: what comes in will wait"


def _see_progress(progress: TriageProgress, now: datetime, stalled: timedelta) -> str:
    if progress.has_stalled(now=now, after=stalled) and progress.due_since is not None:
        raise OutOfResourcesError(
            f"a case has been due since {progress.due_since.isoformat()}, and no triage ended in "
            f"{stalled.total_seconds():g} s; see the log of the workers"
        )
    return "moves" if progress.waits(now=now) else "no case waits"


def _write_to_database(context: ServerContext) -> str:
    verify_writes(context.store, now=context.clock())
    return "keeps what is written"


def _find_room(context: ServerContext) -> str:
    context.store.files.verify_writes()
    free = in_gigabytes(read_pressure(context.store.settings).free_bytes)
    return f"can be written and has room: {free} free"


def _reach_objects(context: ServerContext) -> str:
    context.store.files.objects.check()
    return "can be reached"


def _name(model: ObserverIdentity) -> str:
    return f"{model.name} {model.version} ({model.sha256[:12]})"
