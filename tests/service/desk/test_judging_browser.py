"""The second read in a real browser, by keys alone."""

import os
from pathlib import Path

import httpx
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from selenium.webdriver.support.wait import WebDriverWait

from overread.case import CaseState
from overread.second_read import Radpeer, RejectionCause, Verdict
from service.adjudication.known_reads import known_reads
from service.store.database import Store
from service.store.worklist import load_case
from tests.service.adjudication.test_reads import person, rules
from tests.service.desk.test_browser import browser as browser  # noqa: PLC0414  # a fixture
from tests.service.desk.test_browser import leads_to, press, pytestmark, wait_for
from tests.service.web.seeing import seen_case

__all__ = ["browser", "pytestmark"]
PICTURES = os.environ.get("OVERREAD_TEST_PICTURES")  # a folder; screenshots are kept there
ARBITER = person("carl")


def picture(browser: webdriver.Chrome, name: str) -> None:
    """Keep a screenshot at two widths, where somebody wants to look at it."""
    if PICTURES is None:
        return
    for width, height in ((1280, 900), (3840, 2100)):
        browser.set_window_size(width, height)
        browser.save_screenshot(str(Path(PICTURES) / f"{name}-{width}.png"))
    browser.set_window_size(1440, 900)


def test_three_keys_and_a_case_is_done_and_the_next_one_opens(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    first = seen_case(sqlite_store, 1)
    second = seen_case(sqlite_store, 2, findings=("cardiomegaly",))
    browser.get(f"{api.base_url}".rstrip("/") + f"/cases/{first}")
    wait_for(browser, ".scripted")
    picture(browser, "judge")
    for key in ("y", "2", Keys.ENTER):
        press(browser, key)
    assert leads_to(browser, f"/cases/{second}")
    (given,) = [item.judgement for item in known_reads(sqlite_store, first, ARBITER).reads if item.judgement]
    assert given.verdicts[0].verdict is Verdict.CONFIRMED
    assert given.radpeer is Radpeer.UNDERSTANDABLE_INSIGNIFICANT
    press(browser, "n")
    browser.execute_script(
        "document.querySelector('.viewer').dispatchEvent(new CustomEvent('viewer:box', {bubbles: true,"
        " detail: {sopInstanceUid: '2.25.2.1.1', frame: 0, columnMin: 1, rowMin: 2.5, columnMax: 4,"
        " rowMax: 6}}))"
    )
    assert wait_for(browser, "[name=box-of-1]").get_attribute("value") == "1 2.5 4 6"
    assert wait_for(browser, "[name=image-of-1]").get_attribute("value") == "2.25.2.1.1 0"
    picture(browser, "causes")
    press(browser, "3")
    press(browser, Keys.ENTER)
    assert leads_to(browser, "/")
    assert wait_for(browser, ".empty").is_displayed()
    (given,) = [item.judgement for item in known_reads(sqlite_store, second, ARBITER).reads if item.judgement]
    assert given.verdicts[0].cause is RejectionCause.KNOWN_OR_CHRONIC
    assert browser.get_log("browser") == []


def test_a_reader_commits_is_shown_the_result_judges_and_takes_it_back(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    rules(sqlite_store, "[second_read]\nown_read_share = 1")
    case_id = seen_case(sqlite_store, findings={"mass": 0.9, "cardiomegaly": 0.5})
    browser.get(str(api.base_url))
    wait_for(browser, ".scripted")
    assert "mass" not in wait_for(browser, ".rows").text.lower()
    picture(browser, "hidden-list")
    press(browser, "j")
    press(browser, Keys.ENTER)
    assert leads_to(browser, f"/cases/{case_id}")
    assert browser.find_elements(By.CSS_SELECTOR, ".finding, img.layer, .report, .events li") == []
    press(browser, "s")
    Select(browser.switch_to.active_element).select_by_value("nodule")
    picture(browser, "own-read")
    browser.find_element(By.CSS_SELECTOR, "form.judge button").click()
    assert wait_for(browser, ".report").text.startswith("No mass")
    assert "Committed before the reveal: Lung nodule" in wait_for(browser, ".judging").text
    picture(browser, "revealed")
    for key in ("y", "q", "1", Keys.ENTER):
        press(browser, key)
    assert leads_to(browser, "/")
    assert load_case(sqlite_store, case_id).summary.state is CaseState.JUDGED
    browser.get(f"{api.base_url}".rstrip("/") + f"/cases/{case_id}")
    assert "Lung mass: confirmed; Cardiomegaly: unsure; RADPEER 1" in wait_for(browser, ".said").text
    wait_for(browser, ".scripted")
    press(browser, "Z")
    WebDriverWait(browser, 20).until(lambda page: page.find_elements(By.CSS_SELECTOR, "form.judge"))
    assert load_case(sqlite_store, case_id).summary.state is CaseState.LISTED
