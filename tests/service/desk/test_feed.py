"""The feed of the list: what streams are told, when they end, how many there are."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest

from service.security.roles import Role
from service.store.database import Store
from service.store.people import end_sessions_of, find_person
from service.store.reading_claims import Hold, hold_case, release_claim
from service.store.schema import cases
from service.web.settings import WebSettings
from tests.service.material import NOW
from tests.service.security.people import BY, Desk, add, desk_on
from tests.service.store.test_reading_claims import ADA
from tests.service.web.seeing import seen_case


@pytest.fixture
def desk(sqlite_store: Store) -> Iterator[Desk]:
    """A reader and a case."""
    add(sqlite_store, "ada", Role.SECOND_READER)
    seen_case(sqlite_store)
    with desk_on(sqlite_store) as running:
        yield running


@contextmanager
def stream(browser: httpx.Client, **headers: str) -> Iterator[Iterator[tuple[str, str, object]]]:
    """What a stream tells, as name, number and value."""
    with browser.stream("GET", "/worklist/changes", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        yield _told(answer.iter_lines())


def _told(lines: Iterator[str]) -> Iterator[tuple[str, str, object]]:
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line and name:
            fields[name] = value
        elif "event" in fields:
            yield fields["event"], fields["id"], json.loads(fields["data"])
            fields = {}


def test_a_page_is_told_who_takes_a_case_and_what_comes(desk: Desk, sqlite_store: Store) -> None:
    with desk.signed_in() as browser, stream(browser) as told:
        assert next(told)[0] == "begun"
        hold_case(sqlite_store, 1, Hold(holder=ADA, at=NOW, seconds=900))
        assert next(told)[::2] == ("hands", {"1": {"name": "Dr Ada", "identifier": "person:ada"}})
        release_claim(sqlite_store, 1, by=ADA, now=NOW)
        assert next(told)[::2] == ("hands", {"1": None})
        seen_case(sqlite_store, 2)
        assert next(told)[0] == "list"


def test_a_stream_that_goes_on_is_told_that_it_missed_something(desk: Desk, sqlite_store: Store) -> None:
    with desk.signed_in() as browser:
        with stream(browser) as told:
            _, number, _ = next(told)
        with stream(browser, **{"Last-Event-ID": number}) as told:
            assert next(told)[:2] == ("begun", number)
        seen_case(sqlite_store, 2)
        with stream(browser, **{"Last-Event-ID": number}) as told:
            assert next(told)[0] == "list"


def test_a_stream_ends_with_its_session_and_keeps_none_alive(desk: Desk, sqlite_store: Store) -> None:
    ada = find_person(sqlite_store, "ada")
    assert ada is not None
    with desk.signed_in() as browser, stream(browser) as told:
        next(told)
        end_sessions_of(sqlite_store, ada.person_id, by=BY)
        assert list(told) == []
    with desk.signed_in() as browser:
        for _ in range(4):
            desk.clock.now += timedelta(minutes=25)
            last = browser.get("/worklist/rows")
        assert (last.status_code, last.headers["location"]) == (303, "/sign-in?next=/worklist/rows")


def test_only_so_many_pages_are_kept_up_to_date(sqlite_store: Store) -> None:
    add(sqlite_store, "ada", Role.SECOND_READER)
    with desk_on(sqlite_store, web=WebSettings(live_pages_max=1)) as desk, desk.signed_in() as browser:
        with stream(browser) as told:
            next(told)
            refused = browser.get("/worklist/changes", headers={"Accept": "text/event-stream"})
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
        with stream(browser) as told:
            assert next(told)[0] == "begun"


def test_who_is_bound_to_a_site_is_told_of_no_other(sqlite_store: Store) -> None:
    person = add(sqlite_store, "bob", Role.SECOND_READER, sites=frozenset({"here"}))
    assert person.sites == {"here"}
    for number, site in ((1, "elsewhere"), (2, "here")):
        case_id = seen_case(sqlite_store, number)
        with sqlite_store.writing() as connection:
            connection.execute(cases.update().where(cases.c.case_id == case_id).values(site=site))
    with desk_on(sqlite_store) as desk, desk.signed_in("bob") as browser, stream(browser) as told:
        next(told)
        for case_id in (1, 2):
            hold_case(sqlite_store, case_id, Hold(holder=ADA, at=NOW, seconds=900))
        assert set(next(told)[2]) == {"2"}  # type: ignore[call-overload]
