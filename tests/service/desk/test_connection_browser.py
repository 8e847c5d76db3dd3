"""A connection that is lost in a real browser: nothing typed is lost, and the pages say what is going on."""

from collections.abc import Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from service.adjudication.known_reads import known_reads
from service.security.roles import Role
from service.store.database import Store
from service.store.people import end_sessions_of, find_person
from service.store.reading_claims import Hold, hold_case
from service.store.second_reads import ReadAct
from service.web.settings import WebSettings
from tests.service.adjudication.test_reads import person, rules
from tests.service.desk.test_browser import browser, leads_to, press, pytestmark, wait_for
from tests.service.desk.test_list_browser import becomes, enter, first_case, says
from tests.service.material import NOW
from tests.service.security.people import BY, Desk, add, desk_on, token_on
from tests.service.store.test_reading_claims import BOB
from tests.service.web.seeing import seen_case

__all__ = ("browser", "pytestmark")
WORDS = "Behind the heart."
ADDRESS = "/cases/{case_id}/judgement"


@pytest.fixture
def desk(sqlite_store: Store) -> Iterator[Desk]:
    """A second reader, and two cases."""
    add(sqlite_store, "ada", Role.SECOND_READER)
    seen_case(sqlite_store, 1, findings={"mass": 0.9})
    seen_case(sqlite_store, 2, findings={"cardiomegaly": 0.5})
    with desk_on(sqlite_store) as running:
        yield running


