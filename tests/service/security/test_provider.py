"""Signing in at a provider of OpenID Connect that answers on a socket of this machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from service.security.roles import Role
from service.security.settings import SecuritySettings
from service.store.database import Store
from service.store.people import disable_person, find_person, list_people
from service.web.guard import access_for
from tests.service.material import NOW
from tests.service.security.identity_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    IdentityProvider,
    identity_provider,
    new_key,
)
from tests.service.security.people import BY, PAGE, Desk, add, desk_on, token_on

COOKIE = "overread_session"


@dataclass(frozen=True)
class House:
    """A desk and the provider of its house."""

    desk: Desk
    provider: IdentityProvider
    store: Store


def settings(issuer: str, **more: Any) -> SecuritySettings:
    given = {
        "oidc_issuer": issuer,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
        "group_roles": "radiology=second-reader,boards=ADMINISTRATOR",
    }
    return SecuritySettings(**(given | more))


@pytest.fixture
def house(sqlite_store: Store) -> Iterator[House]:
    with identity_provider() as provider:
        access = access_for("127.0.0.1", None, security=settings(provider.url))
        with desk_on(sqlite_store, access) as desk:
            yield House(desk=desk, provider=provider, store=sqlite_store)


def enter(house: House, wanted: str = "") -> httpx.Response:
    """Go through the provider with a new browser and return where that ends."""
    with httpx.Client(headers=PAGE, timeout=60, follow_redirects=True) as browser:
        return browser.get(f"{house.desk.url}/sign-in/provider", params={"next": wanted})


def test_a_person_signs_in_at_the_provider_and_is_led_where_the_link_led(house: House) -> None:
    page = enter(house, "/?show=all")

    assert (page.status_code, page.url.path, page.url.query) == (200, "/", b"show=all")
    assert "Ada Lovelace (second reader)" in page.text
    (person,) = list_people(house.store)
    assert (person.name, person.source, person.password_hash) == ("ada", "OIDC", None)
    (asked,) = house.provider.seen
    assert asked["scope"] == "openid profile"
    assert asked["redirect_uri"] == f"{house.desk.url}/sign-in/provider/callback"
    assert len(asked["code_challenge"]) == 43


def test_nobody_comes_in_without_it_even_on_this_machine(house: House) -> None:
    with house.desk.browser() as browser:
        assert browser.get("/").headers["location"] == "/sign-in"
        page = browser.get("/sign-in")
    assert "Sign in with your organisation" in page.text
    assert 'type="password"' not in page.text


def test_groups_give_the_roles_anew_with_each_sign_in(house: House) -> None:
    enter(house)
    house.provider.user["groups"] = ["boards", "radiology"]
    enter(house)
    (person,) = list_people(house.store)
    assert person.roles == ("ADMINISTRATOR", "SECOND_READER")
    house.provider.user["groups"] = "nothing that is known"
    refused = enter(house)
    assert (refused.status_code, "gives you a role" in refused.text) == (403, True)


def test_who_is_disabled_here_does_not_come_in(house: House) -> None:
    enter(house)
    disable_person(house.store, list_people(house.store)[0].person_id, by=BY)

    refused = enter(house)

    assert (refused.status_code, "is disabled here" in refused.text) == (403, True)


def test_a_name_of_the_provider_is_not_somebody_elses_account_here(house: House) -> None:
    """An account is found by issuer and subject; whoever may choose a name there must not become another."""
    owner = add(house.store, "ada", Role.ADMINISTRATOR)

    page = enter(house)

    assert "Ada Lovelace (second reader)" in page.text
    kept = find_person(house.store, "ada")
    assert kept == owner
    assert find_person(house.store, "ada (248289761001)") is not None


@pytest.mark.parametrize(
    "altered",
    [
        {"iss": "https://evil.example"},
        {"aud": "another client"},
        {"aud": ["overread", "another client"]},
        {"aud": ["overread", "another client"], "azp": "another client"},
        {"azp": "another client"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": int(NOW.timestamp()) - 61},
        {"exp": None},
        {"iat": int(NOW.timestamp()) + 3600},
        {"sub": None},
    ],
)
def test_an_id_token_that_says_something_else_lets_nobody_in(house: House, altered: dict[str, Any]) -> None:
    house.provider.altered = altered

    refused = enter(house)

    assert refused.status_code == 403
    assert list_people(house.store) == ()
    assert COOKIE not in refused.headers.get("set-cookie", "")


def test_the_clocks_may_differ_a_little(house: House) -> None:
    house.provider.altered = {"exp": int(NOW.timestamp()) - 50, "iat": int(NOW.timestamp()) + 50}

    assert enter(house).status_code == 200


def test_a_token_that_is_not_signed_with_the_providers_key_lets_nobody_in(house: House) -> None:
    house.provider.published = new_key("first")
    assert enter(house).status_code == 403
    house.provider.published = None
    house.provider.algorithm = "HS256"  # signed with what both know, not with the private key
    assert enter(house).status_code == 403


def test_new_keys_of_the_provider_are_fetched_when_they_are_needed(house: House) -> None:
    assert enter(house).status_code == 200
    house.provider.key = new_key("second")
    assert enter(house).status_code == 200


def test_the_answer_to_anothers_sign_in_is_not_taken(house: House) -> None:
    """Login CSRF: somebody is sent to a callback with a code of the attacker's account."""
    with house.desk.browser() as attacker, house.desk.browser() as victim:
        begun = httpx.get(attacker.get("/sign-in/provider").headers["location"])
        back = begun.headers["location"].replace(house.desk.url, "")
        assert victim.get(back).status_code == 403
        victim.get("/sign-in/provider")
        assert victim.get(back).status_code == 403
        assert victim.get(back.replace("state=", "state=x")).status_code == 403
    assert list_people(house.store) == ()


