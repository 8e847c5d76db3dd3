"""The coordinator's page: its figures against cases that are counted by hand."""

from datetime import timedelta

from service.security.roles import Role
from service.store.database import Store
from service.store.queue_view import read_queue
from service.store.reading_claims import Hold, hold_case
from service.store.schema import cases
from tests.service.desk.test_pages import Page
from tests.service.material import NOW
from tests.service.security.people import Clock, add, desk_on
from tests.service.store.test_reading_claims import ADA
from tests.service.web.seeing import seen_case


def many(store: Store) -> list[int]:
    """Ten cases of the heart and two of the lung, those of the lung with the lowest priority."""
    hearts = [seen_case(store, number, findings={"cardiomegaly": 0.99}) for number in range(1, 11)]
    lungs = [seen_case(store, number, findings={"mass": 0.9}) for number in (11, 12)]
    with store.writing() as connection:
        for priority, case_id in enumerate(reversed([*hearts, *lungs]), 1):
            connection.execute(cases.update().where(cases.c.case_id == case_id).values(priority=priority))
        first = cases.c.case_id == hearts[0]
        early = {"waiting_since": NOW - timedelta(hours=30), "overdue_at": NOW - timedelta(hours=1)}
        connection.execute(cases.update().where(first).values(**early))
    hold_case(store, hearts[1], Hold(holder=ADA, at=NOW, seconds=900))
    hold_case(store, hearts[2], Hold(holder=ADA, at=NOW - timedelta(hours=2), seconds=900))
    return [*hearts, *lungs]


def test_a_coordinator_sees_what_waits_how_fast_it_is_read_and_what_the_line_leaves(store: Store) -> None:
    add(store, "eve", Role.COORDINATOR)
    many(store)
    clock = Clock()
    clock.now = NOW + timedelta(seconds=1)
    with desk_on(store, clock=clock) as desk, desk.signed_in("eve") as eve:
        answer = eve.get("/queue")
    page = Page(answer)
    text = page.text
    assert "12 wait for a second reader; being read now: 1." in text
    #       waiting, read by nobody, waited too long, oldest, above, below
    assert "cardiac 10 9 1 30 h 10 0 " in text
    assert "thoracic 2 2 0 0 min 0 2 " in text
    assert "All 12 11 1 30 h 10 2 " in text
    assert page.links["cardiac"] == "/?share=100&subspecialty=cardiac"
    assert page.links["30 h"] == "/?share=100&subspecialty=cardiac&sort=waiting"
    assert "Found discrepant 12 12 1.7 " in text
    assert "Claimed by a reader 2 2 0.3 " in text
    assert "at priority 3 of 100. It leaves 2 below it" in text
    assert page.links["Show them"] == "/?part=rest"
    assert "Lung mass" not in text


def test_figures_are_of_what_may_be_seen_and_of_the_last_days(store: Store) -> None:
    many(store)
    nowhere = read_queue(store.seen_from(("nowhere",)), now=NOW + timedelta(days=2))
    assert (nowhere.waiting, set(nowhere.of_week.values())) == ((), {0})
    later = read_queue(store, now=NOW + timedelta(days=2))
    assert set(later.of_day.values()) == {0}
    assert set(later.of_week.values()) == {12, 2, 0}


def test_nobody_else_sees_the_queue_and_an_empty_one_says_so(sqlite_store: Store) -> None:
    add(sqlite_store, "ada", Role.SECOND_READER)
    add(sqlite_store, "eve", Role.QUALITY)
    with desk_on(sqlite_store) as desk, desk.signed_in("ada") as ada, desk.signed_in("eve") as eve:
        assert ada.get("/queue").status_code == 403
        assert 'href="/queue"' not in ada.get("/").text
        text = Page(eve.get("/queue")).text
    assert "Nothing waits for a second reader." in text
    assert "leaves nothing below it" in text