def connect(browser: webdriver.Chrome, *, is_online: bool) -> None:
    """Pull the plug of the browser, or put it in again."""
    browser.execute_cdp_cmd("Network.enable", {})
    conditions = {"offline": not is_online, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", conditions)


def block(browser: webdriver.Chrome, *patterns: str) -> None:
    """Let no answer come from these addresses, while the browser is online."""
    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": list(patterns)})


def write_comment(browser: webdriver.Chrome) -> None:
    details = wait_for(browser, "details.more")
    browser.execute_script("arguments[0].open = true", details)
    details.find_element(By.NAME, "comment").send_keys(WORDS)
    browser.execute_script("document.activeElement.blur()")


def value_of(browser: webdriver.Chrome, name: str) -> str:
    found: str = browser.execute_script(
        "return new FormData(document.querySelector('form.judge')).get(arguments[0])", name
    )
    return found


def recorded(store: Store, case_id: int = 1) -> list[tuple[ReadAct, str]]:
    """What is recorded of a case beyond its having been opened: the act and the comment."""
    reads = known_reads(store, case_id, person()).reads
    return [
        (item.act, (item.judgement or item.own_read).comment)  # type: ignore[union-attr]
        for item in reads
        if item.act is not ReadAct.OPENED
    ]


def judge_offline(browser: webdriver.Chrome, desk: Desk, store: Store) -> None:
    enter(browser, desk, "/cases/1")
    connect(browser, is_online=False)
    press(browser, "y")
    press(browser, "2")
    write_comment(browser)
    press(browser, Keys.ENTER)
    assert says(browser, "Not saved yet: you are offline", "form.judge .session-ended")
    assert browser.current_url.endswith("/cases/1")
    assert (value_of(browser, "comment"), value_of(browser, "radpeer")) == (WORDS, "2a")
    assert recorded(store) == []


def test_a_judgement_of_somebody_offline_is_recorded_once_when_the_connection_is_back(
    browser: webdriver.Chrome, desk: Desk, sqlite_store: Store
) -> None:
    judge_offline(browser, desk, sqlite_store)
    connect(browser, is_online=True)  # and nobody presses anything
    assert leads_to(browser, "/cases/2")
    assert recorded(sqlite_store) == [(ReadAct.JUDGED, WORDS)]


def test_what_is_changed_meanwhile_is_sent_by_the_reader_alone(
    browser: webdriver.Chrome, desk: Desk, sqlite_store: Store
) -> None:
    judge_offline(browser, desk, sqlite_store)
    press(browser, "1")  # another score
    assert says(browser, "it is sent when you press again", "form.judge .session-ended")
    connect(browser, is_online=True)
    WebDriverWait(browser, 30).until(lambda page: page.execute_script("return navigator.onLine"))
    assert recorded(sqlite_store) == []
    press(browser, Keys.ENTER)
    assert leads_to(browser, "/cases/2")
    assert len(recorded(sqlite_store)) == 1


def test_a_judgement_whose_answer_was_lost_is_recorded_once(
    browser: webdriver.Chrome, desk: Desk, sqlite_store: Store
) -> None:
    enter(browser, desk, "/cases/1")
    block(browser, f"*{ADDRESS.format(case_id=1)}")
    for key in ("y", "2", Keys.ENTER):
        press(browser, key)
    assert says(browser, "Not saved yet: the service does not answer", "form.judge .session-ended")
    fields = browser.execute_script(
        "return Object.fromEntries(new FormData(document.querySelector('form.judge')))"
    )
    with desk.signed_in() as arrived:  # the very form, which came through while its answer did not
        fields |= {"csrf_token": token_on(arrived.get("/account"))}
        assert arrived.post(ADDRESS.format(case_id=1), data=fields).status_code == 303
    block(browser)
    press(browser, Keys.ENTER)
    assert leads_to(browser, "/cases/2")
    assert recorded(sqlite_store) == [(ReadAct.JUDGED, "")]


def test_an_own_read_is_kept_too(browser: webdriver.Chrome, desk: Desk, sqlite_store: Store) -> None:
    rules(sqlite_store, "[second_read]\nown_read_share = 1")
    enter(browser, desk, "/cases/1")
    connect(browser, is_online=False)
    browser.find_element(By.NAME, "comment").send_keys(WORDS)
    browser.find_element(By.CSS_SELECTOR, "form.judge button").click()
    assert says(browser, "Not saved yet: you are offline", "form.judge .session-ended")
    connect(browser, is_online=True)
    assert wait_for(browser, ".report").is_displayed()
    assert recorded(sqlite_store) == [(ReadAct.COMMITTED, WORDS)]


def test_what_the_service_refuses_is_told_in_the_form_that_stays(
    browser: webdriver.Chrome, desk: Desk, sqlite_store: Store
) -> None:
    enter(browser, desk, "/cases/1")
    hold_case(sqlite_store, 1, Hold(holder=BOB, at=NOW, seconds=900))
    press(browser, "y")
    write_comment(browser)
    press(browser, Keys.ENTER)
    assert says(browser, "Not saved: Dr Bob has case 1", "form.judge")
    assert value_of(browser, "comment") == WORDS
    assert recorded(sqlite_store) == []


def test_a_list_that_is_cut_off_says_so_and_is_up_to_date_when_the_connection_is_back(
    browser: webdriver.Chrome, desk: Desk, sqlite_store: Store
) -> None:
    enter(browser, desk)
    first = first_case(browser)
    connect(browser, is_online=False)
    assert says(browser, "You are offline. The list is as it was")
    hold_case(sqlite_store, first, Hold(holder=BOB, at=NOW, seconds=900))
    connect(browser, is_online=True)
    assert becomes(browser, first, "Dr Bob")
    WebDriverWait(browser, 30).until(lambda page: page.find_element(By.CSS_SELECTOR, ".live").text == "")
    connect(browser, is_online=False)
    press(browser, "k")  # the last line, which nobody has
    press(browser, "c")
    assert says(browser, "The case was not claimed. The service does not answer")


def test_a_list_whose_service_does_not_answer_says_so(
    browser: webdriver.Chrome, desk: Desk, sqlite_store: Store
) -> None:
    enter(browser, desk)
    wait_for(browser, ".line")
    block(browser, "*/worklist/*")
    browser.execute_script(  # as a tab that was out of sight and comes back: a stream is opened anew
        "Object.defineProperty(document, 'hidden', {get: () => window.away, configurable: true});"
        "for (window.away of [true, false]) document.dispatchEvent(new Event('visibilitychange'));"
    )
    assert says(browser, "The service does not answer. The list is as it was")
    ada = find_person(sqlite_store, "ada")
    assert ada is not None
    end_sessions_of(sqlite_store, ada.person_id, by=BY)
    block(browser)
    assert says(browser, "Your session has ended")


def test_a_list_that_finds_no_place_for_its_stream_says_how_it_goes_on(
    browser: webdriver.Chrome, sqlite_store: Store
) -> None:
    add(sqlite_store, "ada", Role.SECOND_READER)
    with desk_on(sqlite_store, web=WebSettings(live_pages_max=0)) as crowded:
        enter(browser, crowded)
        assert says(browser, "Nothing to read", ".empty h2")
        assert says(browser, "looks for changes every quarter of a minute")
        seen_case(sqlite_store, 1)
        assert first_case(browser) == 1
