"""The administrator's page: who may sign in, as what, and who is signed in."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field

from overread.errors import InputError
from overread.finding import load_vocabulary, subspecialties_named
from service.desk.render import render_page
from service.desk.words import moment
from service.intake.sites import sites_named
from service.security.identity import Identity
from service.security.roles import Role, kept_roles
from service.security.sessions import living_sessions
from service.store.people import (
    PersonRecord,
    PersonSource,
    bind_person,
    change_roles,
    disable_person,
    enable_person,
    end_sessions_of,
    list_people,
)
from service.store.sessions import SessionRecord
from service.store.sites import count_sites
from service.web.context import Context, Recognised, ServerContext, act_of

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

PersonNumber = Annotated[int, Path(ge=1, le=2**63 - 1)]

_SOURCES = {
    PersonSource.LOCAL: "Password",
    PersonSource.OIDC: "Your organisation",
    PersonSource.PROXY: "Reverse proxy",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxChoice:
    """One role or subspecialty as a form offers it."""

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
    roles: tuple[BoxChoice, ...]
    sites: str  # whose cases are seen, one a line; empty where every site's are, or none
    is_bound: bool  # to these sites
    subspecialties: tuple[BoxChoice, ...]
    sessions: tuple[str, ...]  # where from and since when


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleView:
    """What the page shows."""

    lines: tuple[PersonLine, ...]
    known_sites: tuple[str, ...]  # those that cases name
    problem: str = ""


class BindingForm(BaseModel):
    """Binding of an account as its form sends it."""

    bound: bool = False  # to these sites; else every case is seen
    sites: str = Field("", max_length=10_000)  # one a line
    subspecialty: list[str] = Field(default_factory=list, max_length=100)


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


@router.post("/people/{person_id}/binding")
def bind(
    context: Context,
    request: Request,
    identity: Recognised,
    person_id: PersonNumber,
    form: Annotated[BindingForm, Form()],
) -> Response:
    """Bind an account to sites and subspecialties."""
    try:
        sites = sites_named([line for line in form.sites.splitlines() if line.strip()])
        subspecialties = subspecialties_named(form.subspecialty)
    except InputError as error:
        return _page(context, request, identity, problem=f"{error}.".capitalize())
    if sites and not form.bound:  # to see every case must not come of a tick that was forgotten
        words = "Tick 'of these sites alone', or take the sites out: nothing was changed."
        return _page(context, request, identity, problem=words)
    seen = sites if form.bound else None
    bind_person(context.store, person_id, seen, subspecialties, by=act_of(request, context))
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
    known = tuple(site for site, _ in count_sites(context.store) if site is not None)
    view = PeopleView(lines=lines, known_sites=known, problem=problem)
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
        roles=tuple(BoxChoice(value=role.value, words=role.words, chosen=role in kept) for role in Role),
        sites="\n".join(sorted(person.sites or ())),
        is_bound=person.sites is not None,
        subspecialties=tuple(
            BoxChoice(value=name, words=name, chosen=name in person.subspecialties)
            for name in load_vocabulary().subspecialties
        ),
        sessions=tuple(f"{one.address} since {moment(one.started_at)}" for one in sessions),
    )
