"""The one table of who may call what: method and route template to what is needed.

It holds for every HTTP process. What is not in it is denied to everybody, and a test fails for a route of
any application that has no entry.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from starlette.routing import compile_path

from service.security.roles import Need, Role, Scope

_READER, _COORDINATOR = Role.SECOND_READER, Role.COORDINATOR
_QUALITY, _ADMINISTRATOR = Role.QUALITY, Role.ADMINISTRATOR


def _need(*given: Role | Scope) -> Need:
    return Need(
        roles=frozenset(item for item in given if isinstance(item, Role)),
        scopes=frozenset(item for item in given if isinstance(item, Scope)),
    )


PUBLIC = Need(is_public=True)
NOBODY = Need()
ANYBODY_KNOWN = Need(roles=frozenset(Role), scopes=frozenset(Scope))
A_PERSON = Need(roles=frozenset(Role))
SEE_CASES = _need(_READER, _COORDINATOR, _QUALITY, Scope.CASES_READ)
SEE_CASES_ON_PAGES = _need(_READER, _COORDINATOR, _QUALITY)
SEE_SHARES = _need(_COORDINATOR, _QUALITY, Scope.CASES_READ)
SEE_SHARES_ON_PAGES = _need(_COORDINATOR, _QUALITY)
BE_TOLD = _need(Role.FIRST_READER)
JUDGE = _need(_READER)
WEIGH_AGAIN = _need(_READER, _QUALITY, Scope.CASES_WRITE)
RUN_CASES = _need(_COORDINATOR, Scope.CASES_WRITE)
READ = _need(_READER)
PUT_BACK = _need(_READER, _COORDINATOR)
ASSIGN = _need(_COORDINATOR)
RUN_CASES_ON_PAGES = _need(_COORDINATOR)
SEE_RESULTS = _need(_COORDINATOR, _QUALITY, Scope.CASES_READ)  # no reader: an own read comes first
SEND_REPORTS = _need(_COORDINATOR, Scope.REPORTS_WRITE)
SEND_IMAGES = _need(_COORDINATOR, Scope.IMAGES_WRITE)
SEE_IMAGES = _need(_READER, _COORDINATOR, _QUALITY, Scope.IMAGES_READ)
SEE_PICTURES = _need(_READER, _COORDINATOR, _QUALITY, Scope.IMAGES_READ, Scope.CASES_READ)
CLEAR_QUARANTINE = _need(_COORDINATOR, Scope.QUARANTINE)
TRIAGE = _need(_READER, _QUALITY, Scope.TRIAGE)
SEE_QUEUE = _need(_COORDINATOR, _QUALITY)
SEE_STATE = _need(_COORDINATOR, _QUALITY, _ADMINISTRATOR, Scope.MONITORING, Scope.CASES_READ)
MONITOR = _need(_COORDINATOR, _ADMINISTRATOR, Scope.MONITORING)
ADMINISTER = _need(_ADMINISTRATOR)

BACKGROUND: frozenset[tuple[str, str]] = frozenset(
    {
        ("POST", "/api/v1/cases/{case_id}/claim/renew"),
        ("GET", "/worklist/rows"),
        ("GET", "/worklist/changes"),
    }
)
"""Routes that an open page calls by itself: that uses no session, which may end meanwhile."""

_SERIES = "/studies/{study}/series/{series}"
_INSTANCE = f"{_SERIES}/instances/{{instance}}"

ROUTES: Mapping[tuple[str, str], Need] = {
    # Pages
    ("GET", "/"): SEE_CASES_ON_PAGES,
    ("GET", "/worklist/rows"): SEE_CASES_ON_PAGES,
    ("GET", "/worklist/changes"): SEE_CASES_ON_PAGES,
    ("POST", "/worklist/search"): SEE_CASES_ON_PAGES,
    ("POST", "/worklist/views"): SEE_CASES_ON_PAGES,
    ("POST", "/worklist/views/{view_id}/drop"): SEE_CASES_ON_PAGES,
    ("POST", "/worklist/assign"): ASSIGN,
    ("GET", "/cases/{case_id}"): SEE_CASES_ON_PAGES,
    ("POST", "/cases/{case_id}/retry"): RUN_CASES,
    ("POST", "/cases/{case_id}/claim"): READ,
    ("POST", "/cases/{case_id}/take-over"): READ,
    ("POST", "/cases/{case_id}/release"): PUT_BACK,
    ("POST", "/cases/{case_id}/known-before/{finding}/restore"): WEIGH_AGAIN,
    ("GET", "/second-reads"): SEE_SHARES_ON_PAGES,
    ("GET", "/own-reports"): BE_TOLD,
    ("POST", "/cases/{case_id}/own-read"): JUDGE,
    ("POST", "/cases/{case_id}/judgement"): JUDGE,
    ("POST", "/cases/{case_id}/judgement/undo"): JUDGE,
    ("GET", "/queue"): SEE_QUEUE,
    ("GET", "/quarantine"): CLEAR_QUARANTINE,
    ("POST", "/quarantine/replay"): CLEAR_QUARANTINE,
    ("GET", "/quarantine/{quarantine_id}"): CLEAR_QUARANTINE,
    ("POST", "/quarantine/{quarantine_id}/replay"): CLEAR_QUARANTINE,
    ("POST", "/quarantine/{quarantine_id}/correct"): CLEAR_QUARANTINE,
    ("POST", "/quarantine/{quarantine_id}/discard"): CLEAR_QUARANTINE,
    ("GET", "/results"): RUN_CASES_ON_PAGES,
    ("POST", "/results/replay"): RUN_CASES_ON_PAGES,
    ("GET", "/desk/static/{path:path}"): PUBLIC,
    # Signing in
    ("GET", "/sign-in"): PUBLIC,
    ("POST", "/sign-in"): PUBLIC,
    ("GET", "/sign-in/provider"): PUBLIC,
    ("GET", "/sign-in/provider/callback"): PUBLIC,
    ("POST", "/sign-in/provider/logout"): PUBLIC,  # by the provider, whose signature is looked at
    ("POST", "/sign-out"): A_PERSON,
    ("POST", "/sign-out/everywhere"): A_PERSON,
    ("GET", "/session"): A_PERSON,
    ("GET", "/account"): A_PERSON,
    ("POST", "/account/password"): A_PERSON,
    ("GET", "/people"): ADMINISTER,
    ("POST", "/people/{person_id}/roles"): ADMINISTER,
    ("POST", "/people/{person_id}/binding"): ADMINISTER,
    ("POST", "/people/{person_id}/disable"): ADMINISTER,
    ("POST", "/people/{person_id}/enable"): ADMINISTER,
    ("POST", "/people/{person_id}/sign-out"): ADMINISTER,
    # The API
    ("GET", "/api/v1/worklist"): SEE_CASES,
    ("GET", "/api/v1/cases/{case_id}"): SEE_CASES,
    ("GET", "/api/v1/cases/{case_id}/claim"): SEE_CASES,
    ("POST", "/api/v1/cases/{case_id}/claim"): READ,
    ("POST", "/api/v1/cases/{case_id}/claim/renew"): READ,
    ("POST", "/api/v1/cases/{case_id}/claim/take-over"): READ,
    ("POST", "/api/v1/cases/{case_id}/claim/release"): PUT_BACK,
    ("POST", "/api/v1/assignments"): ASSIGN,
    ("GET", "/api/v1/studies/{study_instance_uid}/case"): SEE_CASES,
    ("GET", "/api/v1/counts"): SEE_STATE,
    ("GET", "/api/v1/workers"): SEE_STATE,
    ("GET", "/api/v1/instances/{sop_instance_uid}/rendered.png"): SEE_PICTURES,
    ("GET", "/api/v1/instances/{sop_instance_uid}/frames/{frame}/pixels"): SEE_PICTURES,
    ("GET", "/api/v1/cases/{case_id}/images"): SEE_PICTURES,
    ("GET", "/api/v1/cases/{case_id}/overlay.png"): SEE_PICTURES,
    ("POST", "/api/v1/cases/{case_id}/retry"): RUN_CASES,
    ("POST", "/api/v1/cases/{case_id}/known-before/{finding}/restore"): WEIGH_AGAIN,
    ("GET", "/api/v1/second-reads/summary"): SEE_SHARES,
    ("GET", "/api/v1/cases/{case_id}/second-reads"): SEE_CASES,
    ("POST", "/api/v1/cases/{case_id}/own-read"): JUDGE,
    ("POST", "/api/v1/cases/{case_id}/judgement"): JUDGE,
    ("POST", "/api/v1/cases/{case_id}/judgement/undo"): JUDGE,
    ("POST", "/api/v1/studies/{study_instance_uid}/close"): RUN_CASES,
    ("POST", "/api/v1/reports"): SEND_REPORTS,
    ("POST", "/api/v1/triage"): TRIAGE,
    ("POST", "/api/v1/detector/scores"): TRIAGE,
    ("GET", "/api/v1/quarantine"): CLEAR_QUARANTINE,
    ("GET", "/api/v1/quarantine/{quarantine_id}"): CLEAR_QUARANTINE,
    ("POST", "/api/v1/quarantine/{quarantine_id}/replay"): CLEAR_QUARANTINE,
    ("POST", "/api/v1/quarantine/{quarantine_id}/correct"): CLEAR_QUARANTINE,
    ("POST", "/api/v1/quarantine/{quarantine_id}/discard"): CLEAR_QUARANTINE,
    # FHIR
    ("GET", "/fhir/metadata"): ANYBODY_KNOWN,
    **{
        ("GET", f"/fhir/{kind}{rest}"): SEE_RESULTS
        for kind in ("Communication", "DiagnosticReport", "ImagingSelection", "Observation", "Task")
        for rest in ("", "/{name}", "/{name}/_history", "/{name}/_history/{version_id}")
    },
    ("POST", "/fhir"): SEND_REPORTS,
    ("POST", "/fhir/Bundle"): SEND_REPORTS,
    ("POST", "/fhir/DiagnosticReport"): SEND_REPORTS,
    ("PUT", "/fhir/DiagnosticReport/{name}"): SEND_REPORTS,
    # DICOMweb
    ("POST", "/studies"): SEND_IMAGES,
    ("POST", "/studies/{study_instance_uid}"): SEND_IMAGES,
    ("GET", "/studies"): SEE_IMAGES,
    ("GET", "/series"): SEE_IMAGES,
    ("GET", "/instances"): SEE_IMAGES,
    ("GET", "/studies/{study}"): SEE_IMAGES,
    ("GET", "/studies/{study}/metadata"): SEE_IMAGES,
    ("GET", "/studies/{study}/series"): SEE_IMAGES,
    ("GET", "/studies/{study}/instances"): SEE_IMAGES,
    ("GET", _SERIES): SEE_IMAGES,
    ("GET", f"{_SERIES}/metadata"): SEE_IMAGES,
    ("GET", f"{_SERIES}/instances"): SEE_IMAGES,
    ("GET", _INSTANCE): SEE_IMAGES,
    ("GET", f"{_INSTANCE}/metadata"): SEE_IMAGES,
    ("GET", f"{_INSTANCE}/bulkdata/{{place}}"): SEE_IMAGES,
    ("GET", f"{_INSTANCE}/frames/{{frames}}"): SEE_IMAGES,
    ("GET", f"{_INSTANCE}/frames/{{frame}}/rendered"): SEE_IMAGES,
    ("GET", f"{_INSTANCE}/pixeldata"): SEE_IMAGES,
    ("GET", f"{_INSTANCE}/rendered"): SEE_IMAGES,
    ("GET", "/ohif/{path:path}"): SEE_IMAGES,
    # Health, metrics and documentation
    ("GET", "/health/live"): PUBLIC,
    ("GET", "/health/ready"): MONITOR,
    ("GET", "/metrics"): MONITOR,
    ("GET", "/openapi.json"): ANYBODY_KNOWN,
    ("GET", "/docs"): ANYBODY_KNOWN,
    ("GET", "/docs/{name}"): ANYBODY_KNOWN,
    # BentoML's own
    ("GET", "/livez"): PUBLIC,
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/schema.json"): ANYBODY_KNOWN,
    ("GET", "/docs.json"): ANYBODY_KNOWN,
    ("GET", "/static_content/{path:path}"): NOBODY,  # its documentation page; ours is /docs
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the table."""

    method: str
    template: str
    need: Need

    @property
    def is_background(self) -> bool:
        """Whether an open page calls it by itself."""
        return (self.method, self.template) in BACKGROUND


