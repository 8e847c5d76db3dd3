"""Log-outs over the back channel, from a provider that answers on a socket of this machine."""

import base64
import contextlib
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from service.security.sessions import Lifetime, living_sessions
from service.security.settings import SecuritySettings
from service.store.account_tables import provider_logouts
from service.store.audit_entries import AuditAction
from service.store.audit_trail import TrailFilter, find_entries
from service.store.database import Store
from service.store.people import list_people
from service.web.guard import access_for
from tests.service.material import NOW
from tests.service.security.identity_provider import identity_provider, new_key
from tests.service.security.people import PAGE, desk_on, sign_in
from tests.service.security.test_provider import House, add, house, settings

__all__ = ["house"]
EVENT = "http://schemas.openid.net/event/backchannel-logout"


@contextlib.contextmanager
def entered(house: House, session: str | None = None) -> Iterator[httpx.Client]:
    """A browser in which somebody has come in through the provider, in a session of that name there."""
    house.provider.altered = {"sid": session}
    with httpx.Client(headers=PAGE, timeout=60, base_url=house.desk.url) as browser:
        assert browser.get("/sign-in/provider", follow_redirects=True).status_code == 200
        yield browser


def tell(house: House, token: str) -> httpx.Response:
    """Tell a log-out as a provider does: without a cookie, an origin or a page."""
    return httpx.post(f"{house.desk.url}/sign-in/provider/logout", data={"logout_token": token}, timeout=60)


def is_in(browser: httpx.Client) -> bool:
    return browser.get("/session", headers={"Accept": "*/*"}).status_code == 200


def test_who_signs_out_at_the_provider_is_signed_out_here(house: House) -> None:
    with entered(house) as browser, entered(house) as other:
        told = tell(house, house.provider.logout_token())

        assert (told.status_code, told.headers["cache-control"], told.text) == (200, "no-store", "")
        assert not is_in(browser)
        assert not is_in(other)
    trail = [sealed.entry for sealed in find_entries(house.store, TrailFilter()) if sealed.entry]
    ended = [entry for entry in trail if entry.action is AuditAction.SIGNED_OUT]
    assert [(entry.actor.identifier, entry.subject, entry.what) for entry in ended] == [
        ("provider", "person ada", "POST /sign-in/provider/logout")
    ] * 2


def test_a_log_out_of_one_session_leaves_the_others(house: House) -> None:
    with entered(house, "s1") as first, entered(house, "s2") as second:
        assert tell(house, house.provider.logout_token(sid="s1", sub=None)).status_code == 200
        assert (is_in(first), is_in(second)) == (False, True)
        assert tell(house, house.provider.logout_token(sid="s2")).status_code == 200
        assert not is_in(second)


def test_a_session_without_a_number_ends_with_any_of_its_subject(house: House) -> None:
    with entered(house) as browser:
        assert tell(house, house.provider.logout_token(sid="unknown", sub=None)).status_code == 200
        assert is_in(browser)
        assert tell(house, house.provider.logout_token(sid="unknown")).status_code == 200
        assert not is_in(browser)


def test_nobody_elses_session_ends(house: House) -> None:
    add(house.store, "bob")
    with entered(house, "s1") as ada, house.desk.browser() as bob:
        sign_in(bob, "bob")  # by a password, whatever a provider says
        house.provider.user |= {"sub": "another", "preferred_username": "eve"}
        with entered(house, "s2") as eve:
            assert tell(house, house.provider.logout_token()).status_code == 200
            assert (is_in(ada), is_in(bob), is_in(eve)) == (True, True, False)
            assert tell(house, house.provider.logout_token(sid="s1")).status_code == 200
            assert is_in(ada)  # the session is not of that subject


def test_a_log_out_that_was_told_before_is_refused(house: House) -> None:
    """Replay: who caught a token could sign its subject out again and again."""
    token = house.provider.logout_token()
    with entered(house):
        assert tell(house, token).status_code == 200
    with entered(house) as browser:
        again = tell(house, token)
        assert (again.status_code, again.json()) == (400, {"error": "invalid_request"})
        assert is_in(browser)
        house.desk.clock.now = NOW + timedelta(minutes=10)  # forgotten, but expired
        assert tell(house, token).status_code == 400
        assert is_in(browser)


