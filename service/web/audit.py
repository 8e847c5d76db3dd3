"""What the audit trail records of requests: which answers showed something, of what, and to whom.

What changes something is recorded where it is changed, in the same transaction. Reports and images that are
sent in are recorded with their source where they are stored.
"""

import re
from typing import Any
from urllib.parse import unquote_plus

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from overread.actor import Actor
from service.audit_trail.recorder import AuditRecorder
from service.security.identity import VISIT_KEY, Visit
from service.store.audit_entries import LOCAL, AuditAction, AuditEntry, AuditOutcome
from service.web.access_log import STATIC_ADDRESS, route_template
from service.web.context import ServerContext
from service.web.errors import Problem, problem_response

SEARCHES = frozenset(
    {
        "/",
        "/worklist/rows",
        "/quarantine",
        "/results",
        "/fhir/Communication",
        "/fhir/DiagnosticReport",
        "/fhir/ImagingSelection",
        "/fhir/Observation",
        "/fhir/Task",
        "/api/v1/worklist",
        "/api/v1/quarantine",
        "/studies",
        "/series",
        "/instances",
        "/studies/{study}/series",
        "/studies/{study}/instances",
        "/studies/{study}/series/{series}/instances",
    }
)
"""Routes that answer with a list of what fits a query."""

SHOW_NO_PATIENT = frozenset(
    {
        "/health/live",
        "/health/ready",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/docs/{name}",
        "/sign-in",
        "/worklist/changes",
        "/queue",
        "/fhir/metadata",
        "/api/v1/counts",
        "/api/v1/second-reads/summary",
        "/second-reads",
        "/api/v1/workers",
        STATIC_ADDRESS,
        "/ohif/{path:path}",  # the program; what it shows it asks of DICOMweb
    }
)
"""Routes whose answers hold nothing of a patient; every other one that shows something is recorded."""

_SUBJECTS = (  # name in the route, kind of thing; what is more particular comes first
    ("case_id", "case"),
    ("quarantine_id", "quarantine"),
    ("sop_instance_uid", "instance"),
    ("instance", "instance"),
    ("series", "series"),
    ("study", "study"),
    ("study_instance_uid", "study"),
)
_RESOURCE_OF_CASE = re.compile(r"case-([0-9]{1,18})(?:-[0-9]{1,4}){0,2}$")  # id of a FHIR resource of ours
AHEAD = "overread-ahead"
"""Header of a request for what may be looked at later; its answer is recorded as fetched, not as seen."""
_AHEAD_ROUTES = frozenset(
    {"/api/v1/cases/{case_id}/images", "/api/v1/instances/{sop_instance_uid}/frames/{frame}/pixels"}
)
_SHOWN = range(200, 400)  # 304 too: the browser shows what it kept
_REFUSED = frozenset({401, 403})
_NOT_FOUND = 404
_SHOWING = frozenset({"GET", "HEAD"})
_FULL = Problem(
    status=503,
    slug="audit-trail-waits",
    title="The audit trail cannot be written at the moment, so nothing is shown; try again later",
)


class AuditMiddleware:
    """Records in the audit trail what an answer showed; shows nothing while that cannot be recorded."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and note what was shown."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        recorder: AuditRecorder = scope["app"].state.recorder
        if recorder.is_full and scope["method"] in _SHOWING:
            await problem_response(_FULL)(scope, receive, send)
            return

        async def send_noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry = _entry_of(scope, message["status"])
                if entry is not None:
                    recorder.note(entry)
            await send(message)

        await self._app(scope, receive, send_noting)


def _entry_of(scope: Scope, status: int) -> AuditEntry | None:
    """Return the entry about an answer, None for one that shows nothing."""
    route = route_template(scope)
    visit: Visit | None = scope.get(VISIT_KEY)
    recognised = None if visit is None else visit.identity
    subject = _subject(scope.get("path_params", {}))
    # What is of another site answers somebody who is bound as what is not there.
    is_out_of_sight = (
        status == _NOT_FOUND
        and subject is not None
        and recognised is not None
        and recognised.sites is not None
    )
    shows = scope["method"] in _SHOWING  # what changes something is recorded where it is changed
    is_refused = is_out_of_sight or (shows and status in _REFUSED)
    if route in SHOW_NO_PATIENT or not (is_refused or (shows and status in _SHOWN)):
        return None
    context: ServerContext = scope["app"].state.context
    request = HTTPConnection(scope)
    sent_from = request.client.host if request.client else LOCAL
    return AuditEntry(
        at=context.clock(),
        actor=Actor.unverified(sent_from) if recognised is None else recognised.actor,
        sent_from=sent_from,
        action=_action(route, ahead=request.headers.get(AHEAD) == "1") if shows else AuditAction.CHANGED,
        outcome=AuditOutcome.REFUSED if is_refused else AuditOutcome.SUCCEEDED,
        what=f"{scope['method']} {route}",
        subject=subject,
        detail=unquote_plus(scope.get("query_string", b"").decode("latin-1")) or None,
    )


def _action(route: str, *, ahead: bool) -> AuditAction:
    if route in SEARCHES:
        return AuditAction.SEARCHED
    return AuditAction.FETCHED_AHEAD if ahead and route in _AHEAD_ROUTES else AuditAction.SAW


def _subject(parameters: dict[str, Any]) -> str | None:
    for name, kind in _SUBJECTS:
        if name in parameters:
            return f"{kind} {parameters[name]}"
    resource = _RESOURCE_OF_CASE.match(str(parameters.get("name", "")))
    return f"case {resource[1]}" if resource else None
