"""Access rules of the service: host names, origins and, where one is set, a token.

On loopback there is no token by default, so two attacks through a user's own browser are shut out here:
DNS rebinding (a foreign name that resolves to this machine: the Host check) and cross-site requests (a
foreign page that posts to us: the Origin check). And without a token only this machine is answered, whatever
address a server that hosts the application was told to bind to.
"""

import hashlib
import hmac
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from overread.errors import ConfigurationError
from service.network_settings import is_loopback
from service.web.access_log import STATIC_ADDRESS
from service.web.addresses import split_host
from service.web.errors import Problem, problem_response

SESSION_COOKIE = "overread_session"
SIGN_IN_PATH = "/sign-in"
PROBE_PATHS = frozenset({"/livez", "/healthz", "/readyz", "/health/live", "/health/ready", "/metrics"})
OPEN_PATHS = frozenset({"/livez", "/healthz", "/readyz", "/health/live", SIGN_IN_PATH})
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_SHORTEST_TOKEN = 16

_BAD_HOST = Problem(status=400, slug="bad-host", title="The Host header is malformed")
_NULL = Problem(status=400, slug="null-character", title="The address holds a null character")
_FOREIGN_HOST = Problem(
    status=421, slug="foreign-host", title="This service does not answer to that host name"
)
_FOREIGN_MACHINE = Problem(
    status=403, slug="foreign-machine", title="Without an API token only this machine is answered"
)
_FOREIGN_ORIGIN = Problem(status=403, slug="foreign-origin", title="Requests from another site are refused")
_NO_PROBE = Problem(
    status=404, slug="no-such-address", title="Only health and metrics are answered on this port"
)
_NO_TOKEN = Problem(
    status=401, slug="unauthorized", title="Send the API token as 'Authorization: Bearer TOKEN', or sign in"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The rules of one listening address."""

    host_names: frozenset[str] | None  # None: any name, because a token is asked for
    token: str | None
    probe_port: int | None = None  # there only probes and metrics are answered, to anybody; None: nowhere

    @property
    def session(self) -> str:
        """Value of the cookie that a browser holds after signing in; does not reveal the token."""
        return hmac.new((self.token or "").encode(), b"overread desk session", hashlib.sha256).hexdigest()

    def knows(self, token: str) -> bool:
        """Whether this is the token."""
        return self.token is not None and hmac.compare_digest(token.encode(), self.token.encode())


def access_for(host: str, token: str | None, probe_port: int | None = None) -> Access:
    """Return the rules for a listening address and, where it has one, its port for probes.

    Raises:
        ConfigurationError: other machines could reach it without a token, or the token is too short.
    """
    if token is not None:
        if len(token) < _SHORTEST_TOKEN:
            raise ConfigurationError(f"OVERREAD_API_TOKEN must have at least {_SHORTEST_TOKEN} characters")
        return Access(host_names=None, token=token, probe_port=probe_port)
    if not is_loopback(host):
        raise ConfigurationError(
            f"{host} can be reached from other machines and no API token is set: set OVERREAD_API_TOKEN to a "
            f"secret of at least {_SHORTEST_TOKEN} characters (for instance from `openssl rand -hex 24`), "
            "or bind to 127.0.0.1"
        )
    return Access(host_names=_LOOPBACK_NAMES | {host}, token=None, probe_port=probe_port)


class GuardMiddleware:
    """Refuses what the rules do not allow, before any handler sees it."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an allowed request on; answer any other."""
        answer = self._answer(HTTPConnection(scope)) if scope["type"] in {"http", "websocket"} else None
        await (self._app if answer is None else answer)(scope, receive, send)

    def _answer(self, request: HTTPConnection) -> Response | None:
        """Return what is answered in place of the application, None where the application may."""
        if self._access.probe_port is None or _port(request.scope) != self._access.probe_port:
            return self._refusal(request)
        return None if request.url.path in PROBE_PATHS else problem_response(_NO_PROBE)

    def _refusal(self, request: HTTPConnection) -> Response | None:
        headers = request.headers
        problem = _malformed(request) or self._foreign(request)
        if problem is not None:
            return problem_response(problem)
        if self._access.token is None or _is_open(request.url.path) or self._is_signed_in(request):
            return None
        if request.scope.get("method") == "GET" and "text/html" in headers.get("accept", ""):
            return RedirectResponse(SIGN_IN_PATH, status_code=303)
        response = problem_response(_NO_TOKEN)
        response.headers["WWW-Authenticate"] = 'Bearer realm="overread"'
        return response

    def _foreign(self, request: HTTPConnection) -> Problem | None:
        names = self._access.host_names
        if self._access.token is None and request.client and not is_loopback(request.client.host):
            return _FOREIGN_MACHINE
        if names is not None and split_host(request.headers.get("host", ""))[0] not in names:
            return _FOREIGN_HOST
        if request.scope.get("method", "GET") not in _SAFE_METHODS and _is_foreign(request.headers):
            return _FOREIGN_ORIGIN
        return None

    def _is_signed_in(self, request: HTTPConnection) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._access.knows(token.strip()):
            return True
        session = request.cookies.get(SESSION_COOKIE, "")
        return hmac.compare_digest(session.encode(), self._access.session.encode())


def _port(scope: Scope) -> int | None:
    """Return the port of the socket that took the request, which no header can pretend to be."""
    server = scope.get("server")
    return server[1] if server else None


def _malformed(request: HTTPConnection) -> Problem | None:
    try:
        split_host(request.headers.get("host", ""))
    except ValueError:
        return _BAD_HOST
    if "\0" in request.scope["path"] or b"%00" in request.scope.get("query_string", b""):
        return _NULL  # no text that PostgreSQL could keep
    return None


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(f"{STATIC_ADDRESS}/")


def _is_foreign(headers: Headers) -> bool:
    if headers.get("sec-fetch-site", "none") in {"cross-site", "same-site"}:
        return True
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host", "")
