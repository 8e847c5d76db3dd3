"""Sessions over real HTTP: begun, used, ended, and what strangers try with them."""

import http.client
from datetime import timedelta

import httpx
import pytest

from service.security.roles import Role
from service.security.sessions import Lifetime, Origin, begin_session, recognise_session
from service.security.settings import SecuritySettings
from service.store.database import Store
from service.store.people import change_password, change_roles, disable_person, enable_person
from service.web.guard import access_for
from tests.service.material import NOW
from tests.service.security.people import BY, HASH, PAGE, Desk, add, desk_on, sign_in, token_on
from tests.service.web.seeing import seen_case

COOKIE = "overread_session"


def status(client: httpx.Client, address: str = "/", method: str = "GET", **given: object) -> int:
    """Status for a program, which is not sent on to the page of signing in."""
    headers = {"Accept": "application/json", **given.pop("headers", {})}  # type: ignore[dict-item]
    return client.request(method, address, headers=headers, **given).status_code  # type: ignore[arg-type]


def test_a_person_signs_in_sees_who_that_is_and_signs_out(store: Store) -> None:
    add(store, "ada", Role.SECOND_READER, Role.QUALITY, display_name="Ada Lovelace")
    with desk_on(store) as desk, desk.browser() as browser:
        sent_on = browser.get("/?show=all")
        assert (sent_on.status_code, sent_on.headers["location"]) == (303, "/sign-in?next=/%3Fshow%3Dall")
        assert sign_in(browser, "ada", "wrong").status_code == 403
        answer = sign_in(browser, "Ada", next="/?show=all")
        assert (answer.status_code, answer.headers["location"]) == (303, "/?show=all")
        page = browser.get("/")
        assert "Ada Lovelace (second reader, quality)" in page.text
        assert "No account is set up" not in page.text
        out = browser.post("/sign-out", data={"csrf_token": token_on(page)})
        assert (out.status_code, out.headers["location"]) == (303, "/sign-in")
        assert status(browser) == 401


def test_the_cookie_is_of_this_host_and_out_of_reach_of_scripts(sqlite_store: Store) -> None:
    add(sqlite_store)
    with desk_on(sqlite_store) as desk, desk.browser() as browser:
        set_cookie = sign_in(browser, "ada").headers["set-cookie"]
        parts = {part.strip().lower() for part in set_cookie.split(";")}
        assert {"httponly", "samesite=lax", "path=/"} <= parts
        assert not any(part.startswith(("domain", "max-age", "expires")) for part in parts)
        value = browser.cookies[COOKIE]
        assert len(value) >= 43  # 256 bits
        with sqlite_store.reading() as connection:
            raw = sqlite_store.settings.data_folder / "overread.sqlite3"
            assert connection is not None
            assert value.encode() not in raw.read_bytes()


def test_behind_tls_the_cookie_is_secure_and_no_other_one_counts(sqlite_store: Store) -> None:
    add(sqlite_store)
    with desk_on(sqlite_store) as desk, desk.browser(**{"X-Forwarded-Proto": "https"}) as browser:
        set_cookie = sign_in(browser, "ada").headers["set-cookie"]
        assert set_cookie.startswith("__Host-overread_session=")
        assert "; Secure" in set_cookie
        value = set_cookie.partition("=")[2].partition(";")[0]
        over_tls = {"X-Forwarded-Proto": "https"}
        assert ask(desk, f"__Host-{COOKIE}={value}", **over_tls) == 200
        assert ask(desk, f"{COOKIE}={value}", **over_tls) == 401  # one that a plain page could have set
        assert ask(desk, f"__Host-{COOKIE}={value}") == 401


def ask(desk: Desk, cookie: str, **headers: str) -> int:
    return httpx.get(f"{desk.url}/api/v1/worklist", headers={"Cookie": cookie, **headers}).status_code


def test_each_sign_in_gives_a_session_of_its_own_whatever_the_browser_showed(sqlite_store: Store) -> None:
    """Fixation: somebody made the browser hold a cookie that he knows."""
    add(sqlite_store)
    add(sqlite_store, "bob")
    with desk_on(sqlite_store) as desk, desk.browser() as browser:
        browser.cookies.set(COOKIE, "chosen-by-an-attacker")
        sign_in(browser, "ada")
        first = browser.cookies.get(COOKIE, domain="127.0.0.1")
        assert first != "chosen-by-an-attacker"
        assert ask(desk, f"{COOKIE}=chosen-by-an-attacker") == 401
    with desk_on(sqlite_store) as desk, desk.browser() as browser:
        sign_in(browser, "ada")
        first = browser.cookies[COOKIE]
        sign_in(browser, "bob")
        assert browser.cookies[COOKIE] != first
        assert ask(desk, f"{COOKIE}={first}") == 401


