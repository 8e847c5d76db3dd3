"""The way to a provider of OpenID Connect and back."""

import base64
import json
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from overread.errors import InputError, NotFoundError
from service.desk.accountpages import PROVIDER_PATH, address_within, let_in
from service.desk.render import render_page
from service.security.elsewhere import person_confirmed
from service.security.provider import Handshake, Provider
from service.web.context import Context, ServerContext
from service.web.guard import is_secure

CALLBACK_PATH = f"{PROVIDER_PATH}/callback"
_COOKIE = "overread_handshake"
_SECONDS = 600  # to type a password elsewhere

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


def _let_in_or_refuse(context: ServerContext, request: Request) -> Response:
    now = context.clock()
    try:
        handshake = _unpacked(request.cookies.get(_cookie_name(request), ""))
        confirmed = _provider(context).confirm(
            request.query_params, handshake, _callback(request), now=now.timestamp()
        )
        roles = context.access.security.group_roles
        person = person_confirmed(context.store, confirmed, roles, now=now)
    except InputError as error:
        page = {"title": "You are not signed in", "detail": f"{error}.".capitalize()}
        return render_page(request, "problem.html", page, status=403)
    return let_in(context, request, person, handshake.wanted, provider_token=confirmed.id_token)


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
