"""The viewer in a real browser: what is on the screen, what keys and mouse do, what the page is told."""

import base64
import io
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from models.pixels import render_for_display
from service.intake.closing import close_study
from service.store.audit_entries import AuditAction
from service.store.database import Store
from service.store.worklist import find_case
from tests.service.desk.test_browser import CHROMEDRIVER, CHROMIUM, browser, press
from tests.service.desk.viewer_images import grey_image, ramp, send_ct, written
from tests.service.material import NOW, dicom_bytes, send_image
from tests.service.waiting import eventually
from tests.service.web.seeing import seen_case
from tests.service.web.test_audit import entries

__all__ = ["browser"]  # the fixture
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and CHROMEDRIVER), reason="no browser (Debian packages chromium and chromium-driver)"
    ),
]
STUDY = "2.25.1"
INSTANCE = f"{STUDY}.1.1"
FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"
_SHOWN = "return document.querySelectorAll('.pane')[arguments[0]].dataset.shown ?? ''"
_CANVAS = "return document.querySelectorAll('.pane canvas')[0].toDataURL('image/png')"
_PANE = "const pane = window.viewer.panes[0]; return "


def until(page: webdriver.Chrome, holds: Callable[[], object]) -> None:
    WebDriverWait(page, 20).until(lambda _: holds())


def shown(page: webdriver.Chrome, end: str = "pixels", pane: int = 0) -> None:
    """Waits until a frame is on the screen, and nothing is to be drawn."""
    until(page, lambda: end in page.execute_script(_SHOWN, pane))
    until(page, lambda: not page.execute_script(_PANE + "pane.isAsked"))


def told(page: webdriver.Chrome, expression: str) -> object:
    return page.execute_script(_PANE + expression)


def drawn(page: webdriver.Chrome) -> NDArray[np.uint8]:
    until(page, lambda: not told(page, "pane.isAsked"))
    picture = base64.b64decode(page.execute_script(_CANVAS).split(",", 1)[1])
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def open_study(page: webdriver.Chrome, api: httpx.Client, store: Store, study: str = STUDY) -> int:
    close_study(store, study, now=NOW)
    case_id = find_case(store, study)
    page.get(f"{api.base_url}".rstrip("/") + f"/cases/{case_id}")
    return case_id


def open_image(page: webdriver.Chrome, api: httpx.Client, store: Store, dataset: Dataset) -> None:
    send_image(store, written(dataset))
    open_study(page, api, store)
    shown(page)


def at_one_to_one(page: webdriver.Chrome, rows: int, columns: int) -> NDArray[np.uint8]:
    """The image as it is on the screen, pixel for pixel."""
    press(page, "z")
    until(page, lambda: told(page, "pane.view.zoom === 1 && !pane.isAsked"))
    left, top = told(page, "[Math.round(pane.view.matrix.e), Math.round(pane.view.matrix.f)]")  # type: ignore[misc]
    return drawn(page)[top : top + rows, left : left + columns]


def here(dataset: Dataset) -> Dataset:
    """The image in the study of these tests."""
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, f"{STUDY}.1"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = INSTANCE
    dataset.AccessionNumber, dataset.PatientID = "A1", "P1"
    return dataset


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "MR_small_RLE.dcm",
        "MR_small_bigendian.dcm",
        "JPEGLSNearLossless_16.dcm",
        "image_dfl.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "examples_palette.dcm",
    ],
)
def test_every_pixel_of_a_real_file_is_on_the_screen_as_the_picture_has_it(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store, tmp_path: Path, name: str
) -> None:
    open_image(browser, api, sqlite_store, here(dcmread(FOLDER / name)))
    expected = render_for_display(FOLDER / name)
    rows, columns = expected.shape[:2]

    found = at_one_to_one(browser, rows, columns)

    height, width = (min(a, b) for a, b in zip(found.shape[:2], (rows, columns), strict=True))
    expected = expected if expected.ndim == 3 else np.stack([expected] * 3, axis=-1)
    assert height >= 40
    error = np.abs(found.astype(int) - expected[:height, :width])
    assert error.max() <= 1  # rounding of 32-bit floats
    assert browser.get_log("browser") == []


