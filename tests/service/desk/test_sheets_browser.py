"""A report that is one endless word, in a real browser: the page comes up, and its parts can be turned."""

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from overread.report import load_reader
from service.store.database import Store
from tests.service.desk.test_browser import browser, leads_to, pytestmark, wait_for
from tests.service.web.seeing import seen_case

__all__ = ["browser", "pytestmark"]
ENDLESS = {"a letter": "a" * 900_000, "marks above a letter": "a" + "\N{COMBINING ACUTE ACCENT}" * 450_000}
GIVE_UP_SECONDS = 90  # the marks alone kept a browser busy for more than two minutes


@pytest.mark.parametrize("width", [1280, 3840])
@pytest.mark.parametrize("word", ENDLESS.values(), ids=ENDLESS)
def test_an_endless_word_keeps_no_browser_busy(
    browser: webdriver.Chrome,
    api: httpx.Client,
    sqlite_store: Store,
    word: str,
    width: int,
) -> None:
    report = f"FINDINGS: There is no mass. {word}"
    case_id = seen_case(sqlite_store, report=report, findings=("mass",), reader=load_reader())
    browser.set_window_size(width, 1200)
    browser.set_page_load_timeout(GIVE_UP_SECONDS)
    browser.get(f"{api.base_url}".rstrip("/") + f"/cases/{case_id}")
    wait_for(browser, ".scripted")

    assert wait_for(browser, "mark.current b").text == "mass"
    assert browser.find_element(By.CSS_SELECTOR, ".sheets").text.startswith("Part 1 of ")
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    browser.find_element(By.LINK_TEXT, "Next part").send_keys(Keys.ENTER)
    assert leads_to(browser, "sheet=2#report")
    browser.find_element(By.LINK_TEXT, "Part before").send_keys(Keys.ENTER)
    assert leads_to(browser, "sheet=1#report")
