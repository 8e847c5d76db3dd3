"""A result in the OHIF viewer, over our own DICOMweb: where its places are drawn, and a picture of it.

`python -m tests.service.results.ohif PICTURE.png` makes a radiograph with a bright rectangle and a report
that boxes it, opens both in OHIF, and keeps what the screen shows; with `--segmentation` a slice of a CT with
two segments.
"""

import argparse
import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from overread.observation import DetectorObservation
from service.results.settings import Rule
from service.settings import load_settings
from service.store.database import Store, open_store
from service.store.result_occasions import Moment
from service.store.results import Form
from tests.service.desk.test_browser import chrome
from tests.service.dicomweb.test_ohif import FETCHED, dicomweb
from tests.service.results.material import (
    COLUMNS,
    CT,
    ROWS,
    TO_PACS,
    image_bytes,
    make_due,
    seen,
    told_case,
)
from tests.service.results.real_images import real

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""

MARK = (300, 120, 400, 200)  # of the bright rectangle, in pixels of the image
_DARK, _BRIGHT = 60, 220
_SIDE_MIN = 40  # pixels of the screen in a row that are the rectangle, and no letter
_IMAGE_PIXELS_MIN = 200_000  # of the screen, of 1440 by 757
_ANY_IMAGE_PIXELS_MIN = 50_000  # much of an image may be black
_LEAST_GREY = 20
_RED = 30  # how much more red than green and blue what lies under a segment is
_CANVAS = "canvas.cornerstone-canvas"
_SECONDS = 120.0  # until the viewer has loaded, on cores that are short

_BOXES = """
return [...document.querySelectorAll('svg.svg-layer')].flatMap(layer => {
  const at = layer.getBoundingClientRect();
  return [...layer.querySelectorAll('polyline')].map(line => {
    const points = line.getAttribute('points').trim().split(/[ ,]+/).map(Number);
    const across = points.filter((_, place) => place % 2 === 0);
    const down = points.filter((_, place) => place % 2);
    return [at.left + Math.min(...across), at.top + Math.min(...down),
            at.left + Math.max(...across), at.top + Math.max(...down)];
  });
});
"""


def marked_image(number: int = 1, *, is_marked: bool = True, **elements: object) -> bytes:
    """A radiograph, dark but for the rectangle."""
    pixels = np.full((ROWS, COLUMNS), _DARK, np.uint8)
    if is_marked:
        left, top, right, bottom = MARK
        pixels[top:bottom, left:right] = _BRIGHT
    window = {"WindowCenter": 128, "WindowWidth": 256, "PixelData": pixels.tobytes()}
    return image_bytes(number=number, **(window | elements))


def marked_slices(marked: int, count: int = 3) -> list[bytes]:
    """Slices of a CT, of which one has the rectangle."""
    return [
        marked_image(
            number,
            is_marked=number == marked,
            SOPClassUID=CT,
            Modality="CT",
            RescaleIntercept=0,
            RescaleSlope=1,
            PixelSpacing=[0.5, 0.5],
            SliceThickness=2,
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            ImagePositionPatient=[0, 0, 2 * number],
            FrameOfReferenceUID="2.25.77",
        )
        for number in range(1, count + 1)
    ]


def told_mark(store: Store, images: list[bytes], image: str = "2.25.1.1.1") -> int:
    """A case whose result boxes the rectangle, made and kept beside its images."""
    case_id = told_case(store, seen("nodule", MARK, image=image), images=images)
    make_due(store, TO_PACS)
    return case_id


def told_places(store: Store, images: list[bytes], *observations: DetectorObservation) -> int:
    """A case whose segmentation shows what was seen, made and kept beside its images."""
    case_id = told_case(store, *observations, images=images)
    make_due(store, [Rule(moment=Moment.TRIAGE, form=Form.SEG, destination="pacs")])
    return case_id


def open_report(browser: webdriver.Chrome, url: str) -> None:
    """Open the study in OHIF, and its structured report once its image is there, until the box is drawn."""
    wait = _open_study(browser, url)
    wait.until(_shows_image)
    webdriver.ActionChains(browser).double_click(wait.until(_item_of("SR"))).perform()
    wait.until(lambda page: (boxes_drawn(page) or _draw_again(page)) and bright_box(page))


def open_segmentation(browser: webdriver.Chrome, url: str) -> None:
    """Open the study in OHIF, and its segmentation once its image is there, until the segments are drawn."""
    wait = _open_study(browser, url)
    wait.until(_shows_any_image)
    webdriver.ActionChains(browser).double_click(wait.until(_item_of("SEG"))).perform()
    wait.until(_segment_box)
    wait.until(lambda page: page.find_element(By.XPATH, "//*[normalize-space(text())='Yes']")).click()
    wait.until(lambda page: "Do you want to open" not in page.page_source and _segment_box(page))


def _draw_again(browser: webdriver.Chrome) -> bool:
    """Let the viewer draw again, since a box that came before its image is first seen then; return False."""
    size = browser.get_window_size()
    browser.set_window_size(size["width"], size["height"] ^ 1)
    return False