def test_a_cookie_that_was_signed_out_is_worth_nothing(store: Store) -> None:
    add(store)
    with desk_on(store) as desk, desk.signed_in() as browser:
        stolen = browser.cookies[COOKIE]
        assert ask(desk, f"{COOKIE}={stolen}") == 200
        browser.post("/sign-out", data={"csrf_token": token_on(browser.get("/"))})
        assert ask(desk, f"{COOKIE}={stolen}") == 401


def test_signing_out_everywhere_ends_ones_own_sessions_and_no_others(store: Store) -> None:
    add(store)
    add(store, "bob")
    with (
        desk_on(store) as desk,
        desk.signed_in() as here,
        desk.signed_in() as there,
        desk.signed_in("bob") as other,
    ):
        here.post("/sign-out/everywhere", data={"csrf_token": token_on(here.get("/account"))})
        assert [status(one) for one in (here, there, other)] == [401, 401, 200]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([59], [200]),
        ([61], [401]),
        ([59, 59, 59], [200, 200, 200]),
        ([50] * 15, [200] * 14 + [401]),  # 12 hours
    ],
)
def test_a_session_ends_when_it_is_not_used_and_at_the_latest_after_half_a_day(
    store: Store, steps: list[int], expected: list[int]
) -> None:
    add(store)
    with desk_on(store) as desk, desk.signed_in() as browser:
        found = []
        for minutes in steps:
            desk.clock.now += timedelta(minutes=minutes)
            found.append(status(browser))
    assert found == expected


def test_how_long_a_session_lives_is_a_setting(sqlite_store: Store) -> None:
    add(sqlite_store)
    settings = SecuritySettings(session_idle_minutes=5)
    with (
        desk_on(sqlite_store, access_for("127.0.0.1", None, security=settings)) as desk,
        desk.signed_in() as browser,
    ):
        desk.clock.now += timedelta(minutes=6)
        assert status(browser) == 401


def test_a_disabled_account_is_out_at_once(store: Store) -> None:
    person = add(store)
    with desk_on(store) as desk, desk.signed_in() as browser:
        disable_person(store, person.person_id, by=BY)
        assert status(browser) == 401
        assert sign_in(browser, "ada").status_code == 403
        enable_person(store, person.person_id, by=BY)
        assert status(browser) == 401  # the session has ended, and does not come back


def test_a_session_that_begins_while_the_account_is_disabled_opens_nothing(sqlite_store: Store) -> None:
    person = add(sqlite_store)
    disable_person(sqlite_store, person.person_id, by=BY)
    lifetime, origin = Lifetime.of(SecuritySettings()), Origin(address="10.1.1.1", what="POST /sign-in")

    cookie = begin_session(sqlite_store, person, origin, lifetime, now=NOW)

    assert recognise_session(sqlite_store, cookie, lifetime, now=NOW) is None


def test_another_password_ends_every_session_and_other_roles_count_at_once(sqlite_store: Store) -> None:
    person = add(sqlite_store, "ada", Role.COORDINATOR)
    with desk_on(sqlite_store) as desk, desk.signed_in() as browser:
        assert status(browser, "/quarantine") == 200
        change_roles(sqlite_store, person.person_id, ("SECOND_READER", "OF_A_LATER_RELEASE"), by=BY)
        assert status(browser, "/quarantine") == 403
        change_password(sqlite_store, person.person_id, HASH, by=BY)
        assert status(browser) == 401


