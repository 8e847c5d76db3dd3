"""Claims over HTTP: by roles, with the name of who has the case."""

import contextlib
from collections.abc import Iterator

import httpx
import pytest

from service.security.roles import Role
from service.store.database import Store
from tests.service.material import CLEAR, triaged_case
from tests.service.security.people import Desk, add, desk_on


@pytest.fixture
def desk(sqlite_store: Store) -> Iterator[Desk]:
    """Two readers, a coordinator who does not read, and two cases that wait."""
    add(sqlite_store, "ada", Role.SECOND_READER)
    add(sqlite_store, "bob", Role.SECOND_READER)
    add(sqlite_store, "eve", Role.COORDINATOR)
    add(sqlite_store, "quinn", Role.QUALITY)
    for number in (1, 2):
        triaged_case(sqlite_store, number, report=CLEAR)
    with desk_on(sqlite_store) as running:
        yield running


@contextlib.contextmanager
def program(desk: Desk, name: str) -> Iterator[httpx.Client]:
    """The script of a page in the browser of somebody who has signed in."""
    with desk.signed_in(name) as browser:
        token = browser.get("/session", headers={"Accept": "application/json"}).json()["csrf_token"]
        browser.headers.update({"Accept": "application/json", "X-CSRF-Token": token})
        yield browser


def test_of_two_readers_one_gets_the_case_and_the_other_is_told_by_name(desk) -> None:
    with program(desk, "ada") as ada, program(desk, "bob") as bob:
        claim = ada.post("/api/v1/cases/1/claim")
        refused = bob.post("/api/v1/cases/1/claim")
        seen = bob.get("/api/v1/cases/1/claim").json()["claim"]
        renewed = ada.post("/api/v1/cases/1/claim/renew")
        lost = bob.post("/api/v1/cases/1/claim/renew")
        put_back = ada.post("/api/v1/cases/1/claim/release")
        free = bob.get("/api/v1/cases/1/claim").json()["claim"]

    assert (claim.status_code, claim.json()["holder"]) == (200, "Ada")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/claimed")
    assert refused.json()["detail"].startswith("Ada has case 1")
    assert (seen["holder"], seen["holder_identifier"]) == ("Ada", "person:ada")
    assert (renewed.status_code, lost.status_code) == (200, 409)
    assert (put_back.status_code, free) == (204, None)


def test_a_coordinator_assigns_many_cases_and_hears_what_was_left(desk) -> None:
    with program(desk, "ada") as ada, program(desk, "eve") as eve:
        ada.post("/api/v1/cases/1/claim")
        given = {"cases": [1, 2, 99], "reader": "bob"}
        made = eve.post("/api/v1/assignments", json=given).json()["assignments"]
        taken = eve.post("/api/v1/assignments", json={**given, "take_over": True}).json()["assignments"]
        nobody = eve.post("/api/v1/assignments", json={"cases": [1], "reader": "eve"})
        none = eve.post("/api/v1/assignments", json={"cases": [], "reader": "bob"})

    assert [one["claim"] and one["claim"]["holder"] for one in made] == [None, "Bob", None]
    assert "Ada has case 1" in made[0]["why_not"]
    assert "no case 99" in made[2]["why_not"]
    assert made[1]["claim"]["assigned_by"] == "Eve"
    assert taken[0]["claim"]["holder"] == "Bob"
    assert (nobody.status_code, none.status_code) == (422, 422)


def test_only_a_reader_claims_and_only_a_coordinator_takes_and_assigns(desk) -> None:
    with program(desk, "ada") as ada, program(desk, "bob") as bob, program(desk, "eve") as eve:
        ada.post("/api/v1/cases/1/claim")
        assert bob.post("/api/v1/cases/1/claim/take-over").json()["type"] == "/problems/not-permitted"
        assert bob.post("/api/v1/cases/1/claim/release").status_code == 409
        assert bob.post("/api/v1/assignments", json={"cases": [2], "reader": "bob"}).status_code == 403
        assert eve.post("/api/v1/cases/2/claim").status_code == 403
        assert eve.post("/api/v1/cases/1/claim/release").status_code == 204
    with program(desk, "quinn") as quinn:
        for action in ("claim", "claim/renew", "claim/take-over", "claim/release"):
            assert quinn.post(f"/api/v1/cases/1/{action}").status_code == 403