def segment_drawn(browser: webdriver.Chrome) -> Box:
    """Where the viewer draws the first segment, which is red, in pixels of the screen."""
    found = _segment_box(browser)
    assert found is not None
    return found


def on_screen(browser: webdriver.Chrome, box: Box, *, rows: int, columns: int) -> Box:
    """Where pixels of an image are on the screen, which shows it whole in the middle of the viewport."""
    at = browser.find_element(By.CSS_SELECTOR, _CANVAS).rect
    scale = min(at["width"] / columns, at["height"] / rows)
    left = at["x"] + (at["width"] - columns * scale) / 2
    top = at["y"] + (at["height"] - rows * scale) / 2
    return left + box[0] * scale, top + box[1] * scale, left + box[2] * scale, top + box[3] * scale


def boxes_drawn(browser: webdriver.Chrome) -> list[Box]:
    """Where the viewer draws boxes, in pixels of the screen."""
    return [(left, top, right, bottom) for left, top, right, bottom in browser.execute_script(_BOXES)]


def bright_box(browser: webdriver.Chrome) -> Box | None:
    """Where the rectangle of the image is, in pixels of the screen; None while it is not shown."""
    bright = _pixels_of(browser, _BRIGHT)
    rows = np.flatnonzero(bright.sum(axis=1) >= _SIDE_MIN)
    columns = np.flatnonzero(bright.sum(axis=0) >= _SIDE_MIN)
    if not rows.size or not columns.size:
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _pixels_of(browser: webdriver.Chrome, grey: int) -> NDArray[np.bool_]:
    """Which pixels of the screen are of a grey."""
    screen = _screen_of(browser)
    return (np.ptp(screen, axis=2) < 4) & (np.abs(screen.mean(axis=2) - grey) < 8)


def _screen_of(browser: webdriver.Chrome) -> NDArray[np.int_]:
    """What the screen shows: rows, columns and red, green, blue."""
    return np.asarray(Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")).astype(int)


def _segment_box(browser: webdriver.Chrome) -> Box | None:
    """Where the viewer draws in red; None while it does not."""
    red, green, blue = np.moveaxis(_screen_of(browser), 2, 0)
    is_red = (red - green >= _RED) & (red - blue >= _RED)
    rows = np.flatnonzero(is_red.sum(axis=1) >= _SIDE_MIN)
    columns = np.flatnonzero(is_red.sum(axis=0) >= _SIDE_MIN)
    if not rows.size or not columns.size:
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _open_study(browser: webdriver.Chrome, url: str) -> WebDriverWait[webdriver.Chrome]:
    browser.set_window_size(1440, 900)
    browser.get(f"{url}/ohif/viewer?StudyInstanceUIDs=2.25.1")
    return WebDriverWait(browser, _SECONDS, poll_frequency=2, ignored_exceptions=[WebDriverException])


def _shows_image(browser: webdriver.Chrome) -> bool:
    """Whether the image is drawn; what the viewer shows new users is put out of the way."""
    return _put_away(browser) and bool(_pixels_of(browser, _DARK).sum() >= _IMAGE_PIXELS_MIN)


def _shows_any_image(browser: webdriver.Chrome) -> bool:
    """Whether an image is drawn, whatever its greys; the page itself is of blues and black."""
    screen = _screen_of(browser)
    is_grey = (np.ptp(screen, axis=2) < 4) & (screen.mean(axis=2) >= _LEAST_GREY)
    return _put_away(browser) and bool(is_grey.sum() >= _ANY_IMAGE_PIXELS_MIN)


def _put_away(browser: webdriver.Chrome) -> bool:
    """Put what the viewer shows new users out of the way."""
    for words in ("Skip all", "Confirm and hide"):
        for button in browser.find_elements(By.XPATH, f"//*[normalize-space(text())='{words}']"):
            button.click()
    return True


def _item_of(modality: str) -> Callable[[webdriver.Chrome], WebElement | None]:
    """Return what finds a series of a modality in the list of series; None while it is not there."""

    def item(browser: webdriver.Chrome) -> WebElement | None:
        items = browser.find_elements(By.CSS_SELECTOR, '[data-cy^="study-browser-thumbnail"]')
        return next((item for item in items if item.text.startswith(modality)), None)

    return item


@contextmanager
def _store_in(folder: Path) -> Iterator[Store]:
    store = open_store(load_settings({}, data_folder=folder / "data"))
    try:
        yield store
    finally:
        store.close()


def main() -> None:
    """Keep a picture of a result in OHIF."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path, help="PNG file to be written")
    parser.add_argument("--segmentation", action="store_true", help="of segments on a CT, not of a report")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, _store_in(Path(name)) as store:
        if arguments.segmentation:
            told_places(
                store,
                real("CT_small.dcm"),
                seen("pneumothorax", (4, 4, 30, 30), probability=0.95),
                seen("mass", (47, 41, 75, 63)),
            )
        else:
            told_mark(store, [marked_image()])
        with dicomweb(store, FETCHED) as url, chrome(Path(name)) as browser:
            (open_segmentation if arguments.segmentation else open_report)(browser, url)
            browser.save_screenshot(str(arguments.picture))


if __name__ == "__main__":
    main()
