"""The pages in a real browser: what the keys do, and that nothing is blocked or broken."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from overread.report import load_reader
from service.store.database import Store
from tests.service.desk.test_pages import CONTRADICTING, known_case
from tests.service.web.seeing import seen_case

CHROMIUM, CHROMEDRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and CHROMEDRIVER), reason="no browser (Debian packages chromium and chromium-driver)"
    ),
]
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1440,900",
)


@contextmanager
def chrome(folder: Path) -> Iterator[webdriver.Chrome]:
    """A browser without a window, whose profile lies in a folder."""
    options = Options()
    options.binary_location = CHROMIUM or ""
    for switch in (*SWITCHES, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options=options, service=Service(CHROMEDRIVER)) as driver:
        yield driver


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    with chrome(tmp_path) as driver:
        yield driver


def press(browser: webdriver.Chrome, keys: str) -> None:
    webdriver.ActionChains(browser).send_keys(keys).perform()  # wherever the focus is, as a keyboard does


def wait_for(browser: webdriver.Chrome, selector: str) -> WebElement:
    found: WebElement = WebDriverWait(browser, 20).until(
        lambda page: page.find_element(By.CSS_SELECTOR, selector)
    )
    return found


def leads_to(browser: webdriver.Chrome, end: str) -> bool:
    WebDriverWait(browser, 20).until(lambda page: page.current_url.endswith(end))
    wait_for(browser, ".scripted")
    return True


def test_a_reader_walks_the_list_and_the_case_by_keys_alone(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    first = seen_case(sqlite_store, 1, findings={"mass": 0.9, "cardiomegaly": 0.5})
    second = seen_case(sqlite_store, 2, findings=("cardiomegaly",))
    browser.get(str(api.base_url))
    wait_for(browser, ".scripted")
    press(browser, "j")
    press(browser, "j")
    press(browser, "k")
    press(browser, Keys.ENTER)
    assert leads_to(browser, f"/cases/{first}")
    assert "finding=mass" in wait_for(browser, ".mark image").get_attribute("href")
    press(browser, "2")
    assert leads_to(browser, f"/cases/{first}?finding=2")
    assert "finding=cardiomegaly" in wait_for(browser, ".mark image").get_attribute("href")
    press(browser, "?")
    assert wait_for(browser, "dialog[open]").is_displayed()
    press(browser, Keys.ESCAPE)
    WebDriverWait(browser, 20).until(lambda page: not page.find_elements(By.CSS_SELECTOR, "dialog[open]"))
    press(browser, "j")
    assert leads_to(browser, f"/cases/{second}")
    press(browser, "u")
    assert leads_to(browser, "/")


def test_a_reader_sees_what_the_report_gets_wrong_and_brings_back_what_was_known(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    known = known_case(sqlite_store)
    alone = seen_case(sqlite_store, 3, report=CONTRADICTING, findings=("cardiomegaly",), reader=load_reader())
    browser.get(f"{api.base_url}".rstrip("/") + f"/cases/{alone}")
    wait_for(browser, ".scripted")
    kinds = [tag.text for tag in browser.find_elements(By.CSS_SELECTOR, ".finding h3 .tag")]
    assert {"Findings against impression", "No follow-up", "No communication", "Possible miss"} <= set(kinds)
    number = 1 + [kind for kind in kinds if not kind.startswith("Within")].index("No follow-up")
    press(browser, str(number))
    assert leads_to(browser, f"?finding={number}")
    assert "nodule" in wait_for(browser, "mark.current b").text
    assert browser.find_elements(By.CSS_SELECTOR, "[data-mark]") == []
    browser.get(f"{api.base_url}".rstrip("/") + f"/cases/{known}")
    wait_for(browser, ".known button").click()
    WebDriverWait(browser, 20).until(lambda page: not page.find_elements(By.CSS_SELECTOR, ".known"))
    assert wait_for(browser, ".finding h3 a").text == "Lung mass"
    wait_for(browser, "a[data-key=u]").click()
    assert leads_to(browser, "/")
    wait_for(browser, ".subspecialties a[href='/?for=cardiac']").click()
    assert leads_to(browser, "/?for=cardiac")
    assert browser.get_log("browser") == []


def test_every_picture_loads_and_the_console_stays_empty(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    case_id = seen_case(sqlite_store)
    for path in ("", f"/cases/{case_id}", "/quarantine", "/?show=all", "/sign-in"):
        browser.get(f"{api.base_url}".rstrip("/") + path)
        wait_for(browser, ".scripted")
        widths = browser.execute_script(
            "return Array.from(document.images, i => i.complete && i.naturalWidth)"
        )
        assert all(widths), (path, widths)
    assert [line for line in browser.get_log("browser") if line["level"] in {"WARNING", "SEVERE"}] == []


def test_a_narrow_window_needs_no_sideways_scrolling(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    case_id = seen_case(sqlite_store)
    browser.set_window_size(640, 900)
    for path in ("", f"/cases/{case_id}"):
        browser.get(f"{api.base_url}".rstrip("/") + path)
        wait_for(browser, ".scripted")
        assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth"), (
            path
        )
