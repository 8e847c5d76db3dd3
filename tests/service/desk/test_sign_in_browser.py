"""Signing in in a real browser: the page, the end of a session in the middle of work, signing out, delays."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.wait import WebDriverWait

from service.security.roles import Role
from service.store.database import Store
from service.store.quarantine import list_actions
from tests.service.desk.test_browser import browser, leads_to, pytestmark, wait_for
from tests.service.material import send_report
from tests.service.security.people import PASSWORD, Clock, Desk, add, desk_on

__all__ = ("browser", "pytestmark")


@pytest.fixture
def desk(sqlite_store: Store) -> Iterator[Desk]:
    """A desk with one coordinator, and one report in quarantine."""
    add(sqlite_store, "ada", Role.COORDINATOR, display_name="Ada Lovelace")
    with pytest.raises(Exception, match="report"):
        send_report(sqlite_store, "", accession="A1")
    with desk_on(sqlite_store, clock=Clock()) as running:
        yield running


def type_in(browser: webdriver.Chrome, password: str = PASSWORD) -> None:
    name = wait_for(browser, "#name")
    name.clear()
    name.send_keys("ada")
    browser.find_element(By.ID, "password").send_keys(password)
    browser.find_element(By.CSS_SELECTOR, ".sign-in button").click()
    WebDriverWait(browser, 20).until(staleness_of(name))


def test_a_reader_signs_in_is_led_where_the_link_led_and_signs_out(
    browser: webdriver.Chrome, desk: Desk
) -> None:
    browser.get(f"{desk.url}/quarantine/1")
    assert leads_to(browser, "/sign-in?next=/quarantine/1")
    type_in(browser, "wrong password")
    assert "wrong" in wait_for(browser, ".problem").text
    type_in(browser)
    assert leads_to(browser, "/quarantine/1")
    assert wait_for(browser, ".who a").text.endswith("Ada Lovelace (coordinator)")
    assert browser.execute_script("return document.cookie") == ""
    browser.find_element(By.CSS_SELECTOR, ".who button").click()
    assert leads_to(browser, "/sign-in")
    browser.get(f"{desk.url}/quarantine")
    assert leads_to(browser, "/sign-in?next=/quarantine")
    browser.back()
    assert "Entry 1" not in browser.title
    severe = [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]
    assert all("403" in line["message"] for line in severe), severe


def test_what_was_typed_survives_the_end_of_the_session(
    browser: webdriver.Chrome, desk: Desk, sqlite_store: Store
) -> None:
    browser.get(f"{desk.url}/quarantine/1")
    type_in(browser)
    assert leads_to(browser, "/quarantine/1")
    why = wait_for(browser, "input[name=because]")
    why.send_keys("a test of the vendor")
    form = browser.find_element(By.CSS_SELECTOR, "form[action$=discard]")
    desk.clock.now += timedelta(hours=2)
    form.find_element(By.TAG_NAME, "button").click()
    assert "session has ended" in wait_for(browser, ".session-ended").text
    assert why.get_attribute("value") == "a test of the vendor"
    assert list_actions(sqlite_store, 1) == ()
    here = browser.current_window_handle
    wait_for(browser, ".session-ended a").click()
    WebDriverWait(browser, 20).until(lambda driver: len(driver.window_handles) == 2)
    browser.switch_to.window(next(one for one in browser.window_handles if one != here))
    type_in(browser)
    assert leads_to(browser, "/")
    browser.switch_to.window(here)
    form.find_element(By.TAG_NAME, "button").click()
    WebDriverWait(browser, 20).until(lambda page: "Discarded" in page.page_source)
    (action,) = list_actions(sqlite_store, 1)
    assert (action.actor.identifier, action.detail) == ("person:ada", "a test of the vendor")


def test_a_session_that_was_ended_elsewhere_and_too_many_attempts_are_told(
    browser: webdriver.Chrome, desk: Desk
) -> None:
    browser.get(f"{desk.url}/sign-in")
    type_in(browser)
    assert leads_to(browser, "/")
    wait_for(browser, ".who a").click()
    assert leads_to(browser, "/account")
    wait_for(browser, "form[action$=everywhere] button").click()
    assert leads_to(browser, "/sign-in")
    for _ in range(7):
        type_in(browser, "wrong password")
        wait_for(browser, ".problem")
    WebDriverWait(browser, 20).until(lambda page: "Too many attempts" in page.page_source)
    desk.clock.now += timedelta(seconds=5)
    type_in(browser)
    assert leads_to(browser, "/")
