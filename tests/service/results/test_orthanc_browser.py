"""Orthanc's own page shows our secondary capture, pixel for pixel, in a browser."""

import base64
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from service.results.making import result_of_case
from service.store.database import Store
from service.store.results import Form
from tests.service.desk.test_browser import CHROMEDRIVER, CHROMIUM, browser
from tests.service.orthanc import free_port, orthanc
from tests.service.results.material import seen, told_case

__all__ = ["browser"]  # the fixture
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and CHROMEDRIVER), reason="no browser (packages chromium, chromium-driver)"
    ),
]
DRAWN = """
const image = document.querySelector('#lbImage');
const address = getComputedStyle(image).backgroundImage.slice(5, -2);
const done = arguments[0];
const shown = new Image();
shown.onload = () => {
    const canvas = document.createElement('canvas');
    canvas.width = shown.naturalWidth; canvas.height = shown.naturalHeight;
    canvas.getContext('2d').drawImage(shown, 0, 0);
    done(canvas.toDataURL('image/png').split(',')[1]);
};
shown.src = address;
"""


def instance_in(client: httpx.Client, content: bytes) -> str:
    """What Orthanc calls an object that it is given."""
    return str(client.post("/instances", content=content).raise_for_status().json()["ID"])


def shown(driver: webdriver.Chrome, address: str) -> np.ndarray:
    """The picture that Orthanc's page opens at a click on its preview, as the browser draws it."""
    driver.get(address)
    wait = WebDriverWait(driver, 30)
    wait.until(lambda page: page.find_element(By.ID, "instance-preview").is_displayed())
    driver.find_element(By.ID, "instance-preview").click()
    wait.until(
        lambda page: (
            "preview" in page.find_element(By.ID, "lbImage").value_of_css_property("background-image")
        )
    )
    wait.until(lambda page: page.find_element(By.ID, "lbImage").is_displayed())
    encoded = driver.execute_async_script(DRAWN)
    return np.asarray(Image.open(BytesIO(base64.b64decode(encoded))).convert("RGB"))


def test_the_secondary_capture_shows_in_orthancs_own_page(
    browser: webdriver.Chrome, sqlite_store: Store, tmp_path: Path
) -> None:
    case_id = told_case(sqlite_store, seen("nodule", (100, 120, 260, 300)))
    capture = result_of_case(sqlite_store, case_id, Form.SC)
    capture.save_as(content := BytesIO(), enforce_file_format=True)
    with orthanc(tmp_path, dicom_port=free_port()) as client:
        name = instance_in(client, content.getvalue())

        drawn = shown(browser, f"{client.base_url}/app/explorer.html#instance?uuid={name}")

    assert np.array_equal(drawn, np.repeat(capture.pixel_array[..., np.newaxis], 3, axis=-1))
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 2  # a picture with words and a box, not a blank one
