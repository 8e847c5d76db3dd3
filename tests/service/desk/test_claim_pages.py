"""Who reads a case, on its page."""

from collections.abc import Iterator

import httpx
import pytest

from service.security.roles import Role
from service.store.database import Store
from service.store.reading_claims import find_claim
from tests.service.desk.test_pages import get
from tests.service.material import CLEAR, MASS, triaged_case
from tests.service.security.people import Desk, add, desk_on, token_on


@pytest.fixture
def desk(sqlite_store: Store) -> Iterator[Desk]:
    """Two readers, a coordinator, and a case that waits."""
    add(sqlite_store, "ada", Role.SECOND_READER)
    add(sqlite_store, "bob", Role.SECOND_READER)
    add(sqlite_store, "eve", Role.SECOND_READER, Role.COORDINATOR)
    triaged_case(sqlite_store, report=CLEAR)
    with desk_on(sqlite_store) as running:
        yield running


def press(browser: httpx.Client, action: str, back: str = "") -> httpx.Response:
    token = token_on(browser.get("/cases/1"))
    return browser.post(f"/cases/1/{action}", data={"csrf_token": token, "back": back})


def test_a_reader_claims_a_case_and_puts_it_back_by_forms(desk: Desk, sqlite_store: Store) -> None:
    with desk.signed_in("ada") as ada:
        assert "Nobody reads this case." in ada.get("/cases/1").text
        claimed = press(ada, "claim", "/cases/1?finding=1&for=thoracic")
        assert (claimed.status_code, claimed.headers["location"]) == (303, "/cases/1?finding=1&for=thoracic")
        page = ada.get("/cases/1").text
        assert "You have this case." in page
        assert 'data-renewed-every="300"' in page
        assert "Claimed for a second read (Ada)" in page
        assert press(ada, "release", "//elsewhere.example").headers["location"] == "/cases/1"
    assert find_claim(sqlite_store, 1, now=desk.clock()) is None


def test_who_comes_second_is_told_by_name_on_a_page(desk: Desk) -> None:
    with desk.signed_in("ada") as ada, desk.signed_in("bob") as bob:
        token = token_on(bob.get("/cases/1"))
        press(ada, "claim")
        refused = bob.post("/cases/1/claim", data={"csrf_token": token})
        assert refused.status_code == 409
        assert "Another reader has the case" in refused.text
        assert "Ada has case 1" in refused.text
        page = bob.get("/cases/1").text
        assert "Ada has this case, since 12:00 UTC." in page
        assert 'action="/cases/1/claim"' not in page
        assert 'action="/cases/1/take-over"' not in page


def test_a_coordinator_who_reads_takes_over_or_puts_back(desk: Desk) -> None:
    with desk.signed_in("ada") as ada, desk.signed_in("eve") as eve:
        press(ada, "claim")
        assert "/cases/1/take-over" in eve.get("/cases/1").text
        assert press(eve, "take-over").status_code == 303
        assert "Eve has this case" in ada.get("/cases/1").text
        assert press(eve, "release").status_code == 303
        assert "Nobody reads this case." in ada.get("/cases/1").text


def test_a_case_that_waits_for_nobody_has_no_bar(api: httpx.Client, sqlite_store: Store) -> None:
    concordant = triaged_case(sqlite_store, report=MASS)
    assert "claim-bar" not in get(api, f"/cases/{concordant}").text
