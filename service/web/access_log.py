"""Access log, request metrics and response headers, for every application of ours.

Both log and metrics name routes by their template: a path with a UID in it would carry a patient's data into
logs and label sets, and grow the latter without bound.
"""

import secrets
import time
from collections.abc import Callable

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from service.metrics import HTTP_REQUEST_SECONDS, HTTP_REQUESTS
from service.tracing import REQUEST_ID

_log = structlog.get_logger("overread.http")
STATIC_ADDRESS = "/desk/static"  # a mount, which is no route
_REQUEST_ID_BYTES = 8
_NO_ROUTE = "(no route)"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_QUIET = frozenset(
    {"/livez", "/healthz", "/readyz", "/health/live", "/health/ready", "/metrics", STATIC_ADDRESS}
)

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",  # addresses hold case numbers; no-referrer would blank Origin in forms
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class AccessMiddleware:
    """Logs and counts each request, under an id of its own, and adds that and the security headers."""

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.perf_counter) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500  # where the application raises before it answers
        # Ours alone: one that a client gives could be the number of a patient.
        request_id = secrets.token_hex(_REQUEST_ID_BYTES)

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(message, request_id)
            await send(message)

        started = self._clock()
        with bound_contextvars(**{REQUEST_ID: request_id}):
            try:
                await self._app(scope, receive, send_noting)
            finally:
                self._note(scope, status, self._clock() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "(other)"
        route = route_template(scope)
        HTTP_REQUESTS.labels(method, route, str(status)).inc()
        HTTP_REQUEST_SECONDS.labels(method, route).observe(seconds)
        if route not in _QUIET or status >= 500:
            milliseconds = round(seconds * 1000, 1)
            _log.info(
                "request",
                method=method,
                route=route,
                status=status,
                milliseconds=milliseconds,
            )


def route_template(scope: Scope) -> str:
    """Return the address pattern that matched, never the address itself; known once the request is routed."""
    path = getattr(scope.get("route"), "path", None)
    if isinstance(path, str) and path:
        return path
    return STATIC_ADDRESS if str(scope.get("path", "")).startswith(f"{STATIC_ADDRESS}/") else _NO_ROUTE


def _add_headers(message: Message, request_id: str) -> None:
    headers = MutableHeaders(scope=message)
    headers["X-Request-Id"] = request_id
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
