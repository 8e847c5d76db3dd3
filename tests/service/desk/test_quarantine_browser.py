"""The quarantine in a real browser, by the keyboard alone."""

import httpx
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from service.store.database import Store
from tests.service.desk.test_browser import browser, leads_to, press, pytestmark, wait_for
from tests.service.desk.test_quarantine import refuse_image, refuse_reports

__all__ = ["browser", "pytestmark"]


def fill(page: webdriver.Chrome, selector: str, text: str) -> None:
    field = page.find_element(By.CSS_SELECTOR, selector)
    page.execute_script("arguments[0].focus()", field)  # as the tab key does, whatever stands before it
    press(page, text)


def test_a_person_finds_corrects_and_follows_a_report_by_keys_alone(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    refuse_reports(sqlite_store)
    refuse_image(sqlite_store)
    browser.get(f"{api.base_url}".rstrip("/") + "/quarantine")
    wait_for(browser, ".scripted")
    press(browser, "j")
    press(browser, "j")
    press(browser, Keys.ENTER)
    assert leads_to(browser, "/quarantine/1")
    fill(browser, "[name=accession_number]", "A1")
    fill(browser, "form[action$=correct] [name=name]", "j Roe")  # a letter that is a key elsewhere
    press(browser, Keys.ENTER)
    link = wait_for(browser, ".resolved a")
    assert "by j Roe" in wait_for(browser, ".events").text
    browser.execute_script("arguments[0].focus()", link)
    press(browser, Keys.ENTER)
    assert leads_to(browser, "/cases/1")
    browser.back()
    wait_for(browser, ".resolved a")
    press(browser, "u")
    assert leads_to(browser, "/quarantine?state=resolved")
    assert browser.get_log("browser") == []


def test_a_narrow_window_needs_no_sideways_scrolling(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    refuse_reports(sqlite_store)
    browser.set_window_size(640, 900)
    for path in ("/quarantine", "/quarantine/1?reveal=yes"):
        browser.get(f"{api.base_url}".rstrip("/") + path)
        wait_for(browser, ".scripted")
        width = "return document.documentElement.scrollWidth <= window.innerWidth"
        assert browser.execute_script(width), path
