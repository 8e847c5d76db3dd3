"""Guard of every HTTP application: who is answered, and what each may call.

Two attacks through a user's own browser are shut out before anything else: DNS rebinding (a foreign name that
resolves to this machine: the Host check) and cross-site requests (a foreign page that posts to us: the Origin
check). Then whoever sends is recognised, and held to the table of routes (service/security/routes.py).
"""

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from overread.errors import ConfigurationError, OverreadError
from service.network_settings import is_loopback
from service.security.identification import Entrance, Shown, identify
from service.security.identity import VISIT_KEY, Identity, Means, Visit
from service.security.routes import Entry, RouteTable
from service.security.sessions import COOKIE, SECURE_COOKIE, csrf_token_of
from service.security.settings import SecuritySettings
from service.store.audit_entries import LOCAL, AuditAction, AuditEntry, AuditOutcome
from service.web.addresses import split_host
from service.web.body import bounded
from service.web.csrf import FORM_BYTES_MAX, carries_token
from service.web.errors import Problem, answer_http_exception, problem_of, problem_response
from service.web.forwarded import believe_proxy, came_from, named_in

SIGN_IN_PATH = "/sign-in"
PROBE_PATHS = frozenset({"/livez", "/healthz", "/readyz", "/health/live", "/health/ready", "/metrics"})
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_SHORTEST_TOKEN = 16
FORM_SECONDS_MAX = 60.0
"""How long the body of a form may take, from a browser on a slow line."""

_BAD_HOST = Problem(status=400, slug="bad-host", title="The Host header is malformed")
_NULL = Problem(status=400, slug="null-character", title="The address holds a null character")
_FOREIGN_HOST = Problem(
    status=421,
    slug="foreign-host",
    title="This service does not answer to that host name; OVERREAD_HOST_NAMES lists further ones",
)
_FOREIGN_MACHINE = Problem(
    status=403, slug="foreign-machine", title="While nobody has an account only this machine is answered"
)
_FOREIGN_ORIGIN = Problem(status=403, slug="foreign-origin", title="Requests from another site are refused")
_NO_PROBE = Problem(
    status=404, slug="no-such-address", title="Only health and metrics are answered on this port"
)
_UNKNOWN = Problem(
    status=401, slug="unauthorized", title="Send a token as 'Authorization: Bearer TOKEN', or sign in"
)
_NOT_ALLOWED = Problem(status=403, slug="not-allowed", title="Your roles do not allow this")
_NO_CSRF_TOKEN = Problem(
    status=403,
    slug="csrf-token",
    title="A request with a session's cookie carries its token as csrf_token or X-CSRF-Token, see /session",
)
_NO_ADDRESS = Problem(status=404, slug="no-such-address", title="Not Found")
_NO_METHOD = Problem(status=405, slug="method-not-allowed", title="Method Not Allowed")

_IS_PROXY_KEY = "overread.is_proxy"  # in a request's scope: whether one of the named proxies sent it

Refuse = Callable[[Request, Problem], Response]
"""Answers what is refused; the request holds the `Visit` of whoever was recognised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The rules of one listening address."""

    host_names: frozenset[str]  # that a request may name
    token: str | None
    security: SecuritySettings = field(default_factory=SecuritySettings)
    is_reached_by_others: bool = False
    probe_port: int | None = None  # there only probes and metrics are answered, to anybody; None: nowhere

    @property
    def entrance(self) -> Entrance:
        """How people and programs are recognised here."""
        return Entrance(
            api_token=self.token,
            security=self.security,
            is_reached_by_others=self.is_reached_by_others,
        )

    def answers_to(self, name: str) -> bool:
        """Whether a request may name this host: no page of another site can be served under it."""
        return name in self.host_names or (self.is_reached_by_others and is_number(name))


