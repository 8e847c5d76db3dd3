"""Every route of every process has an entry in the table of who may call it, and is found by it."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount

from service.application import make_app
from service.bento import Overread
from service.bento import app as mounted
from service.dicomweb.stow import make_stow_app
from service.security.roles import Role, Scope
from service.security.routes import NOBODY, PUBLIC, ROUTES, RouteTable, missing_entries
from service.store.database import Store
from service.web.guard import access_for
from tests.service.web.listening import opener

ADDED_BY_THE_FRAMEWORK = {"HEAD", "OPTIONS"}  # answered as GET, or by no handler of ours


def addressed(routes: list[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Yield method and template of each route; of a folder that is mounted what is under it."""
    for found in iter_route_contexts(routes):
        route = getattr(found, "route", found)
        path = str(getattr(found, "path", None) or getattr(route, "path", ""))
        methods = getattr(found, "methods", None)
        if methods:
            yield from ((method, path) for method in sorted(set(methods) - ADDED_BY_THE_FRAMEWORK))
        else:
            yield "GET", f"{path}/{{path:path}}"


def bento_routes() -> Iterator[tuple[str, str]]:
    """Yield what BentoML adds to the application that is mounted into its service."""
    outer = Overread.to_asgi(is_main=True)  # type: ignore[attr-defined]
    while not isinstance(outer, Starlette):
        outer = outer.app
    others = [route for route in outer.routes if not (isinstance(route, Mount) and route.app is mounted)]
    assert len(others) == len(outer.routes) - 1
    yield from addressed(others)


def applications(store: Store) -> Iterator[FastAPI]:
    yield make_app(opener(store), list)
    yield make_stow_app(opener(store), access_for("127.0.0.1", None))


def all_routes(store: Store) -> set[tuple[str, str]]:
    ours = {route for app in applications(store) for route in addressed(app.routes)}
    return ours | set(bento_routes())


def test_every_route_of_every_application_has_an_entry_and_every_entry_a_route(sqlite_store: Store) -> None:
    found = all_routes(sqlite_store)

    assert missing_entries(sorted(found)) == []
    assert set(ROUTES) - found == set()


def test_a_request_is_held_to_the_entry_of_the_route_that_answers_it(sqlite_store: Store) -> None:
    table = RouteTable()
    for method, template in all_routes(sqlite_store):
        address = "/".join("x1" if part.startswith("{") else part for part in template.split("/"))
        entry = table.find(method, address)
        assert entry is not None, (method, template)
        assert entry.need == ROUTES[method, template], (method, template)
        same_form = [part.startswith("{") for part in entry.template.split("/")]
        assert same_form == [part.startswith("{") for part in template.split("/")]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/people/new-page"),
        ("DELETE", "/cases/1"),
        ("POST", "/"),
        ("GET", "/desk"),
        ("GET", "/cases/1/retry"),
        ("GET", "//"),
        ("get", "/"),
        ("GET", "/Quarantine"),
    ],
)
def test_what_has_no_entry_is_denied(method: str, path: str) -> None:
    entry = RouteTable().find(method, path)

    assert entry is None or (path == "//" and entry.template != "/")


def test_public_is_only_what_says_so_and_holds_no_patient() -> None:
    public = {template for (_, template), need in ROUTES.items() if need.is_public}

    assert public == {
        "/desk/static/{path:path}",
        "/sign-in",
        "/sign-in/provider",
        "/sign-in/provider/callback",
        "/sign-in/provider/logout",
        "/health/live",
        "/livez",
        "/healthz",
        "/readyz",
    }


def test_an_administrator_sees_no_patient_and_no_program_acts_as_one() -> None:
    seen = {route for route, need in ROUTES.items() if need.is_met({Role.ADMINISTRATOR}, set())}

    assert not {
        template for _, template in seen if template.startswith(("/cases", "/studies", "/quarantine"))
    }
    assert ("GET", "/") not in seen
    assert not NOBODY.is_met(set(Role), set(Scope))
    assert PUBLIC.is_met(set(), set())
