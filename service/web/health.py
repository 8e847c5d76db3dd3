"""Liveness, readiness and metrics."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from overread.errors import OverreadError
from overread.observation import ObserverIdentity
from service.metrics import process_registry
from service.store.pressure import read_pressure
from service.web.context import Context, ServerContext
from service.web.installation_metrics import InstallationCollector
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
    """Return 200 if the database takes writes, the disk has room and the model is verified; else 503."""
    checks = readiness_checks(context)
    warnings = pressure_words(context.store.settings, now=context.clock())
    readiness = Readiness(ready=all(check.ok for check in checks), checks=checks, warnings=warnings)
    if not readiness.ready:
        response.status_code = 503
        _log.warning("not_ready", checks=[check.name for check in checks if not check.ok])
    return readiness


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
    of_installation.register(InstallationCollector(context.store, now=context.clock()))
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
    return tuple(checks)


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name=name, ok=True, detail=look())
    except OverreadError as error:
        return Check(name=name, ok=False, detail=str(error))
    except OSError as error:
        return Check(name=name, ok=False, detail=f"the data folder cannot be used: {error.strerror}")


def _write_to_database(context: ServerContext) -> str:
    context.store.require_writable()
    return "takes writes"


def _find_room(context: ServerContext) -> str:
    context.store.files.require_space()
    return f"has room: {in_gigabytes(read_pressure(context.store.settings).free_bytes)} free"


def _reach_objects(context: ServerContext) -> str:
    context.store.files.objects.check()
    return "can be reached"


def _name(model: ObserverIdentity) -> str:
    return f"{model.name} {model.version} ({model.sha256[:12]})"
