"""The worklist in a real browser: claims, a race, filters by keyboard, rows that follow."""

from collections.abc import Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from service.security.roles import Role
from service.store.case_filter import CaseFilter, ReadingState
from service.store.database import Store
from service.store.order import Selection
from service.store.people import end_sessions_of, find_person
from service.store.reading_claims import Hold, find_claim, hold_case, release_claim
from service.store.worklist import list_numbers
from tests.service.desk.test_browser import browser, press, pytestmark, wait_for
from tests.service.material import NOW
from tests.service.security.people import BY, PASSWORD, Desk, add, desk_on
from tests.service.store.test_reading_claims import BOB
from tests.service.web.seeing import seen_case

__all__ = ("browser", "pytestmark")


@pytest.fixture
def desk(sqlite_store: Store) -> Iterator[Desk]:
    """A coordinator who reads, and three cases."""
    add(sqlite_store, "ada", Role.SECOND_READER, Role.COORDINATOR)
    add(sqlite_store, "bob", Role.SECOND_READER)
    for number, finding in enumerate(("mass", "mass", "cardiomegaly"), 1):
        seen_case(sqlite_store, number, findings={finding: 0.95 - number / 10})
    with desk_on(sqlite_store) as running:
        yield running


def enter(browser: webdriver.Chrome, desk: Desk, path: str = "/") -> None:
    browser.get(f"{desk.url}/sign-in")
    wait_for(browser, "#name").send_keys("ada")
    browser.find_element(By.ID, "password").send_keys(PASSWORD)
    browser.find_element(By.CSS_SELECTOR, ".sign-in button").click()
    wait_for(browser, ".scripted .who")
    if path != "/":
        browser.get(f"{desk.url}{path}")
    wait_for(browser, ".scripted")


def reader_of(browser: webdriver.Chrome, case_id: int) -> str:
    """Who has a case, as its line says it; "Claim" where nobody has it and it can be claimed."""
    words: str = browser.execute_script(
        "const line = document.querySelector(`.line[data-case='${arguments[0]}'] .reader`);"
        "const shown = (part) => part && part.offsetParent !== null ? part.textContent.trim() : '';"
        "return shown(line?.querySelector('.name')) || shown(line?.querySelector('button'));",
        case_id,
    )
    return words


def first_case(browser: webdriver.Chrome) -> int:
    """The case on the first line, whose element is replaced when the rows are."""
    wait_for(browser, ".line")
    return int(browser.execute_script("return document.querySelector('.line').dataset.case"))


def becomes(browser: webdriver.Chrome, case_id: int, words: str) -> bool:
    return bool(WebDriverWait(browser, 30).until(lambda page: reader_of(page, case_id) == words))


def says(browser: webdriver.Chrome, words: str, where: str = ".live") -> bool:
    """Whether a part of the page comes to say so, however often the page is replaced meanwhile."""
    text = "return document.querySelector(arguments[0])?.textContent ?? ''"
    return bool(WebDriverWait(browser, 30).until(lambda page: words in page.execute_script(text, where)))


def mine(store: Store) -> tuple[int, ...]:
    only = CaseFilter(reading=ReadingState.MINE, reader="person:ada")
    return list_numbers(store, Selection(only=only), now=NOW, limit=9)


def test_a_case_is_claimed_and_put_back_by_keys_without_leaving_the_list(
    browser: webdriver.Chrome, desk: Desk, sqlite_store: Store
) -> None:
    enter(browser, desk)
    first = first_case(browser)
    press(browser, "j")
    press(browser, "c")
    assert becomes(browser, first, "You")
    assert mine(sqlite_store) == (first,)
    assert says(browser, f"Case {first} is yours until 12:15 UTC")
    press(browser, "r")
    assert becomes(browser, first, "Claim")
    assert mine(sqlite_store) == ()
    wait_for(browser, f'.line[data-case="{first}"] form.claim button').click()
    assert becomes(browser, first, "You")
    assert browser.current_url == f"{desk.url}/"
    press(browser, Keys.ENTER)
    WebDriverWait(browser, 20).until(lambda page: page.current_url.endswith(f"/cases/{first}"))
    assert says(browser, "You have this case", ".claim-bar")
    wait_for(browser, ".scripted")
    press(browser, "r")
    assert says(browser, "Nobody reads this case", ".claim-bar")
    assert browser.get_log("browser") == []