def test_nothing_is_changed_by_a_cookie_alone(sqlite_store: Store) -> None:
    """Cross-site request forgery, were the check of Origin ever passed."""
    add(sqlite_store, "ada", Role.COORDINATOR)
    report = {"text": "No mass.", "accession_number": "A1"}
    with desk_on(sqlite_store) as desk, desk.signed_in() as browser, desk.signed_in() as other:
        token, foreign = token_on(browser.get("/account")), token_on(other.get("/account"))
        for headers in ({}, {"X-CSRF-Token": foreign}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": token[:-1]}):
            refused = browser.post("/api/v1/reports", json=report, headers={**headers, "Accept": "*/*"})
            assert (refused.status_code, refused.json()["type"]) == (403, "/problems/csrf-token")
        sent = browser.post("/api/v1/reports", json=report, headers={"X-CSRF-Token": token})
        assert sent.status_code == 201
        for data in ({}, {"csrf_token": foreign}):
            assert browser.post("/sign-out", data=data).status_code == 403
        endless = {"csrf_token": token, "name": "x" * (1 << 20)}
        assert browser.post("/sign-out", data=endless).status_code == 413
        assert browser.post("/sign-out", files={"csrf_token": (None, token)}).status_code == 403
        assert status(browser, "/account") == 200


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_another_site_can_neither_sign_somebody_in_nor_out(
    sqlite_store: Store, headers: dict[str, str]
) -> None:
    add(sqlite_store)
    with desk_on(sqlite_store) as desk, desk.signed_in() as browser:
        token = token_on(browser.get("/"))
        assert browser.post("/sign-out", data={"csrf_token": token}, headers=headers).status_code == 403
        given = {"name": "ada", "password": "whatever"}
        assert browser.post("/sign-in", data=given, headers=headers).status_code == 403
        assert status(browser) == 200


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/\tx",
        "\\\\evil",
        "evil",
    ],
)
def test_signing_in_leads_to_no_other_site(sqlite_store: Store, wanted: str) -> None:
    add(sqlite_store)
    with desk_on(sqlite_store) as desk, desk.browser() as browser:
        assert sign_in(browser, "ada", next=wanted).headers["location"] == "/"


def test_once_somebody_has_an_account_the_machine_itself_has_to_sign_in(store: Store) -> None:
    with desk_on(store) as desk, desk.browser() as browser:
        page = browser.get("/")
        assert "No account is set up: everybody who works on this machine is let in as" in page.text
        assert "Nobody has an account here yet" in browser.get("/sign-in").text
        add(store)
        assert status(browser) == 401
        assert "Password" in browser.get("/sign-in").text


ROLES = {
    Role.SECOND_READER: {"/": 200, "/cases/1": 200, "/quarantine": 403, "/metrics": 403, "/account": 200},
    Role.QUALITY: {"/": 200, "/cases/1": 200, "/quarantine": 403, "/api/v1/counts": 200},
    Role.COORDINATOR: {"/": 200, "/quarantine": 200, "/metrics": 200, "/api/v1/worklist": 200},
    Role.ADMINISTRATOR: {
        "/": 403,
        "/cases/1": 403,
        "/api/v1/cases/1": 403,
        "/api/v1/instances/2.25.1.1.1/rendered.png": 403,
        "/quarantine": 403,
        "/health/ready": 503,
    },
}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_allows_what_the_table_says(sqlite_store: Store, role: Role) -> None:
    seen_case(sqlite_store)
    add(sqlite_store, "ada", role)
    with desk_on(sqlite_store) as desk, desk.signed_in() as browser:
        found = {address: status(browser, address) for address in ROLES[role]}
        page = browser.get("/")
    assert {one: 200 if code == 503 else code for one, code in found.items()} == {
        one: 200 if code == 503 else code for one, code in ROLES[role].items()
    }
    assert ('href="/quarantine"' in page.text) == (role is Role.COORDINATOR)


def test_what_a_person_does_is_recorded_under_the_account(sqlite_store: Store) -> None:
    add(sqlite_store, "ada", Role.COORDINATOR, display_name="Ada Lovelace")
    with desk_on(sqlite_store) as desk, desk.signed_in() as browser:
        token = token_on(browser.get("/account"))
        browser.post("/api/v1/reports", json={"text": "No mass."}, headers={"X-CSRF-Token": token})
        page = browser.get("/quarantine/1")
        assert "Your name" not in page.text
        given = {"because": "a test", "name": "Somebody Else", "csrf_token": token}
        assert browser.post("/quarantine/1/discard", data=given).status_code == 303
        body = browser.get("/api/v1/quarantine/1", headers={"Accept": "application/json"}).json()
    (action,) = body["actions"]
    assert (action["actor"], action["actor_identifier"]) == ("Ada Lovelace", "person:ada")


