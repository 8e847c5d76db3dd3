"""OHIF, where it was fetched, draws our boxes and segments, over our DICOMweb, where they belong."""

import pytest
from selenium import webdriver

from service.store.database import Store
from tests.service.desk.test_browser import CHROMEDRIVER, CHROMIUM, browser
from tests.service.dicomweb.test_ohif import FETCHED, dicomweb
from tests.service.results.material import seen
from tests.service.results.ohif import (
    Box,
    boxes_drawn,
    bright_box,
    marked_image,
    marked_slices,
    on_screen,
    open_report,
    open_segmentation,
    segment_drawn,
    told_mark,
    told_places,
)
from tests.service.results.real_images import ct_series, real, uids_of

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


@pytest.mark.parametrize(
    ("images", "number", "box", "side"),
    [
        pytest.param(ct_series(), 3, (4, 6, 9, 11), 16, id="one of five slices"),
        pytest.param(real("MR2_J2KI.dcm"), 0, (300, 330, 620, 800), 1024, id="JPEG 2000 of an MR"),
    ],
)
def test_a_segment_is_drawn_where_the_finding_is_on_real_slices(
    images: list[bytes], number: int, box: Box, side: int, browser: webdriver.Chrome, sqlite_store: Store
) -> None:
    told_places(sqlite_store, images, seen("nodule", box, image=uids_of(images)[number]))

    with dicomweb(sqlite_store, FETCHED) as url:
        open_segmentation(browser, url)

        wanted = on_screen(browser, box, rows=side, columns=side)
        assert segment_drawn(browser) == pytest.approx(wanted, abs=PIXELS)
