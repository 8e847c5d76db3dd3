"""The pages of signing in and out, and of one's own account."""

from dataclasses import dataclass, replace
from typing import Annotated
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from overread.errors import InputError, OutOfResourcesError
from service.desk.render import render_page
from service.desk.words import moment
from service.security.identity import VISIT_KEY, Identity, Means, Visit
from service.security.passwords import (
    LENGTH_ALONE_MIN,
    LENGTH_WITH_SECOND_FACTOR_MIN,
    check_password,
    hash_password,
)
from service.security.provider import Confirmed, Provider
from service.security.routes import ROUTES
from service.security.sessions import (
    COOKIE,
    SECURE_COOKIE,
    Origin,
    begin_session,
    identity_of,
    living_sessions,
    provider_token_of,
    stop_session,
)
from service.security.sign_in import SignIn, confirm_password, sign_in
from service.store.people import (
    PersonRecord,
    PersonSource,
    change_password,
    end_sessions_of,
    load_person,
    site_words,
    takes_passwords,
)
from service.web.context import Context, Recognised, ServerContext, act_of
from service.web.guard import SIGN_IN_PATH, cookie_of, is_secure

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

PROVIDER_PATH = "/sign-in/provider"
_FIRST_PAGES = ("/", "/people")
_TOO_MANY = "Too many attempts. Try again in {} s."
_WRONG = "Name, password or code is wrong."


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInView:
    """What the page of signing in shows."""

    takes_passwords: bool
    next: str = ""
    provider_address: str = ""  # empty where there is none
    name: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line about an account."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLine:
    """One browser in which somebody is signed in."""

    address: str
    since: str
    seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """What the page of an account shows."""

    display_name: str
    facts: tuple[Fact, ...]
    sessions: tuple[SessionLine, ...]
    changes_password: bool
    shortest: int = LENGTH_ALONE_MIN
    done: str = ""
    problem: str = ""


@router.get(SIGN_IN_PATH)
def sign_in_form(
    context: Context, request: Request, wanted: Annotated[str, Query(alias="next", max_length=2000)] = ""
) -> HTMLResponse:
    """Ask who it is."""
    view = _sign_in_view(context, wanted)
    return render_page(request, "signin.html", view)


@router.post(SIGN_IN_PATH)
def sign_in_by_password(
    context: Context,
    request: Request,
    name: Annotated[str, Form(max_length=200)],
    password: Annotated[str, Form(max_length=1000)],
    code: Annotated[str, Form(max_length=20)] = "",
    wanted: Annotated[str, Form(alias="next", max_length=2000)] = "",
) -> Response:
    """Give the browser of somebody who knows the password a session."""
    given = SignIn(name=name, password=password, code=code, address=address_of(request))
    outcome = sign_in(context.store, given, now=context.clock())
    if outcome.person is not None:
        return let_in(context, request, outcome.person, wanted)
    view = replace(
        _sign_in_view(context, wanted),
        name=name,
        problem=_TOO_MANY.format(outcome.wait_seconds) if outcome.wait_seconds else _WRONG,
    )
    response = render_page(request, "signin.html", view, status=429 if outcome.wait_seconds else 403)
    if outcome.wait_seconds:
        response.headers["Retry-After"] = str(outcome.wait_seconds)
    return response


@router.post("/sign-out")
def sign_out(context: Context, request: Request) -> Response:
    """End the session of this browser."""
    cookie = cookie_of(request) or ""
    token = provider_token_of(context.store, cookie, context.access.entrance.lifetime, now=context.clock())
    stop_session(context.store, cookie, by=act_of(request, context))
    if context.provider is None or token is None:
        return _without_cookie(request, RedirectResponse(SIGN_IN_PATH, status_code=303))
    return _without_cookie(request, _at_the_provider_too(context.provider, request, token))


@router.post("/sign-out/everywhere")
def sign_out_everywhere(context: Context, request: Request, identity: Recognised) -> Response:
    """End every session of whoever asks."""
    if identity.person_id is not None:
        end_sessions_of(context.store, identity.person_id, by=act_of(request, context))
    return _without_cookie(request, RedirectResponse(SIGN_IN_PATH, status_code=303))


@router.get("/session", response_class=JSONResponse)
def session(request: Request, identity: Recognised) -> dict[str, str]:
    """Return who is signed in, and what a form has to carry; a page's script asks before it sends one."""
    return {
        "person": identity.actor.identifier,
        "name": identity.actor.display_name,
        "csrf_token": request.scope[VISIT_KEY].csrf_token,
    }


@router.get("/account")
def account(context: Context, request: Request, identity: Recognised) -> HTMLResponse:
    """Show one's own account."""
    return _account_page(context, request, identity)


@router.post("/account/password")
def choose_password(
    context: Context,
    request: Request,
    identity: Recognised,
    current: Annotated[str, Form(max_length=1000)],
    new: Annotated[str, Form(max_length=1000)],
) -> Response:
    """Give whoever knows the password another one; every session ends."""
    if identity.person_id is None:
        return _account_page(context, request, identity, problem="You have no password here.")
    person = load_person(context.store, identity.person_id)
    given = SignIn(name=person.name, password=current, code="", address=address_of(request))
    problem = _refused_password(context, person, given, new)
    if problem:
        return _account_page(context, request, identity, problem=problem)
    change_password(context.store, person.person_id, hash_password(new), by=act_of(request, context))
    return _without_cookie(request, RedirectResponse(SIGN_IN_PATH, status_code=303))