def test_an_answer_with_another_state_is_not_taken_though_its_code_is_right(house: House) -> None:
    with house.desk.browser() as browser:
        begun = httpx.get(browser.get("/sign-in/provider").headers["location"])
        back = begun.headers["location"].replace(house.desk.url, "")
        assert browser.get(back.replace("state=", "state=x")).status_code == 403
    assert list_people(house.store) == ()


def test_an_answer_counts_once(house: House) -> None:
    with house.desk.browser() as browser:
        begun = httpx.get(browser.get("/sign-in/provider").headers["location"])
        back = begun.headers["location"].replace(house.desk.url, "")
        cookie = browser.cookies["overread_handshake"]
        assert browser.get(back).status_code == 303
        browser.cookies.set("overread_handshake", cookie)
        assert browser.get(back).status_code == 403


@pytest.mark.parametrize("query", ["", "state=", "error=access_denied", "code=x&state=y", "code=x"])
def test_an_address_that_somebody_made_up_is_refused(house: House, query: str) -> None:
    with house.desk.browser() as browser:
        for cookie in ("", "e30=", "bnVsbA==", "no base64", "W10="):
            browser.cookies.set("overread_handshake", cookie)
            assert browser.get(f"/sign-in/provider/callback?{query}").status_code == 403


def test_an_answer_of_another_issuer_is_not_taken(house: House) -> None:
    with house.desk.browser() as browser:
        begun = httpx.get(browser.get("/sign-in/provider").headers["location"])
        back = begun.headers["location"].replace(house.desk.url, "")
        mixed = back.replace("iss=http", "iss=https")
        assert mixed != back
        assert browser.get(mixed).status_code == 403


def test_signing_out_leads_on_to_the_provider(house: House) -> None:
    with httpx.Client(headers=PAGE, timeout=60, follow_redirects=True) as browser:
        page = browser.get(f"{house.desk.url}/sign-in/provider")
        out = browser.post(f"{house.desk.url}/sign-out", data={"csrf_token": token_on(page)})
        address = urlsplit(out.headers["refresh"].removeprefix("0; url="))
        given = parse_qs(address.query)
        assert f"{address.scheme}://{address.netloc}{address.path}" == f"{house.provider.url}/logout"
        assert given["post_logout_redirect_uri"] == [f"{house.desk.url}/sign-in"]
        assert given["id_token_hint"][0].count(".") == 2
        assert "Sign out of the provider too" in out.text
        assert browser.get(f"{house.desk.url}/").url.path == "/sign-in"


def test_a_provider_without_a_sign_out_is_left_alone(house: House) -> None:
    house.provider.ends_sessions = False
    with httpx.Client(headers=PAGE, timeout=60, follow_redirects=True) as browser:
        page = browser.get(f"{house.desk.url}/sign-in/provider")
        out = browser.post(f"{house.desk.url}/sign-out", data={"csrf_token": token_on(page)})
        assert (out.url.path, "refresh" in out.headers) == ("/sign-in", False)


def test_a_provider_that_does_not_answer_is_said(sqlite_store: Store) -> None:
    with identity_provider() as provider:
        gone = provider.url
    with (
        desk_on(sqlite_store, access_for("127.0.0.1", None, security=settings(gone))) as desk,
        desk.browser() as browser,
    ):
        answer = browser.get("/sign-in/provider")
        assert (answer.status_code, "does not answer" in answer.text) == (503, True)
        assert browser.get("/sign-in").status_code == 200
