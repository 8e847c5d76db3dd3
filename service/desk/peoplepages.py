"""The administrator's page: who may sign in, as what, and who is signed in."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from service.desk.render import render_page
from service.desk.words import moment
from service.security.identity import Identity
from service.security.roles import Role, kept_roles
from service.security.sessions import living_sessions
from service.store.people import (
    PersonRecord,
    PersonSource,
    change_roles,
    disable_person,
    enable_person,
    end_sessions_of,
    list_people,
)
from service.store.sessions import SessionRecord
from service.web.context import Context, Recognised, ServerContext, act_of

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

PersonNumber = Annotated[int, Path(ge=1, le=2**63 - 1)]

_SOURCES = {
    PersonSource.LOCAL: "Password",
    PersonSource.OIDC: "Your organisation",
    PersonSource.PROXY: "Reverse proxy",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleChoice:
    """One role as a form offers it."""

    value: str
    words: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLine:
    """One account as the page shows it."""

    person_id: int
    name: str
    display_name: str
    signs_in_by: str
    is_active: bool
    is_oneself: bool
    roles: tuple[RoleChoice, ...]
    sessions: tuple[str, ...]  # where from and since when


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleView:
    """What the page shows."""

    lines: tuple[PersonLine, ...]
    problem: str = ""


@router.get("/people")
def people(context: Context, request: Request, identity: Recognised) -> HTMLResponse:
    """Show every account."""
    return _page(context, request, identity)


@router.post("/people/{person_id}/roles")
def give_roles(
    context: Context,
    request: Request,
    identity: Recognised,
    person_id: PersonNumber,
    role: Annotated[list[Role] | None, Form()] = None,
) -> Response:
    """Give an account these roles and no others."""
    roles = frozenset(role or ())
    if person_id == identity.person_id and Role.ADMINISTRATOR not in roles:
        return _page(context, request, identity, problem="You cannot take this role from yourself.")
    change_roles(context.store, person_id, tuple(roles), by=act_of(request, context))
    return _back()


@router.post("/people/{person_id}/disable")
def disable(context: Context, request: Request, identity: Recognised, person_id: PersonNumber) -> Response:
    """Close an account and end its sessions."""
    if person_id == identity.person_id:
        return _page(context, request, identity, problem="You cannot disable your own account.")
    disable_person(context.store, person_id, by=act_of(request, context))
    return _back()


@router.post("/people/{person_id}/enable")
def enable(context: Context, request: Request, person_id: PersonNumber) -> Response:
    """Open an account again."""
    enable_person(context.store, person_id, by=act_of(request, context))
    return _back()


@router.post("/people/{person_id}/sign-out")
def end_sessions(context: Context, request: Request, person_id: PersonNumber) -> Response:
    """End every session of an account."""
    end_sessions_of(context.store, person_id, by=act_of(request, context))
    return _back()


def _back() -> Response:
    return RedirectResponse("/people", status_code=303)


def _page(context: ServerContext, request: Request, identity: Identity, *, problem: str = "") -> HTMLResponse:
    living: dict[int, list[SessionRecord]] = {}
    for session in living_sessions(context.store, context.access.entrance.lifetime, now=context.clock()):
        living.setdefault(session.person_id, []).append(session)
    lines = tuple(
        _line(person, living.get(person.person_id, []), is_oneself=person.person_id == identity.person_id)
        for person in list_people(context.store)
    )
    view = PeopleView(lines=lines, problem=problem)
    return render_page(request, "people.html", view, here="people", status=409 if problem else 200)


def _line(person: PersonRecord, sessions: list[SessionRecord], *, is_oneself: bool) -> PersonLine:
    kept = kept_roles(person.roles)
    second = " and second factor" if person.totp_secret is not None else ""
    return PersonLine(
        person_id=person.person_id,
        name=person.name,
        display_name=person.display_name,
        signs_in_by=f"{_SOURCES[person.source]}{second}",
        is_active=person.is_active,
        is_oneself=is_oneself,
        roles=tuple(RoleChoice(value=role.value, words=role.words, chosen=role in kept) for role in Role),
        sessions=tuple(f"{one.address} since {moment(one.started_at)}" for one in sessions),
    )