@pytest.mark.parametrize(
    "altered",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another client"},
        {"aud": None},
        {"exp": int(NOW.timestamp()) - 61},
        {"exp": None},
        {"iat": int(NOW.timestamp()) + 3600},
        {"iat": None},
        {"jti": None},
        {"events": None},
        {"events": [EVENT]},
        {"events": {EVENT: "no object"}},
        {"events": {"http://schemas.openid.net/event/other": {}}},
        {"nonce": "of an ID token"},
        {"sub": None},
        {"sub": None, "sid": ""},
        {"sub": 7},
        {"typ": "at+jwt"},
    ],
)
def test_a_token_that_says_something_else_ends_nothing(house: House, altered: dict[str, Any]) -> None:
    with entered(house) as browser:
        assert tell(house, house.provider.logout_token(**altered)).status_code == 400
        assert is_in(browser)


def test_a_token_that_the_provider_did_not_sign_ends_nothing(house: House) -> None:
    with entered(house) as browser:
        right = house.provider.logout_token()
        head, body, signature = right.split(".")
        unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode().rstrip("=")
        forged = [f"{unsigned}.{body}.", f"{head}.{body}.{signature[:-4]}AAAA", "", "x", "a.b.c", "x" * 9000]
        own, house.provider.key = house.provider.key, new_key("first")
        house.provider.published = own
        forged.append(house.provider.logout_token())
        house.provider.algorithm = "HS256"
        forged.append(house.provider.logout_token())
        for token in forged:
            assert tell(house, token).status_code == 400, token
        assert is_in(browser)
        assert tell(house, right).status_code == 200


def test_an_id_token_is_no_logout_token_and_the_other_way_round(house: House) -> None:
    with entered(house) as browser:
        assert tell(house, house.provider.id_token("nonce")).status_code == 400
        assert is_in(browser)
    house.provider.altered = {"events": {EVENT: {}}, "nonce": None}
    with httpx.Client(headers=PAGE, base_url=house.desk.url, follow_redirects=True) as browser:
        assert browser.get("/sign-in/provider").status_code == 403


def test_a_page_of_another_site_cannot_tell_a_log_out(house: House) -> None:
    with entered(house) as browser:
        address, form = "/sign-in/provider/logout", {"logout_token": house.provider.logout_token()}
        assert browser.post(address, data=form, headers={"Origin": "https://evil.example"}).status_code == 403
        assert is_in(browser)


def test_without_a_provider_there_is_no_such_address(sqlite_store: Store) -> None:

    with desk_on(sqlite_store) as desk, desk.browser(Accept="*/*") as browser:
        assert browser.post("/sign-in/provider/logout", data={"logout_token": "x"}).status_code == 404


def test_strangers_cannot_make_the_service_ask_the_provider_without_end(house: House) -> None:
    asked = house.provider.asked_for_keys
    house.provider.key = new_key("unknown")
    house.provider.published = new_key("first")
    for _ in range(30):
        assert tell(house, house.provider.logout_token()).status_code == 400
    assert house.provider.asked_for_keys - asked <= 11


def test_what_is_kept_of_a_log_out_goes_when_the_token_has_expired(house: House) -> None:

    def kept() -> int:
        with house.store.reading() as connection:
            count: int = connection.execute(select(func.count()).select_from(provider_logouts)).scalar_one()
        return count

    tell(house, house.provider.logout_token())
    assert kept() == 1
    house.desk.clock.now = NOW + timedelta(minutes=10)
    later = int(house.desk.clock.now.timestamp())
    assert tell(house, house.provider.logout_token(iat=later, exp=later + 60)).status_code == 200
    assert kept() == 1


def test_groups_bind_to_sites(sqlite_store: Store) -> None:

    with identity_provider() as provider:
        given = settings(provider.url, group_sites="north-radiology=North,everybody-else=*")
        with desk_on(sqlite_store, access_for("127.0.0.1", None, security=given)) as desk:
            house = House(desk=desk, provider=provider, store=sqlite_store)
            for groups, sites in (
                (["radiology", "north-radiology"], {"north"}),
                (["radiology"], set()),
                (["radiology", "north-radiology", "everybody-else"], None),
            ):
                provider.user["groups"] = groups
                with entered(house):
                    assert list_people(sqlite_store)[0].sites == sites
    lifetime = Lifetime.of(SecuritySettings())
    assert len(living_sessions(sqlite_store, lifetime, now=NOW)) == 3
