"""The way to a provider of OpenID Connect and back."""

import base64
import json
from dataclasses import asdict
from typing import Annotated

import structlog
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from overread.errors import InputError, NotFoundError
from service.desk.accountpages import PROVIDER_PATH, address_of, address_within, let_in
from service.desk.render import render_page
from service.security.elsewhere import person_confirmed
from service.security.identity import VISIT_KEY, Visit
from service.security.provider import Handshake, Provider
from service.security.provider_logout import end_sessions, read_logout
from service.web.context import Context, ServerContext
from service.web.guard import is_secure

CALLBACK_PATH = f"{PROVIDER_PATH}/callback"
LOGOUT_PATH = f"{PROVIDER_PATH}/logout"
_COOKIE = "overread_handshake"
_SECONDS = 600  # to type a password elsewhere

_log = structlog.get_logger("overread.security")
router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get(PROVIDER_PATH)
def begin(
    context: Context, request: Request, wanted: Annotated[str, Query(alias="next", max_length=2000)] = ""
) -> Response:
    """Send a browser to the provider."""
    handshake = Handshake.new(address_within(wanted))
    address = _provider(context).address_to_sign_in(handshake, _callback(request))
    response = RedirectResponse(address, status_code=303)
    secure = is_secure(request)
    response.set_cookie(
        _cookie_name(request),
        _packed(handshake),
        max_age=_SECONDS,
        httponly=True,
        samesite="lax",
        secure=secure,
        path="/",
    )
    return response


@router.get(CALLBACK_PATH)
def come_back(context: Context, request: Request) -> Response:
    """Let somebody in whom the provider has confirmed."""
    response = _let_in_or_refuse(context, request)
    response.delete_cookie(
        _cookie_name(request), httponly=True, samesite="lax", secure=is_secure(request), path="/"
    )
    return response


@router.post(LOGOUT_PATH)
def log_out(context: Context, request: Request, logout_token: Annotated[str, Form()] = "") -> Response:
    """End the sessions of who has signed out at the provider (Back-Channel Logout 1.0 section 2.5)."""
    headers = {"Cache-Control": "no-store"}
    visit: Visit = request.scope[VISIT_KEY]
    now, what = context.clock(), f"{visit.method} {visit.template}"
    try:
        logout = read_logout(_provider(context), context.access.security, logout_token, now=now)
        ended = end_sessions(context.store, logout, now=now, what=what, sent_from=address_of(request))
    except InputError as error:
        _log.warning("provider_logout_refused", reason=str(error))
        return JSONResponse({"error": "invalid_request"}, status_code=400, headers=headers)
    _log.info("provider_logout", sessions=ended)
    return Response(status_code=200, headers=headers)


def _let_in_or_refuse(context: ServerContext, request: Request) -> Response:
    now = context.clock()
    try:
        handshake = _unpacked(request.cookies.get(_cookie_name(request), ""))
        confirmed = _provider(context).confirm(
            request.query_params, handshake, _callback(request), now=now.timestamp()
        )
        person = person_confirmed(context.store, confirmed, context.access.security, now=now)
    except InputError as error:
        page = {"title": "You are not signed in", "detail": f"{error}.".capitalize()}
        return render_page(request, "problem.html", page, status=403)
    return let_in(context, request, person, handshake.wanted, confirmed=confirmed)


def _provider(context: ServerContext) -> Provider:
    if context.provider is None:
        raise NotFoundError("there is no provider of identities here")
    return context.provider


def _callback(request: Request) -> str:
    return f"{str(request.base_url).rstrip('/')}{CALLBACK_PATH}"


def _cookie_name(request: Request) -> str:
    return f"__Host-{_COOKIE}" if is_secure(request) else _COOKIE


def _packed(handshake: Handshake) -> str:
    return base64.urlsafe_b64encode(json.dumps(asdict(handshake)).encode()).decode()


def _unpacked(cookie: str) -> Handshake:
    try:
        given = json.loads(base64.urlsafe_b64decode(cookie.encode()))
        return Handshake(**{name: str(given[name]) for name in ("state", "nonce", "verifier", "wanted")})
    except (ValueError, TypeError, KeyError):
        raise InputError("the sign-in was not begun in this browser, or too long ago; begin again") from None
