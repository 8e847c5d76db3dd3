"""What the audit trail says of signing in and out, of accounts, and of what was refused."""

import httpx

from overread.command import main
from service.security.roles import Role, Scope
from service.security.tokens import make_token
from service.store.audit_entries import AuditAction, AuditEntry, AuditOutcome
from service.store.audit_trail import TrailFilter, find_entries
from service.store.database import Store
from service.store.people import load_person
from tests.service.security.people import BY, add, desk_on, sign_in, token_on
from tests.service.web.seeing import seen_case


def recorded(store: Store) -> list[AuditEntry]:
    """Every entry, the oldest first."""
    return [sealed.entry for sealed in find_entries(store, TrailFilter()) if sealed.entry]


def said(store: Store) -> list[tuple[str, str, str, str, str | None]]:
    return [
        (entry.actor.identifier, entry.action.value, entry.outcome.value, entry.what, entry.subject)
        for entry in recorded(store)
        if entry.action in {AuditAction.SIGNED_IN, AuditAction.SIGNED_OUT, AuditAction.CONFIGURED}
    ]


def test_who_signs_in_and_out_is_recorded_and_who_tries_in_vain(store: Store) -> None:
    add(store, "ada")
    with desk_on(store) as desk, desk.browser() as browser:
        sign_in(browser, "ada", "wrong")
        sign_in(browser, "nobody", "wrong")
        sign_in(browser, "ada")
        browser.post("/sign-out", data={"csrf_token": token_on(browser.get("/"))})
    assert said(store)[1:] == [
        ("unverified:ada", "SIGNED_IN", "REFUSED", "password", "person ada"),
        ("person:ada", "SIGNED_IN", "SUCCEEDED", "POST /sign-in", "person ada"),
        ("person:ada", "SIGNED_OUT", "SUCCEEDED", "POST /sign-out", None),
    ]
    assert {entry.sent_from for entry in recorded(store)[1:]} == {"127.0.0.1"}


def test_who_changes_accounts_and_tokens_is_recorded_with_the_change(store: Store) -> None:
    add(store, "ada", Role.ADMINISTRATOR)
    bob = add(store, "bob")
    make_token(store, "ris", frozenset({Scope.TRIAGE}), days=1, by=BY)
    with desk_on(store) as desk, desk.signed_in() as browser:
        token = {"csrf_token": token_on(browser.get("/people"))}
        browser.post(f"/people/{bob.person_id}/roles", data={**token, "role": "QUALITY"})
        browser.post(f"/people/{bob.person_id}/disable", data=token)
    found = [(entry.actor.identifier, entry.what, entry.subject, entry.detail) for entry in recorded(store)]
    assert ("account:root", "overread users", "token ris", "added, triage, to 2026-03-02") in found
    roles, disable = "POST /people/{person_id}/roles", "POST /people/{person_id}/disable"
    assert ("person:ada", roles, "person bob", "roles: QUALITY") in found
    assert ("person:ada", disable, "person bob", "disabled") in found
    assert not load_person(store, bob.person_id).is_active


def test_a_command_that_changes_an_account_is_recorded(sqlite_store: Store) -> None:
    add(sqlite_store, "ada")
    folder = str(sqlite_store.settings.data_folder)

    assert main(["users", "role", "ada", "quality", "--data-folder", folder]) == 0

    entry = recorded(sqlite_store)[-1]
    assert (entry.what, entry.subject, entry.detail) == (
        "overread users role",
        "person ada",
        "roles: QUALITY",
    )
    assert entry.actor.identifier.startswith("account:")


def test_a_view_is_recorded_under_the_account_and_what_was_refused_too(sqlite_store: Store) -> None:
    seen_case(sqlite_store)
    add(sqlite_store, "ada")
    with desk_on(sqlite_store) as desk, desk.signed_in() as browser:
        assert browser.get("/cases/1").status_code == 200
        assert browser.get("/quarantine").status_code == 403
        assert httpx.get(f"{desk.url}/cases/1").status_code == 401  # a stranger fills no trail
    found = [
        (entry.actor.identifier, entry.action, entry.outcome, entry.what, entry.subject)
        for entry in recorded(sqlite_store)
        if entry.action in {AuditAction.SAW, AuditAction.SEARCHED, AuditAction.CHANGED}
    ]
    assert found == [
        ("person:ada", AuditAction.CHANGED, AuditOutcome.SUCCEEDED, "second read", "case 1"),  # opened
        ("person:ada", AuditAction.SAW, AuditOutcome.SUCCEEDED, "GET /cases/{case_id}", "case 1"),
        ("person:ada", AuditAction.SAW, AuditOutcome.REFUSED, "GET /quarantine", None),
    ]