BRINGS_MUCH = frozenset({SEND_REPORTS, SEND_IMAGES, TRIAGE})
"""Needs of the routes whose bodies have limits of their own; every other body is that of a form."""


class RouteTable:
    """Finds the entry of a request as the framework finds its route."""

    def __init__(self, routes: Mapping[tuple[str, str], Need] = ROUTES) -> None:
        entries = [Entry(method=method, template=path, need=need) for (method, path), need in routes.items()]
        self._literal = {(entry.method, entry.template): entry for entry in entries}
        self._with_parameters: list[tuple[re.Pattern[str], Entry]] = [
            (compile_path(entry.template)[0], entry) for entry in entries if "{" in entry.template
        ]

    def find(self, method: str, path: str) -> Entry | None:
        """Return the entry; None where there is none, which means that it is denied."""
        method = "GET" if method == "HEAD" else method
        path = path if path == "/" else path.rstrip("/")  # the framework sends on to the address without it
        literal = self._literal.get((method, path))
        if literal is not None and "{" not in literal.template:
            return literal
        return next(
            (
                entry
                for pattern, entry in self._with_parameters
                if entry.method == method and pattern.match(path)
            ),
            None,
        )

    def brings_much(self, method: str, path: str) -> bool:
        """Whether the body of a request has a limit of its own, beyond that of a form."""
        entry = self.find(method, path)
        return entry is not None and entry.need in BRINGS_MUCH

    def methods(self, path: str) -> frozenset[str]:
        """Return the methods that an address knows; none where there is no such address."""
        return frozenset(
            method for method in ("GET", "POST", "PUT", "DELETE") if self.find(method, path) is not None
        )


def missing_entries(routes: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return those of these methods and templates that the table does not name."""
    return [route for route in routes if route not in ROUTES]
