"""The administrator's page."""

from service.security.roles import Role
from service.store.database import Store
from service.store.people import find_person, list_people
from tests.service.security.people import add, desk_on, sign_in, token_on


def test_an_administrator_gives_roles_ends_sessions_and_closes_accounts(store: Store) -> None:
    add(store, "ada", Role.ADMINISTRATOR, display_name="Ada Lovelace")
    bob = add(store, "bob", Role.SECOND_READER)
    with desk_on(store) as desk, desk.signed_in() as browser, desk.signed_in("bob") as other:
        page = browser.get("/people")
        token = {"csrf_token": token_on(page)}
        assert "Ada Lovelace" in page.text
        assert page.text.count("127.0.0.1 since") == 2

        given = {**token, "role": ["QUALITY", "COORDINATOR"]}
        assert browser.post(f"/people/{bob.person_id}/roles", data=given).status_code == 303
        assert other.get("/quarantine").status_code == 200
        browser.post(f"/people/{bob.person_id}/sign-out", data=token)
        assert other.get("/quarantine").status_code == 303
        browser.post(f"/people/{bob.person_id}/disable", data=token)
        assert sign_in(other, "bob").status_code == 403
        browser.post(f"/people/{bob.person_id}/enable", data=token)
        assert sign_in(other, "bob").status_code == 303
        assert browser.post("/people/99/disable", data=token).status_code == 404
        wrong = {**token, "role": "KING"}
        assert browser.post(f"/people/{bob.person_id}/roles", data=wrong).status_code == 422
    found = find_person(store, "bob")
    assert found is not None
    assert found.roles == ("COORDINATOR", "QUALITY")


def test_an_administrator_cannot_lock_out_himself(sqlite_store: Store) -> None:
    ada = add(sqlite_store, "ada", Role.ADMINISTRATOR)
    with desk_on(sqlite_store) as desk, desk.signed_in() as browser:
        token = {"csrf_token": token_on(browser.get("/people"))}
        for action, words in (("disable", "your own account"), ("roles", "this role from yourself")):
            refused = browser.post(f"/people/{ada.person_id}/{action}", data=token)
            assert (refused.status_code, words in refused.text) == (409, True)
    assert list_people(sqlite_store) == (ada,)


def test_nobody_else_sees_or_changes_accounts(sqlite_store: Store) -> None:
    """Another's number in the address (IDOR) leads nowhere, one's own neither."""
    ada = add(sqlite_store, "ada", Role.SECOND_READER, Role.COORDINATOR, Role.QUALITY)
    bob = add(sqlite_store, "bob", Role.ADMINISTRATOR)
    with desk_on(sqlite_store) as desk, desk.signed_in() as browser:
        page = browser.get("/account")
        assert 'href="/people"' not in page.text
        token = {"csrf_token": token_on(page)}
        assert browser.get("/people").status_code == 403
        for person in (ada, bob):
            for action in ("roles", "disable", "enable", "sign-out"):
                given = {**token, "role": "ADMINISTRATOR"}
                answer = browser.post(f"/people/{person.person_id}/{action}", data=given)
                assert answer.status_code == 403
    assert list_people(sqlite_store) == (ada, bob)


def test_the_first_account_is_asked_for_on_the_page(sqlite_store: Store) -> None:
    with desk_on(sqlite_store) as desk, desk.browser() as browser:
        assert "Nobody has an account" in browser.get("/people").text