def test_a_person_changes_the_own_password_by_knowing_it(sqlite_store: Store) -> None:
    add(sqlite_store)
    new = "a wholly different sentence"
    with desk_on(sqlite_store) as desk, desk.signed_in() as browser:
        token = token_on(browser.get("/account"))
        wrong = browser.post("/account/password", data={"current": "wrong", "new": new, "csrf_token": token})
        assert (wrong.status_code, "That is not your password" in wrong.text) == (422, True)
        short = {"current": "correct horse battery staple", "new": "short", "csrf_token": token}
        assert "15 to 1000" in browser.post("/account/password", data=short).text
        done = browser.post("/account/password", data={**short, "new": new})
        assert (done.status_code, done.headers["location"]) == (303, "/sign-in")
        assert status(browser) == 401
        assert sign_in(browser, "ada").status_code == 403
        assert sign_in(browser, "ada", new).status_code == 303


def test_nothing_that_a_stranger_asks_tells_who_has_an_account(sqlite_store: Store) -> None:
    add(sqlite_store)
    with desk_on(sqlite_store) as desk, desk.browser() as browser:
        known, unknown = (sign_in(browser, name, "wrong wrong wrong").text for name in ("ada", "bob"))
    assert known.replace("ada", "bob") == unknown


@pytest.mark.parametrize("address", ["/no-such", "/cases/1/secret", "/static_content/index.html"])
def test_what_is_not_there_is_not_told_to_strangers(sqlite_store: Store, address: str) -> None:
    add(sqlite_store)
    with desk_on(sqlite_store) as desk, desk.signed_in() as browser:
        assert httpx.get(f"{desk.url}{address}").status_code == 401
        assert status(browser, address) in {403, 404}
        assert browser.get(address, headers=PAGE).status_code in {403, 404}


@pytest.mark.parametrize(
    "host",
    [
        "localhost/desk/static/desk.css?",
        "localhost/sign-in?",
        "localhost#",
        "localhost\\",
        "user@localhost",
        "localhost:80:80",
        "localhost,evil.example",
        "[::1]evil",
    ],
)
def test_what_a_host_header_holds_makes_no_address_public(sqlite_store: Store, host: str) -> None:
    add(sqlite_store)
    with desk_on(sqlite_store) as desk:
        answer = httpx.get(f"{desk.url}/api/v1/worklist", headers={"Host": host})
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-host")


@pytest.mark.parametrize(
    "path",
    [
        "/desk/static/../../api/v1/worklist",
        "/desk/static/..%2f..%2fapi/v1/worklist",
        "/desk/static/%2e%2e/%2e%2e/api/v1/worklist",
        "//api/v1/worklist",
        "/api/v1/worklist;x=/desk/static/",
        "/api/v1/worklist/",
        "/api%2fv1%2fworklist",
        "/sign-in/../api/v1/worklist",
        "/SIGN-IN/../",
    ],
)
def test_no_way_of_writing_an_address_leads_past_the_table(sqlite_store: Store, path: str) -> None:
    add(sqlite_store)
    with desk_on(sqlite_store) as desk:
        port = int(desk.url.rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.putrequest("GET", path)  # as it is: a client would put it in order
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
    assert answer.status in {401, 404, 405}, body
    assert '"cases"' not in body


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECTED"])
def test_no_other_method_reaches_a_handler(sqlite_store: Store, method: str) -> None:
    add(sqlite_store)
    with desk_on(sqlite_store) as desk, desk.signed_in() as browser:
        token = token_on(browser.get("/"))
        given = {"X-CSRF-Token": token, "X-HTTP-Method-Override": "GET", "Accept": "application/json"}
        answer = browser.request(method, "/api/v1/worklist", headers=given)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
        assert httpx.request(method, f"{desk.url}/api/v1/worklist").status_code == 401


def test_what_an_open_page_asks_by_itself_keeps_no_session_alive(store: Store) -> None:
    add(store)
    seen_case(store)
    with desk_on(store) as desk, desk.signed_in() as browser:
        token = {"X-CSRF-Token": token_on(browser.get("/"))}
        browser.post("/api/v1/cases/1/claim", headers=token)
        found = []
        for _ in range(4):
            desk.clock.now += timedelta(minutes=25)
            found.append(status(browser, "/api/v1/cases/1/claim/renew", "POST", headers=token))
    assert found == [200, 200, 401, 401]  # idle after an hour
