"""Who is answered and who is not."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from overread.errors import ConfigurationError
from service.application import make_app
from service.network_settings import is_loopback
from service.security.settings import SecuritySettings
from service.store.database import Store
from service.web.guard import Access, GuardMiddleware, access_for
from service.web.settings import WebSettings
from tests.service.web.listening import TOKEN, listening, opener

REPORT = {"text": "No mass is seen.", "accession_number": "A1"}


@pytest.fixture
def guarded(sqlite_store: Store) -> Iterator[str]:
    """URL of API and pages behind a token."""
    access = access_for("0.0.0.0", TOKEN)
    app = make_app(opener(sqlite_store, access=access), list)
    app.add_middleware(GuardMiddleware, access=access)
    with listening(app) as url:
        yield url


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "overread.example"])
def test_an_address_that_others_reach_needs_somebody_who_is_known(host: str) -> None:
    with pytest.raises(ConfigurationError, match="overread users add"):
        access_for(host, None).entrance.require_a_way_in(has_accounts=False)
    access_for(host, None).entrance.require_a_way_in(has_accounts=True)
    access_for(host, TOKEN).entrance.require_a_way_in(has_accounts=False)
    access_for("127.0.0.1", None).entrance.require_a_way_in(has_accounts=False)


def test_a_short_token_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least 16 characters"):
        access_for("127.0.0.1", "secret")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_loopback_is_known_by_address(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize("host", ["[", "[::1", "localhost:port", "localhost:99999"])
def test_a_malformed_host_is_the_senders_mistake(api: httpx.Client, guarded: str, host: str) -> None:
    for answer in (
        api.get("/api/v1/worklist", headers={"Host": host}),
        httpx.get(f"{guarded}/readyz", headers={"Host": host}),
    ):
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-host")


@pytest.mark.parametrize("address", ["/cases/%00", "/api/v1/worklist?subspecialty=a%00b", "/%00"])
def test_a_null_character_is_the_senders_mistake(api: httpx.Client, address: str) -> None:
    assert api.get(address).status_code == 400


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("overread.example", 401),
        ("OVERREAD.example:8400", 401),
        ("10.1.2.3", 401),  # no name that a foreign name server could give an address
        ("[fd00::1]:8400", 401),
        ("localhost", 401),
    ],
)
def test_only_names_of_this_service_are_answered_where_others_reach_it(
    sqlite_store: Store, host: str, status: int
) -> None:
    access = access_for("0.0.0.0", TOKEN, security=SecuritySettings(host_names=("overread.example",)))
    app = make_app(opener(sqlite_store, access=access), list)
    app.add_middleware(GuardMiddleware, access=access)
    with listening(app) as url:
        assert httpx.get(f"{url}/api/v1/worklist", headers={"Host": host}).status_code == status


def test_a_foreign_host_name_is_not_answered(api: httpx.Client) -> None:
    """DNS rebinding: a page of evil.example whose name resolves to 127.0.0.1."""
    assert api.get("/api/v1/worklist", headers={"Host": "evil.example"}).status_code == 421
    assert api.get("/api/v1/worklist", headers={"Host": "localhost:1"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_cannot_send_through_the_users_browser(
    api: httpx.Client, headers: dict[str, str]
) -> None:
    assert api.post("/api/v1/reports", json=REPORT, headers=headers).status_code == 403
    assert api.get("/api/v1/worklist", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_our_own_pages_may_send(api: httpx.Client) -> None:
    origin = str(api.base_url).rstrip("/")
    headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
    assert api.post("/api/v1/reports", json=REPORT, headers=headers).status_code == 201


@pytest.mark.parametrize(
    "path", ["/api/v1/worklist", "/openapi.json", "/metrics", "/health/ready", "/no-such"]
)
def test_with_a_token_nothing_else_is_answered_without_it(guarded: str, path: str) -> None:
    refused = httpx.get(guarded + path)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")
    wrong = httpx.get(guarded + path, headers={"Authorization": f"Bearer {TOKEN}x"})
    assert wrong.status_code == 401
    assert httpx.get(guarded + path, headers={"Authorization": f"Bearer {TOKEN}"}).status_code in {200, 404}


@pytest.mark.parametrize("path", ["/health/live", "/sign-in", "/desk/static/desk.css"])
def test_liveness_and_what_the_sign_in_page_needs_are_open(guarded: str, path: str) -> None:
    assert httpx.get(guarded + path).status_code == 200


@pytest.mark.parametrize(("client", "status"), [("10.1.2.3", 403), ("127.0.0.1", 404), ("::1", 404)])
def test_without_a_token_only_this_machine_is_answered(sqlite_store: Store, client: str, status: int) -> None:
    app = FastAPI()
    with opener(sqlite_store)() as app.state.context:
        pass
    app.add_middleware(GuardMiddleware, access=access_for("127.0.0.1", None))

    async def ask() -> int:
        transport = httpx.ASGITransport(app, client=(client, 5))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as asking:
            return (await asking.get("/no-such")).status_code

    assert asyncio.run(ask()) == status


PROBES = 9400


def answer_at(port: int, path: str, access: Access, store: Store) -> int:
    """Status for a machine elsewhere that asks on one of our ports."""
    app = FastAPI()
    with opener(store)() as app.state.context:
        pass
    app.add_middleware(GuardMiddleware, access=access)

    async def ask() -> int:
        transport = httpx.ASGITransport(app, client=("10.1.2.3", 5))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://10.9.9.9:{port}") as asking:
            return (await asking.get(path)).status_code

    @app.get("/health/ready")
    @app.get("/metrics")
    @app.get("/api/v1/worklist")
    def found() -> str:
        return "found"

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("port", "path", "status"),
    [
        (PROBES, "/metrics", 200),
        (PROBES, "/health/ready", 200),
        (PROBES, "/api/v1/worklist", 404),
        (8400, "/metrics", 401),
        (8400, "/api/v1/worklist", 401),
    ],
)
def test_the_port_for_probes_answers_them_to_anybody_and_nothing_else(
    sqlite_store: Store, port: int, path: str, status: int
) -> None:
    assert answer_at(port, path, access_for("0.0.0.0", TOKEN, PROBES), sqlite_store) == status


def test_a_host_header_does_not_make_the_port_for_probes(sqlite_store: Store) -> None:
    access = access_for("0.0.0.0", TOKEN, PROBES)
    app = make_app(opener(sqlite_store, access=access), list)
    app.add_middleware(GuardMiddleware, access=access)
    with listening(app) as url:
        refused = httpx.get(f"{url}/metrics", headers={"Host": f"127.0.0.1:{PROBES}"})
    assert refused.status_code == 401


@pytest.mark.parametrize(("text", "port"), [("", None), ("0", 0), ("9400", 9400)])
def test_the_port_for_probes_is_chosen_by_the_environment(text: str, port: int | None) -> None:
    assert WebSettings.read({"OVERREAD_PROBE_PORT": text}).probe_port == port


@pytest.mark.parametrize("text", ["metrics", "-1", "65536"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="OVERREAD_PROBE_PORT"):
        WebSettings.read({"OVERREAD_PROBE_PORT": text})