def access_for(
    host: str, token: str | None, probe_port: int | None = None, security: SecuritySettings | None = None
) -> Access:
    """Return the rules for a listening address and, where it has one, its port for probes.

    Raises:
        ConfigurationError: the token is too short.
    """
    if token is not None and len(token) < _SHORTEST_TOKEN:
        raise ConfigurationError(f"OVERREAD_API_TOKEN must have at least {_SHORTEST_TOKEN} characters")
    security = security or SecuritySettings()
    known = _LOOPBACK_NAMES | {host.lower(), *(name.lower() for name in security.host_names)}
    others = not is_loopback(host)
    if others:
        known |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return Access(
        host_names=known,
        token=token,
        security=security,
        is_reached_by_others=others,
        probe_port=probe_port,
    )


class GuardMiddleware:
    """Refuses what the rules do not allow, before any handler sees it."""

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        application: Any = None,
        refuse: Refuse = lambda _, problem: problem_response(problem),
    ) -> None:
        """Stand before an application.

        Args:
            app: what comes next.
            access: the rules.
            application: the FastAPI application whose context says where the store is; None: it is `app`.
            refuse: answers what is refused.
        """
        self._app = app
        self._access = access
        self._application = application
        self._refuse = refuse
        self._table = RouteTable()
        self._entrance = access.entrance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an allowed request on; answer any other."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # there is none
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] not in _SAFE_METHODS and not self._table.brings_much(
            scope["method"], scope["path"]
        ):
            receive = bounded(receive, bytes_max=FORM_BYTES_MAX, seconds_max=FORM_SECONDS_MAX)
        scope[_IS_PROXY_KEY] = came_from(scope, self._access.security.proxies)
        believe_proxy(scope, self._access.security.proxies)
        request = Request(scope, receive)
        answer = self._answer_first(request)
        if answer is None and not self._is_public(request):
            answer = await self._answer_known(request)
            if answer is None and request.scope[VISIT_KEY].is_to_carry_token:
                answer, receive = await self._answer_without_token(request)
        await (self._app if answer is None else answer)(scope, receive, send)

    def _answer_first(self, request: Request) -> Response | None:
        """Return what is answered whoever asks, None where that matters."""
        if self._is_probe(request):
            return None if request.scope["path"] in PROBE_PATHS else problem_response(_NO_PROBE)
        problem = _malformed(request) or self._foreign(request)
        return None if problem is None else problem_response(problem)

    def _is_probe(self, request: Request) -> bool:
        return self._access.probe_port is not None and _port(request.scope) == self._access.probe_port

    def _is_public(self, request: Request) -> bool:
        """Whether nobody is asked who it is."""
        entry = self._table.find(request.method, request.scope["path"])
        if entry is not None and (entry.need.is_public or self._is_probe(request)):
            request.scope[VISIT_KEY] = Visit(template=entry.template, method=request.method, identity=None)
            return True
        return self._is_probe(request)

    async def _answer_known(self, request: Request) -> Response | None:
        """Recognise who asks; return what is answered in place of the application, None where it may."""
        try:
            entry = self._table.find(request.method, request.scope["path"])
            is_use = entry is None or not entry.is_background
            identity = await run_in_threadpool(self._identify, request, is_use=is_use)
        except OverreadError as error:
            return problem_response(problem_of(error), detail=str(error))
        if identity is None:
            return self._ask_who(request)
        request.scope[VISIT_KEY] = Visit(
            template="" if entry is None else entry.template,
            method=request.method,
            identity=identity,
            csrf_token=csrf_token_of(cookie_of(request) or "") if identity.means is Means.SESSION else "",
        )
        if entry is None:
            return self._nowhere(request)
        if not entry.need.is_met(identity.roles, identity.scopes):
            self._record_refusal(request, identity, entry)
            return self._refuse(request, _NOT_ALLOWED)
        # No cookie, but sent by a browser all the same: nothing is changed unless it says from which page.
        is_told = request.method in _SAFE_METHODS or {"origin", "sec-fetch-site"} & set(request.headers)
        return (
            None if is_told or identity.means is not Means.PROXY else self._refuse(request, _FOREIGN_ORIGIN)
        )

    async def _answer_without_token(self, request: Request) -> tuple[Response | None, Receive]:
        """Return what is answered unless a page of ours made the request, and what gives the body again."""
        try:
            is_carried, receive = await carries_token(request, request.scope[VISIT_KEY].csrf_token)
        except HTTPException as error:  # the body is too large, or does not come
            return answer_http_exception(request, error), request.receive
        return None if is_carried else self._refuse(request, _NO_CSRF_TOKEN), receive

    def _record_refusal(self, request: Request, identity: Identity, entry: Entry) -> None:
        """Tell the audit trail that somebody asked for what no role or scope allows."""
        state = (self._application or request.scope["app"]).state
        state.recorder.note(
            AuditEntry(
                at=state.context.clock(),
                actor=identity.actor,
                sent_from=request.client.host if request.client else LOCAL,
                action=AuditAction.SAW if request.method in _SAFE_METHODS else AuditAction.CHANGED,
                outcome=AuditOutcome.REFUSED,
                what=f"{request.method} {entry.template}",
            )
        )

    def _foreign(self, request: Request) -> Problem | None:
        is_open = self._entrance.may_be_open
        if is_open and request.client and not is_loopback(request.client.host):
            return _FOREIGN_MACHINE
        if not self._access.answers_to(split_host(request.headers.get("host", ""))[0]):
            return _FOREIGN_HOST
        if request.method not in _SAFE_METHODS and _is_foreign(request.headers):
            return _FOREIGN_ORIGIN
        return None

    def _identify(self, request: Request, *, is_use: bool) -> Identity | None:
        context = (self._application or request.scope["app"]).state.context
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        shown = Shown(
            bearer=token.strip() if scheme.lower() == "bearer" else None,
            cookie=cookie_of(request),
            named=named_in(request, self._access.security) if request.scope[_IS_PROXY_KEY] else None,
            is_from_this_machine=request.client is None or is_loopback(request.client.host),
            is_use=is_use,
        )
        return identify(context.store, self._entrance, shown, now=context.clock())

    def _ask_who(self, request: Request) -> Response:
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            query = request.scope.get("query_string", b"").decode("latin-1")
            wanted = request.scope["path"] + (f"?{query}" if query else "")
            address = SIGN_IN_PATH if wanted == "/" else f"{SIGN_IN_PATH}?next={quote(wanted, safe='/')}"
            return RedirectResponse(address, status_code=303)
        response = self._refuse(request, _UNKNOWN)
        response.headers["WWW-Authenticate"] = 'Bearer realm="overread"'
        return response

    def _nowhere(self, request: Request) -> Response:
        """Answer an address or a method without an entry in the table."""
        methods = self._table.methods(request.scope["path"])
        if not methods:
            return self._refuse(request, _NO_ADDRESS)
        response = self._refuse(request, _NO_METHOD)
        response.headers["Allow"] = ", ".join(sorted(methods))
        return response


def is_secure(request: Request) -> bool:
    """Whether the request came over TLS, to us or to the proxy in front."""
    return bool(request.scope.get("scheme") == "https")


def cookie_of(request: Request) -> str | None:
    """Return the cookie of a session; over TLS no other than the one that only TLS can have set."""
    return request.cookies.get(SECURE_COOKIE if is_secure(request) else COOKIE)


def is_number(name: str) -> bool:
    """Whether a host is an address in numbers, which no name server can turn into another."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _port(scope: Scope) -> int | None:
    """Return the port of the socket that took the request, which no header can pretend to be."""
    server = scope.get("server")
    return server[1] if server else None


def _malformed(request: Request) -> Problem | None:
    try:
        split_host(request.headers.get("host", ""))
    except ValueError:
        return _BAD_HOST
    if "\0" in request.scope["path"] or b"%00" in request.scope.get("query_string", b""):
        return _NULL  # no text that PostgreSQL could keep
    return None


def _is_foreign(headers: Headers) -> bool:
    if headers.get("sec-fetch-site", "none") in {"cross-site", "same-site"}:
        return True
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host", "")
