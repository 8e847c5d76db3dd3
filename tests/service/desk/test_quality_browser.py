"""The page of second reads and that of a meeting in Chromium: readable at any width, without a script."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from benchmarks.day import fill
from benchmarks.demo_desk import look_through
from benchmarks.quality import judge_everything
from service.peer_learning.counts import Count
from service.peer_learning.meeting import MeetingCase
from service.peer_learning.page import page_of
from service.security.roles import Role
from service.store.database import Store
from tests.service.desk.test_axe_browser import faults, sign_in
from tests.service.desk.test_browser import browser, pytestmark
from tests.service.security.people import Desk, add, desk_on

__all__ = ("browser", "pytestmark")

PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


@pytest.fixture
def desk(sqlite_store: Store) -> Iterator[Desk]:
    """A desk with so many judgements that nothing is left out."""
    chance = random.Random(2)
    fill(sqlite_store, 1500, chance)
    judge_everything(sqlite_store, chance, drawn=0.3)
    add(sqlite_store, "quinn", Role.QUALITY)
    with desk_on(sqlite_store) as running:
        yield running


def test_rates_and_charts_are_accessible_at_either_width(browser: webdriver.Chrome, desk: Desk) -> None:
    sign_in(browser, desk, "quinn")
    for times in (1, 3):
        look_through(browser, times=times)
        browser.get(f"{desk.url}/second-reads")
        plots = browser.find_elements(By.CSS_SELECTOR, ".plot svg[role=img]")
        assert len(plots) == 4
        assert faults(browser) == []
        width, window = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert width <= window
        for plot in plots:  # no word runs out of its plot
            left, right = browser.execute_script(
                "const box = arguments[0].getBoundingClientRect();"
                "const words = [...arguments[0].querySelectorAll('text')];"
                "const all = words.map((one) => one.getBoundingClientRect());"
                "return [Math.min(...all.map((one) => one.left)) - box.left,"
                " box.right - Math.max(...all.map((one) => one.right))]",
                plot,
            )
            assert left >= 0
            assert right >= 0


def test_the_page_is_whole_without_its_script(desk: Desk) -> None:
    with desk.signed_in("quinn") as client:
        page = client.get("/second-reads").text
    assert page.count("<svg") == 4
    assert "Horvitz-Thompson" in page
    for name in ("finding", "kind", "site", "month", "archive", "unknown", "beyond-chance"):
        assert f'id="{name}"' in page or f'id="by-{name}"' in page
    assert page.count("<script") == 1  # of the keys, as on every page


def test_a_meeting_is_accessible_and_asks_for_nothing(browser: webdriver.Chrome, tmp_path: Path) -> None:
    case = MeetingCase(
        name="C1",
        study="DX CHEST",
        findings="Possible miss: Lung mass",
        learning_point="Look behind the heart.",
        comment="Seen on the lateral view.",
        report="No mass.",
        images=2,
        is_untold=True,
        pictures=(("As it is", PIXEL),),
    )
    counts = (Count(what="cases judged (submissions)", number=4), Count(what="of these", number=1, of=4))
    path = tmp_path / "meeting.html"
    path.write_text(page_of("March", [case], counts, version="1"), encoding="utf-8")
    browser.get(path.as_uri())
    assert browser.find_element(By.TAG_NAME, "img").get_property("naturalWidth") == 1
    assert browser.execute_script("return performance.getEntriesByType('resource').length") <= 1  # the data
    marked = browser.find_element(By.CSS_SELECTOR, ".untold")
    assert marked.value_of_css_property("border-left-width") == "4px"  # the style is let in