def let_in(
    context: ServerContext,
    request: Request,
    person: PersonRecord,
    wanted: str,
    *,
    confirmed: Confirmed | None = None,
) -> Response:
    """Give a browser a session of its own and send it on; one that it had before ends."""
    if before := cookie_of(request):
        stop_session(context.store, before, by=None)
    visit: Visit = request.scope[VISIT_KEY]
    cookie = begin_session(
        context.store,
        person,
        Origin(
            address=address_of(request),
            what=f"{visit.method} {visit.template}",
            provider_token=None if confirmed is None else confirmed.id_token,
            provider_session=None if confirmed is None else confirmed.session,
        ),
        context.access.entrance.lifetime,
        now=context.clock(),
    )
    response = RedirectResponse(address_within(wanted) or _first_page(person), status_code=303)
    _set_cookie(response, cookie, secure=is_secure(request))
    return response


def address_within(wanted: str) -> str:
    """Return an address of ours as it was asked for; empty where it leads elsewhere."""
    parts = urlsplit(wanted)
    is_ours = wanted.startswith("/") and not wanted.startswith("//") and wanted.isprintable()
    return wanted if is_ours and not parts.scheme and not parts.netloc and "\\" not in wanted else ""


def address_of(request: Request) -> str:
    """Return the address of the machine that a request came from."""
    return request.client.host if request.client else "local"


def _sign_in_view(context: ServerContext, wanted: str) -> SignInView:
    wanted = address_within(wanted)
    address = f"{PROVIDER_PATH}?{urlencode({'next': wanted})}" if wanted else PROVIDER_PATH
    return SignInView(
        takes_passwords=takes_passwords(context.store),
        next=wanted,
        provider_address=address if context.provider is not None else "",
    )


def _refused_password(context: ServerContext, person: PersonRecord, given: SignIn, new: str) -> str:
    """Return why the password stays, in words; empty where it may be changed."""
    if person.source is not PersonSource.LOCAL:
        return "Your password is not kept here."
    outcome = confirm_password(context.store, given, now=context.clock())
    if outcome.wait_seconds:
        return _TOO_MANY.format(outcome.wait_seconds)
    if outcome.person is None:
        return "That is not your password."
    try:
        names = (person.name, person.display_name)
        check_password(new, names=names, has_second_factor=person.totp_secret is not None)
    except InputError as error:
        return f"{error}."
    return ""


def _account_page(
    context: ServerContext, request: Request, identity: Identity, *, problem: str = ""
) -> HTMLResponse:
    lifetime, now = context.access.entrance.lifetime, context.clock()
    person = None if identity.person_id is None else load_person(context.store, identity.person_id)
    facts = [Fact(name="Roles", value=identity.role_words or "none")]
    if person is not None:
        seen = Fact(name="Sees", value=site_words(person.sites))
        second = "yes" if person.totp_secret is not None else "no"
        facts = [Fact(name="Name", value=person.name), *facts, seen, Fact(name="Second factor", value=second)]
    sessions = tuple(
        SessionLine(address=one.address, since=moment(one.started_at), seen=moment(one.seen_at))
        for one in living_sessions(context.store, lifetime, now=now)
        if one.person_id == identity.person_id
    )
    with_second = person is not None and person.totp_secret is not None
    view = AccountView(
        display_name=identity.actor.display_name,
        facts=tuple(facts),
        sessions=sessions,
        changes_password=identity.means is Means.SESSION
        and person is not None
        and person.source is PersonSource.LOCAL,
        shortest=LENGTH_WITH_SECOND_FACTOR_MIN if with_second else LENGTH_ALONE_MIN,
        problem=problem,
    )
    return render_page(request, "account.html", view, here="account", status=422 if problem else 200)


def _first_page(person: PersonRecord) -> str:
    """Return the first page that the roles of a person allow."""
    roles = identity_of(person, Means.SESSION).roles
    return next((page for page in _FIRST_PAGES if ROUTES["GET", page].is_met(roles, ())), "/account")


def _set_cookie(response: Response, cookie: str, *, secure: bool) -> None:
    # Lax, not Strict: a link in a mail or in another program must find the session that there is.
    response.set_cookie(
        SECURE_COOKIE if secure else COOKIE, cookie, httponly=True, samesite="lax", secure=secure, path="/"
    )


def _at_the_provider_too(provider: Provider, request: Request, token: str) -> Response:
    """Return a page that leads on to where the provider ends its own session, if it says where."""
    try:
        address = provider.address_to_sign_out(token, f"{str(request.base_url).rstrip('/')}{SIGN_IN_PATH}")
    except OutOfResourcesError:
        address = None
    if address is None:
        return RedirectResponse(SIGN_IN_PATH, status_code=303)
    request.scope[VISIT_KEY] = replace(request.scope[VISIT_KEY], identity=None, csrf_token="")
    response = render_page(request, "signedout.html", {"address": address})
    response.headers["Refresh"] = f"0; url={address}"  # our policy lets no form be sent on to another site
    return response


def _without_cookie(request: Request, response: Response) -> Response:
    secure = is_secure(request)
    response.delete_cookie(
        SECURE_COOKIE if secure else COOKIE, httponly=True, samesite="lax", secure=secure, path="/"
    )
    if secure:
        response.headers["Clear-Site-Data"] = '"cache"'  # pictures of cases, which a browser may keep
    return response