def test_who_comes_second_in_a_race_is_told_by_name(
    browser: webdriver.Chrome, desk: Desk, sqlite_store: Store
) -> None:
    enter(browser, desk)
    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/worklist/changes"]})  # it hears of nothing
    browser.refresh()
    wait_for(browser, ".scripted .line")
    first = first_case(browser)
    hold_case(sqlite_store, first, Hold(holder=BOB, at=NOW, seconds=900))
    assert reader_of(browser, first) == "Claim"
    press(browser, "j")
    press(browser, "c")
    assert says(browser, f"Dr Bob has case {first}, since 12:00 and until 12:15 UTC")
    assert becomes(browser, first, "Dr Bob")
    claim = find_claim(sqlite_store, first, now=NOW)
    assert claim is not None
    assert claim.holder == BOB


def test_the_list_is_filtered_by_the_keyboard_alone(browser: webdriver.Chrome, desk: Desk) -> None:
    enter(browser, desk)
    press(browser, "f")
    WebDriverWait(browser, 20).until(
        lambda page: page.switch_to.active_element.get_attribute("name") == "flag"
    )
    press(browser, "Cardiomegaly")
    press(browser, Keys.ENTER)
    WebDriverWait(browser, 20).until(lambda page: "flag=cardiomegaly" in page.current_url)
    assert [line.get_attribute("data-case") for line in browser.find_elements(By.CSS_SELECTOR, ".line")] == [
        "3"
    ]
    press(browser, "d")
    WebDriverWait(browser, 20).until(lambda page: page.current_url.endswith("flag=cardiomegaly&rows=compact"))
    press(browser, "/")
    assert browser.switch_to.active_element.get_attribute("id") == "wanted"
    press(browser, "A2")
    press(browser, Keys.ENTER)
    WebDriverWait(browser, 20).until(lambda page: page.current_url.endswith("/?cases=2&rows=compact"))
    assert wait_for(browser, ".line").get_attribute("data-case") == "2"


def test_rows_follow_what_others_do_and_keep_the_focus(
    browser: webdriver.Chrome, desk: Desk, sqlite_store: Store
) -> None:
    enter(browser, desk)
    press(browser, "j")
    press(browser, "j")
    at = browser.execute_script("return document.activeElement.closest('.line').dataset.case")
    hold_case(sqlite_store, 3, Hold(holder=BOB, at=NOW, seconds=900))
    assert becomes(browser, 3, "Dr Bob")
    release_claim(sqlite_store, 3, by=BOB, now=NOW)
    assert becomes(browser, 3, "Claim")
    press(browser, "x")
    seen_case(sqlite_store, 4, findings={"pneumothorax": 0.95})
    assert wait_for(browser, '.line[data-case="4"].new').is_displayed()
    assert browser.execute_script("return document.activeElement.closest('.line').dataset.case") == at
    chosen = browser.find_elements(By.CSS_SELECTOR, ".line input:checked")
    assert [box.get_attribute("value") for box in chosen] == [at]


def test_the_page_says_when_the_session_has_ended(
    browser: webdriver.Chrome, desk: Desk, sqlite_store: Store
) -> None:
    enter(browser, desk)
    ada = find_person(sqlite_store, "ada")
    assert ada is not None
    end_sessions_of(sqlite_store, ada.person_id, by=BY)
    assert says(browser, "Your session has ended")


@pytest.mark.parametrize("rows", ["", "?rows=compact"])
def test_twelve_cases_and_more_stand_on_a_screen_of_800_pixels(
    browser: webdriver.Chrome, desk: Desk, sqlite_store: Store, rows: str
) -> None:
    for number in range(4, 26):
        seen_case(sqlite_store, number, findings={"mass": 0.8, "cardiomegaly": 0.4})
    screen = {"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    enter(browser, desk, f"/{rows}{'&' if rows else '?'}share=100")
    whole = browser.execute_script(
        "return Array.from(document.querySelectorAll('.line'))"
        ".filter(line => line.getBoundingClientRect().bottom <= innerHeight).length"
    )
    assert whole >= (16 if rows else 12)
