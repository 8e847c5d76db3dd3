"""Tokens of programs: what they allow, until when, and what is recorded of what they do."""

from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from overread.errors import ContradictionError, InputError
from service.dicomweb.stow import make_stow_app
from service.security.roles import Scope
from service.security.tokens import make_token
from service.store.access_tokens import list_tokens, revoke_token
from service.store.database import Store
from service.web.guard import access_for
from tests.service.material import NOW, after, dicom_bytes
from tests.service.security.people import BY, Clock, Desk, add, desk_on
from tests.service.web.listening import TOKEN, listening, opener

REPORT = {"text": "No mass is seen.", "accession_number": "A1"}


def made(store: Store, *scopes: Scope, name: str = "ris", days: float = 90) -> dict[str, str]:
    """Headers of a program with a token of its own."""
    token = make_token(store, name, frozenset(scopes), days=days, by=BY)
    return {"Authorization": f"Bearer {token}"}


def test_a_token_allows_what_its_scopes_say_and_nothing_else(store: Store) -> None:
    add(store)
    headers = made(store, Scope.REPORTS_WRITE)
    with desk_on(store) as desk:
        sent = httpx.post(f"{desk.url}/api/v1/reports", json=REPORT, headers=headers)
        refused = httpx.get(f"{desk.url}/api/v1/worklist", headers=headers)
    assert sent.status_code == 201
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/not-allowed")


def test_fhir_and_dicomweb_take_tokens_too(sqlite_store: Store) -> None:
    add(sqlite_store)
    headers = made(sqlite_store, Scope.IMAGES_WRITE)
    reader = made(sqlite_store, Scope.IMAGES_READ, name="viewer")
    access = access_for("127.0.0.1", None)
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + dicom_bytes(study="2.25.9") + b"\r\n--b--\r\n"
    kind = 'multipart/related; type="application/dicom"; boundary=b'
    with listening(make_stow_app(opener(sqlite_store, access=access), access)) as url:
        given = {"content": body, "headers": {**headers, "Content-Type": kind}}
        assert httpx.post(f"{url}/studies", **given).status_code == 200  # type: ignore[arg-type]
        assert httpx.post(f"{url}/studies", content=body, headers={"Content-Type": kind}).status_code == 401
        assert httpx.get(f"{url}/studies", headers=headers).status_code == 403
        assert len(httpx.get(f"{url}/studies", headers=reader).json()) == 1
    with desk_on(sqlite_store) as desk:
        assert httpx.get(f"{desk.url}/fhir/metadata", headers=reader).status_code == 200
        assert httpx.post(f"{desk.url}/fhir", json={}, headers=reader).status_code == 403


def worklist(desk: Desk, headers: dict[str, str]) -> int:
    return httpx.get(f"{desk.url}/api/v1/worklist", headers=headers).status_code


def test_a_token_expires_and_is_revoked_at_once(store: Store) -> None:
    add(store)
    short, long = made(store, Scope.CASES_READ, days=1), made(store, Scope.CASES_READ, name="other")
    with desk_on(store) as desk:
        assert [worklist(desk, one) for one in (short, long)] == [200, 200]
        desk.clock.now += timedelta(days=1)
        assert [worklist(desk, one) for one in (short, long)] == [401, 200]
        revoke_token(store, "other", by=replace(BY, at=desk.clock.now))
        assert [worklist(desk, one) for one in (short, long)] == [401, 401]
    states = {token.name: (token.used_at, token.revoked_at) for token in list_tokens(store)}
    assert states == {"ris": (NOW, None), "other": (after(86400), after(86400))}


@pytest.mark.parametrize("shown", ["overread_", "overread_x", "x" * 5000, "ris", "ü"])
def test_what_is_no_token_lets_nobody_in_even_on_this_machine(sqlite_store: Store, shown: str) -> None:
    made(sqlite_store, Scope.CASES_READ)
    with desk_on(sqlite_store) as desk:
        headers = {"Authorization": f"Bearer {shown}".encode()}
        assert httpx.get(f"{desk.url}/api/v1/worklist", headers=headers).status_code == 401


def test_a_token_opens_no_page_and_a_cookie_beside_it_does_not_count(sqlite_store: Store) -> None:
    add(sqlite_store)
    headers = made(sqlite_store, *Scope)
    with desk_on(sqlite_store) as desk, desk.signed_in() as browser:
        assert browser.get("/", headers=headers).status_code == 403
        assert browser.get("/", headers={"Authorization": "Bearer wrong"}).status_code == 303


def test_the_token_of_the_installation_has_every_scope_and_no_role(sqlite_store: Store) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with desk_on(sqlite_store, access_for("0.0.0.0", TOKEN)) as desk:
        assert worklist(desk, headers) == 200
        assert httpx.get(f"{desk.url}/", headers=headers).status_code == 403


def test_what_a_program_does_is_recorded_under_its_token(sqlite_store: Store) -> None:
    add(sqlite_store)
    headers = made(sqlite_store, Scope.QUARANTINE, Scope.REPORTS_WRITE)
    with desk_on(sqlite_store, clock=Clock()) as desk, httpx.Client(headers=headers) as program:
        program.post(f"{desk.url}/api/v1/reports", json={"text": "No mass."})
        program.post(f"{desk.url}/api/v1/quarantine/1/discard", json={"because": "a test"})
        (action,) = program.get(f"{desk.url}/api/v1/quarantine/1").json()["actions"]
    assert (action["actor"], action["actor_identifier"]) == ("token ris", "token:ris")


def test_a_name_is_used_once_even_after_it_was_revoked(sqlite_store: Store) -> None:
    made(sqlite_store, Scope.TRIAGE)
    revoke_token(sqlite_store, "ris", by=BY)
    with pytest.raises(ContradictionError, match="choose another name"):
        made(sqlite_store, Scope.TRIAGE)


@pytest.mark.parametrize(
    ("name", "days", "scopes"),
    [("", 90, [Scope.TRIAGE]), ("a\n", 90, [Scope.TRIAGE]), ("a", 0, [Scope.TRIAGE]), ("a", 90, [])],
)
def test_what_cannot_be_a_token_is_not_made(
    sqlite_store: Store, name: str, days: float, scopes: list[Scope]
) -> None:
    with pytest.raises(InputError):
        made(sqlite_store, *scopes, name=name, days=days)
