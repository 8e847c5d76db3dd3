"""People whom a reverse proxy names, over real HTTP; the test's own client is the proxy."""

import ipaddress
from typing import Any

import httpx
import pytest

from overread.errors import ConfigurationError
from service.security.roles import Role
from service.security.settings import SecuritySettings
from service.store.database import Store
from service.store.people import disable_person, list_people
from service.web.guard import access_for
from tests.service.security.people import BY, Desk, add, desk_on

USER, GROUPS = "X-Forwarded-User", "X-Forwarded-Groups"
REPORT = {"text": "No mass.", "accession_number": "A1"}


def access(proxy: str = "127.0.0.1", **more: Any) -> Any:
    given = {"proxies": (ipaddress.ip_network(proxy),), "proxy_user_header": USER}
    return access_for("127.0.0.1", None, security=SecuritySettings(**(given | more)))


def ask(desk: Desk, headers: dict[str, str] | list[tuple[str, str]]) -> int:
    return httpx.get(f"{desk.url}/api/v1/worklist", headers=headers).status_code


def test_whom_the_proxy_names_is_let_in_with_the_roles_of_the_account(store: Store) -> None:
    add(store, "ada", Role.SECOND_READER)
    disable_person(store, add(store, "bob").person_id, by=BY)
    with desk_on(store, access()) as desk:
        found = {name: ask(desk, {USER: name}) for name in ("ada", "ADA", "bob", "eve", "")}
        page = httpx.get(f"{desk.url}/", headers={USER: "ada"}).text
    assert found == {"ada": 200, "ADA": 200, "bob": 401, "eve": 401, "": 401}
    assert ("Ada (second reader)" in page, "Sign out" in page) == (True, False)


def test_a_header_from_elsewhere_counts_for_nothing(sqlite_store: Store) -> None:
    add(sqlite_store, "ada", Role.SECOND_READER)
    with desk_on(sqlite_store, access("10.0.0.0/8")) as desk:
        assert ask(desk, {USER: "ada"}) == 401
        assert ask(desk, {USER: "ada", "X-Forwarded-For": "10.0.0.1"}) == 401
    with desk_on(sqlite_store, access_for("127.0.0.1", None)) as desk:
        assert ask(desk, {USER: "ada"}) == 401


def test_a_name_beside_a_name_is_nobody(sqlite_store: Store) -> None:
    add(sqlite_store, "ada", Role.SECOND_READER)
    with desk_on(sqlite_store, access()) as desk:
        assert ask(desk, [(USER, "ada"), (USER, "bob")]) == 401


def test_groups_give_the_roles_where_the_proxy_names_them(store: Store) -> None:
    groups = {"readers": Role.SECOND_READER, "boards": Role.ADMINISTRATOR}
    with desk_on(store, access(proxy_groups_header=GROUPS, group_roles=groups)) as desk:
        assert ask(desk, {USER: "ada", GROUPS: "staff, readers"}) == 200
        assert ask(desk, {USER: "ada", GROUPS: "boards"}) == 403
        assert ask(desk, {USER: "ada", GROUPS: "staff"}) == 401
        assert ask(desk, {USER: "bob"}) == 401
        assert ask(desk, [(USER, "ada"), (GROUPS, "readers"), (GROUPS, "boards")]) == 401
    (person,) = list_people(store)
    assert (person.name, person.source, person.roles) == ("ada", "PROXY", ())


def test_nothing_is_changed_unless_the_browser_says_from_which_page(sqlite_store: Store) -> None:
    add(sqlite_store, "ada", Role.COORDINATOR)
    with desk_on(sqlite_store, access()) as desk:

        def send(**headers: str) -> int:
            given = {USER: "ada", **headers}
            return httpx.post(f"{desk.url}/api/v1/reports", json=REPORT, headers=given).status_code

        assert send() == 403
        assert send(Origin="https://evil.example") == 403
        assert send(Origin=desk.url) == 201


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"OVERREAD_PROXY_USER_HEADER": USER}, "OVERREAD_PROXIES"),
        (
            {"OVERREAD_PROXIES": "10.0.0.1", "OVERREAD_PROXY_GROUPS_HEADER": GROUPS},
            "OVERREAD_PROXY_USER_HEADER",
        ),
        ({"OVERREAD_GROUP_ROLES": "readers"}, "OVERREAD_GROUP_ROLES"),
        ({"OVERREAD_GROUP_ROLES": "readers=king"}, "second_reader, coordinator"),
        ({"OVERREAD_OIDC_ISSUER": "http://login.example.org"}, "https"),
        ({"OVERREAD_OIDC_ISSUER": "login.example.org"}, "https"),
        ({"OVERREAD_OIDC_ISSUER": "https://login.example.org"}, "OVERREAD_OIDC_CLIENT_ID"),
        (
            {"OVERREAD_OIDC_ISSUER": "https://login.example.org", "OVERREAD_OIDC_CLIENT_ID": "overread"},
            "OVERREAD_GROUP_ROLES",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        SecuritySettings.read(given)


def test_a_group_gives_a_role_however_that_is_written() -> None:
    settings = SecuritySettings.read({"OVERREAD_GROUP_ROLES": "readers=second-reader, boards=Administrator"})

    assert settings.group_roles == {"readers": Role.SECOND_READER, "boards": Role.ADMINISTRATOR}