def test_monochrome1_is_light_where_values_are_low_and_i_inverts_it(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    image = grey_image(ramp(), PhotometricInterpretation="MONOCHROME1", WindowCenter=2048, WindowWidth=4096)
    open_image(browser, api, sqlite_store, image)

    first = at_one_to_one(browser, 64, 96)[..., 0].astype(int)
    press(browser, "i")
    second = drawn(browser)
    inverted = at_one_to_one(browser, 64, 96)[..., 0].astype(int)

    assert np.abs(first - (255 - np.rint(ramp() / 4095 * 255))).max() <= 1
    assert np.abs(first + inverted - 255).max() == 0
    assert second.shape[2] == 3


def test_a_window_of_16_bits_is_moved_without_asking_for_pixels_again(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    values = (np.arange(64 * 64, dtype=np.uint32) * 16).astype(np.uint16).reshape(64, 64)
    open_image(browser, api, sqlite_store, grey_image(values, WindowCenter=32768, WindowWidth=65536))
    asked = browser.execute_script("return performance.getEntriesByType('resource').length")

    browser.execute_script(
        "const pane = window.viewer.panes[0]; pane.chosen = {black: 1000, white: 1255, table: false};"
        "pane.redraw(true)"
    )
    found = at_one_to_one(browser, 64, 64)[..., 0].astype(int)

    assert np.abs(found - np.rint(np.clip((values.astype(int) - 1000) / 255, 0, 1) * 255)).max() <= 1
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == asked


def test_keys_and_drags_change_the_window_and_the_line_says_so(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    open_image(browser, api, sqlite_store, grey_image(ramp(), WindowCenter=2048, WindowWidth=4096))
    place = browser.find_element(By.CSS_SELECTOR, "span.place")
    until(browser, lambda: "C 2048 W 4096" in place.text)

    press(browser, ".")
    until(browser, lambda: "C 1843 W 4096" in place.text)  # brighter by a twentieth of the width
    press(browser, "<")
    until(browser, lambda: "W 3687" in place.text)
    press(browser, "w")
    until(browser, lambda: "C 2048 W 2049" in place.text)  # high contrast: half the image's own
    press(browser, "W")
    until(browser, lambda: "C 2048 W 4096" in place.text)
    pane = browser.find_element(By.CSS_SELECTOR, ".pane")
    ActionChains(browser).drag_and_drop_by_offset(pane, 100, 0).perform()
    until(browser, lambda: "C 2048 W 5120" in place.text)


def test_a_ct_has_its_windows(browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store) -> None:
    send_ct(sqlite_store, STUDY, 1)
    open_study(browser, api, sqlite_store)
    shown(browser)
    place = browser.find_element(By.CSS_SELECTOR, "span.place")
    until(browser, lambda: "C 40 W 400" in place.text)

    found = []
    for _ in range(3):
        before = place.text
        press(browser, "w")
        until(browser, lambda before=before: place.text != before or "C 40 W 400" in place.text)
        found.append(told(browser, "pane.presets[pane.presetAt].name"))

    assert found == ["Soft tissue", "Lung", "Bone"]
    assert "C 500 W 2000" in place.text


def test_a_stack_is_leafed_through_by_keys_and_wheel_from_the_head_down(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    send_ct(sqlite_store, STUDY, 12)
    open_study(browser, api, sqlite_store)
    shown(browser, f"{STUDY}.3.12/")
    place = browser.find_element(By.CSS_SELECTOR, "span.place")
    assert "1 / 12" in place.text

    press(browser, Keys.ARROW_DOWN)
    shown(browser, f"{STUDY}.3.11/")
    press(browser, Keys.PAGE_DOWN)
    shown(browser, f"{STUDY}.3.1/")
    press(browser, Keys.HOME)
    shown(browser, f"{STUDY}.3.12/")
    press(browser, Keys.END)
    shown(browser, f"{STUDY}.3.1/")
    origin = ScrollOrigin.from_element(browser.find_element(By.CSS_SELECTOR, ".pane"))
    ActionChains(browser).scroll_from_origin(origin, 0, -40).perform()
    shown(browser, f"{STUDY}.3.2/")
    assert told(browser, "pane.frame.valueAt(0, 0)") == 2
    until(browser, lambda: told(browser, "pane.frames.there.size") == 12)  # all are fetched meanwhile


def test_space_runs_the_film_of_frames_and_stops_it(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    frames = np.stack([ramp(16, 16) + number for number in range(4)])
    open_image(browser, api, sqlite_store, grey_image(frames, NumberOfFrames=4, FrameTime=30))

    press(browser, " ")
    shown(browser, "frames/3/")
    shown(browser, "frames/1/")
    press(browser, " ")
    until(
        browser,
        lambda: browser.find_element(By.CSS_SELECTOR, ".viewer").get_attribute("data-cine") == "false",
    )


def test_zoom_fit_turn_and_flip_move_what_is_seen_and_the_letters_with_it(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    image = grey_image(ramp(), PatientOrientation=["L", "F"])
    open_image(browser, api, sqlite_store, image)

    def letters() -> list[str]:
        until(browser, lambda: not told(browser, "pane.isAsked"))
        return [item.text for item in browser.find_elements(By.CSS_SELECTOR, ".pane .edge")]

    fitted = told(browser, "pane.view.zoom")
    assert letters() == ["R", "L", "H", "F"]  # left, right, top, bottom
    press(browser, "g")
    assert letters() == ["F", "H", "R", "L"]
    press(browser, "G")
    press(browser, "h")
    assert letters() == ["L", "R", "H", "F"]
    press(browser, "H")
    assert letters() == ["L", "R", "F", "H"]
    press(browser, "+")
    assert told(browser, "pane.view.zoom") == pytest.approx(fitted * 1.25)
    ActionChains(browser).key_down(Keys.SHIFT).send_keys(Keys.ARROW_LEFT).key_up(Keys.SHIFT).perform()
    assert told(browser, "pane.view.centre.x") != 0.5
    press(browser, "f")
    assert told(browser, "[pane.view.zoom, pane.view.centre.x]") == [pytest.approx(fitted), 0.5]


@pytest.mark.parametrize(
    ("elements", "expected", "kind"),
    [
        ({"Modality": "CT", "PixelSpacing": [0.5, 0.5]}, "20.0 mm", "in the plane of the image"),
        ({"ImagerPixelSpacing": [0.5, 0.5]}, "40 px", "not calibrated"),
        (
            {"ImagerPixelSpacing": [0.6, 0.6], "PixelSpacing": [0.5, 0.5]},
            "20.0 mm",
            "corrected from that of the detector",
        ),
        ({}, "40 px", "no spacing"),
    ],
)
def test_a_length_is_in_millimetres_only_where_the_image_is_calibrated_and_says_of_what_kind(
    browser: webdriver.Chrome,
    api: httpx.Client,
    sqlite_store: Store,
    elements: dict[str, object],
    expected: str,
    kind: str,
) -> None:
    open_image(browser, api, sqlite_store, grey_image(ramp(96, 96), **elements))
    zoom = float(str(told(browser, "pane.view.zoom")))

    press(browser, "l")
    pane = browser.find_element(By.CSS_SELECTOR, ".pane")
    chain = ActionChains(browser).move_to_element(pane).click_and_hold()
    chain.move_by_offset(round(40 * zoom), 0).release().perform()

    until(browser, lambda: browser.find_elements(By.CSS_SELECTOR, ".measure text"))
    until(browser, lambda: browser.find_element(By.CSS_SELECTOR, ".measure text").text == expected)
    assert kind in browser.find_element(By.CSS_SELECTOR, ".measure title").get_attribute("textContent")
    press(browser, Keys.BACKSPACE)
    until(browser, lambda: not browser.find_elements(By.CSS_SELECTOR, ".measure"))


def test_a_length_is_measured_by_keys_alone_and_arrows_go_as_they_are_seen(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    open_image(browser, api, sqlite_store, grey_image(ramp(100, 100), Modality="CT", PixelSpacing=[2, 1]))

    press(browser, "gl")
    press(browser, Keys.ENTER + Keys.ARROW_RIGHT * 10 + Keys.ENTER)

    until(browser, lambda: browser.find_elements(By.CSS_SELECTOR, ".measure text"))
    # Turned by a quarter, what goes right on the screen goes along a column, whose pixels are 2 mm apart.
    until(browser, lambda: browser.find_element(By.CSS_SELECTOR, ".measure text").text == "20.0 mm")
    line = browser.find_element(By.CSS_SELECTOR, ".measure polyline").get_attribute("points").split()
    (left, up), (right, down) = (tuple(map(float, corner.split(","))) for corner in line)
    assert right > left + 10
    assert up == pytest.approx(down)


def test_an_angle_takes_two_drags(browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store) -> None:
    open_image(browser, api, sqlite_store, grey_image(ramp(96, 96)))

    press(browser, "a")
    pane = browser.find_element(By.CSS_SELECTOR, ".pane")
    chain = ActionChains(browser).move_to_element_with_offset(pane, 100, 0).click_and_hold()
    chain.move_by_offset(-100, 0).release().move_by_offset(0, -100).click().perform()

    until(browser, lambda: browser.find_elements(By.CSS_SELECTOR, ".measure text"))
    until(browser, lambda: browser.find_element(By.CSS_SELECTOR, ".measure text").text == "90.0°")


def box_told(page: webdriver.Chrome) -> dict[str, object]:
    until(page, lambda: page.execute_script("return window.told !== undefined"))
    found: dict[str, object] = page.execute_script("return window.told")
    return found


def test_a_box_is_told_to_the_page_in_pixels_as_stored_whatever_way_the_image_is_turned(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    open_image(browser, api, sqlite_store, grey_image(ramp(96, 96)))
    browser.execute_script("document.addEventListener('viewer:box', (e) => { window.told = e.detail })")
    press(browser, "g")
    zoom = float(str(told(browser, "pane.view.zoom")))

    press(browser, "b")
    pane = browser.find_element(By.CSS_SELECTOR, ".pane")
    chain = ActionChains(browser).move_to_element(pane).click_and_hold()
    chain.move_by_offset(round(20 * zoom), round(10 * zoom)).release().perform()

    found = box_told(browser)
    assert (found["sopInstanceUid"], found["frame"]) == (INSTANCE, 0)
    # Turned right by a quarter, what goes right on the screen goes up in the image.
    box = [found[side] for side in ("columnMin", "rowMin", "columnMax", "rowMax")]
    assert box == pytest.approx([48, 28, 58, 48], abs=1)


def test_a_box_is_drawn_by_keys_alone(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    open_image(browser, api, sqlite_store, grey_image(ramp(100, 100)))
    browser.execute_script("document.addEventListener('viewer:box', (e) => { window.told = e.detail })")

    press(browser, "b")
    press(browser, Keys.ARROW_RIGHT)
    ActionChains(browser).key_down(Keys.SHIFT).send_keys(Keys.ARROW_DOWN * 2).key_up(Keys.SHIFT).perform()
    press(browser, Keys.ENTER)

    found = box_told(browser)
    assert [found[side] for side in ("columnMin", "rowMin", "columnMax", "rowMax")] == [41, 40, 61, 62]


def test_marks_say_finding_probability_and_model_and_one_key_hides_them(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    browser.get(f"{api.base_url}".rstrip("/") + f"/cases/{seen_case(sqlite_store)}")
    shown(browser)
    box, label = (browser.find_element(By.CSS_SELECTOR, f".mark {name}") for name in ("polygon", "text"))
    assert label.text == "Lung mass, left · 80% · tiny 7"
    until(browser, lambda: browser.find_element(By.CSS_SELECTOR, ".mark image").get_attribute("href"))
    points = [tuple(map(float, p.split(","))) for p in box.get_attribute("points").split()]
    corners = [told(browser, f"pane.view.toScreen({{x: {x}, y: {y}}})") for x, y in ((4, 4), (8, 8))]
    assert [points[0], points[2]] == [(corner["x"], corner["y"]) for corner in corners]  # type: ignore[index]

    press(browser, "o")
    assert not box.is_displayed()
    assert browser.find_element(By.CSS_SELECTOR, "[data-action=overlay]").text.startswith("Show overlay")
    press(browser, "o")
    assert box.is_displayed()


def send_pair(store: Store, *, slices: int) -> None:
    """Two CTs of one patient, the earlier one with 3 slices more at the feet."""
    send_ct(store, "2.25.2", slices + 3, AccessionNumber="A2", StudyDate="20250101")
    close_study(store, "2.25.2", now=NOW)
    send_ct(store, STUDY, slices, StudyDate="20260101")


def test_the_earlier_study_stands_beside_and_moves_along_in_millimetres(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    send_pair(sqlite_store, slices=8)
    open_study(browser, api, sqlite_store)
    shown(browser, f"{STUDY}.3.8/")

    press(browser, "x")
    shown(browser, "2.25.2.3.11/", pane=1)
    press(browser, Keys.ARROW_DOWN * 2)
    shown(browser, f"{STUDY}.3.6/")
    shown(browser, "2.25.2.3.9/", pane=1)
    press(browser, "+")
    views = "window.viewer.panes.map((pane) => pane.view.zoom / pane.view.fittingZoom)"
    first, second = browser.execute_script(f"return {views}")
    assert first == pytest.approx(second)
    assert first == pytest.approx(1.25)
    assert "365 days before" in browser.find_element(By.CSS_SELECTOR, "select.priors").text
    press(browser, "t")
    press(browser, Keys.ARROW_DOWN)
    shown(browser, f"{STUDY}.3.5/")
    shown(browser, "2.25.2.3.9/", pane=1)
    press(browser, "x")
    until(browser, lambda: not browser.find_elements(By.CSS_SELECTOR, ".pane")[1].is_displayed())


def test_arrows_go_through_the_series(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    send_ct(sqlite_store, STUDY, 2)
    send_image(sqlite_store, dicom_bytes(SeriesNumber=9))
    open_study(browser, api, sqlite_store)
    shown(browser)

    press(browser, Keys.ARROW_RIGHT)
    shown(browser, f"{INSTANCE}/")
    press(browser, Keys.ARROW_LEFT)
    shown(browser, f"{STUDY}.3.2/")
    assert browser.find_element(By.CSS_SELECTOR, "select.series").text.splitlines()[0] == "CT Axial (2)"


def test_the_next_case_is_there_before_it_is_opened_and_counts_as_seen_only_then(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    seen_case(sqlite_store, 1, findings={"mass": 0.9})
    second = seen_case(sqlite_store, 2, findings=("cardiomegaly",))
    instance = "instance 2.25.2.1.1"

    def acts() -> list[AuditAction]:
        return [entry.action for entry in entries(sqlite_store) if entry.subject == instance]

    browser.get(f"{api.base_url}".rstrip("/") + "/cases/1")
    shown(browser)
    eventually(lambda: acts() == [AuditAction.FETCHED_AHEAD])
    press(browser, "j")
    until(browser, lambda: browser.current_url.endswith(f"/cases/{second}"))
    shown(browser, "2.25.2.1.1/")
    eventually(lambda: acts() == [AuditAction.FETCHED_AHEAD, AuditAction.SAW])


def test_the_list_fetches_its_first_case_ahead(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    seen_case(sqlite_store, 1, findings={"mass": 0.9})
    seen_case(sqlite_store, 2, findings=("cardiomegaly",))
    browser.get(str(api.base_url))

    def ahead() -> set[str | None]:
        acts = entries(sqlite_store)
        return {entry.subject for entry in acts if entry.action is AuditAction.FETCHED_AHEAD}

    eventually(lambda: ahead() == {"case 1", "instance 2.25.1.1.1"})


def test_what_cannot_be_shown_says_why(
    browser: webdriver.Chrome, api: httpx.Client, sqlite_store: Store
) -> None:
    image = grey_image(ramp(64, 64))
    image.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
    image.PixelData = image.PixelData[:40] + bytes(len(image.PixelData) - 40)
    send_image(sqlite_store, written(image))
    open_study(browser, api, sqlite_store)

    until(browser, lambda: "send it again" in browser.find_element(By.CSS_SELECTOR, ".says").text)
