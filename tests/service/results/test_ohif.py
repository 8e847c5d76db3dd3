"""OHIF, where it was fetched, draws the boxes of our report, over our DICOMweb, where they belong."""

import pytest
from selenium import webdriver

from service.store.database import Store
from tests.service.desk.test_browser import CHROMEDRIVER, CHROMIUM, browser
from tests.service.dicomweb.test_ohif import FETCHED, dicomweb
from tests.service.results.ohif import (
    boxes_drawn,
    bright_box,
    marked_image,
    marked_slices,
    open_report,
    told_mark,
)

__all__ = ["browser"]  # the fixture
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and CHROMEDRIVER), reason="no browser (packages chromium, chromium-driver)"
    ),
    pytest.mark.skipif(not (FETCHED / "index.html").is_file(), reason="no OHIF: `make ohif` fetches it"),
]
PIXELS = 2.0  # of the screen; one of the image is nearly two of them


@pytest.mark.parametrize(
    ("images", "image"),
    [([marked_image()], "2.25.1.1.1"), (marked_slices(2), "2.25.1.1.2")],
    ids=["radiograph", "slice of a CT"],
)
def test_the_box_of_a_report_is_drawn_where_the_finding_is(
    images: list[bytes], image: str, browser: webdriver.Chrome, sqlite_store: Store
) -> None:
    told_mark(sqlite_store, images, image)

    with dicomweb(sqlite_store, FETCHED) as url:
        open_report(browser, url)
        (drawn,) = boxes_drawn(browser)
        page = browser.page_source

        assert drawn == pytest.approx(bright_box(browser), abs=PIXELS)
    assert "Certainty of Finding: 87.50 %" in page
