"""The demonstration's cases on a desk of their own, with accounts and a clock that stands, seen in Chromium.

What pictures and walks have in common: the same cases, the same time and the same window each time.
"""

import base64
import io
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image, ImageChops
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from overread.actor import Actor
from overread.priority import shipped_policy_text
from service.demo import run_demo
from service.security.roles import Role
from service.settings import load_settings
from service.store.database import Store, open_store
from service.store.policies import activate_policy
from tests.service.security.people import PASSWORD, Desk, add, desk_on

ARRIVED = datetime(2026, 6, 15, 7, 10, tzinfo=UTC)
SHOWN = ARRIVED + timedelta(minutes=50)
WIDTH, HEIGHT = 1280, 800
COLOURS = 256  # of a picture in the documentation: grey values and one accent
SAME_LEVELS = 16  # of 255, at any pixel
LOOK_SECONDS = 0.5
WAIT_SECONDS = 600.0  # far beyond what a busy machine needs
_SETTLED = """
document.documentElement.style.caretColor = "transparent";
const hasImage = document.querySelector(".viewer[data-case]") !== null;
const marks = Array.from(document.querySelectorAll("[data-heat]"));
const heat = marks.map((mark) => new URL(mark.dataset.heat, location).href);
const there = new Set(performance.getEntriesByType("resource").map((entry) => entry.name));
return document.readyState === "complete" && document.fonts.status === "loaded"
  && heat.every((address) => there.has(address))
  && (!hasImage || performance.getEntriesByName("first-image").length > 0);
"""


@contextmanager
def demo_desk(*, asks_own_read: bool) -> Iterator[tuple[Store, Desk]]:
    """Give the desk: Ada reads second, Carla coordinates, Quinn is quality, Rita administers, Fay reports.

    Args:
        asks_own_read: whether the policy asks for an own read of every case before anything is shown.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({}, data_folder=Path(folder) / "data")
        store = open_store(settings)
        try:
            if asks_own_read:
                text = shipped_policy_text().replace("own_read_share = 0.0", "own_read_share = 1.0")
                text = text.replace('version = "', 'version = "own-read-', 1)
                activate_policy(store, text, actor=Actor.account("root"), now=ARRIVED)
            run_demo(settings, clock=lambda: ARRIVED)
            for name, shown, *roles in (
                ("ada", "Ada Novak", Role.SECOND_READER),
                ("carla", "Carla Roth", Role.COORDINATOR),
                ("quinn", "Quinn Osei", Role.QUALITY),
                ("rita", "Rita Sand", Role.ADMINISTRATOR),
                ("fay", "Fay Lind", Role.FIRST_READER),
            ):
                add(store, name, *roles, display_name=shown)
            with desk_on(store, clock=lambda: SHOWN) as desk:
                yield store, desk
        finally:
            store.close()


def look_through(page: webdriver.Chrome, *, height: int = HEIGHT, times: int = 1) -> None:
    """Let the window be that of the documentation, so many times as large; the height in pixels of that."""
    screen = {"width": times * WIDTH, "height": times * height, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)


def sign_in(page: webdriver.Chrome, desk: Desk, name: str) -> None:
    """Sign in as somebody, whoever was signed in before."""
    page.delete_all_cookies()
    page.get(f"{desk.url}/sign-in")
    page.find_element(By.ID, "name").send_keys(name)
    page.find_element(By.ID, "password").send_keys(PASSWORD)
    page.find_element(By.CSS_SELECTOR, ".sign-in button").click()
    WebDriverWait(page, WAIT_SECONDS).until(lambda seen: seen.find_elements(By.CSS_SELECTOR, ".who"))


def settle(page: webdriver.Chrome) -> None:
    """Return when page, type and image are drawn."""
    WebDriverWait(page, WAIT_SECONDS).until(lambda seen: seen.execute_script(_SETTLED))


def keep_picture(page: webdriver.Chrome, path: Path) -> int:
    """Write what is seen as a PNG of few colours, and return its bytes.

    One that is there and looks the same is left: Chromium smooths an edge now and then by a few levels else.
    """
    settle(page)
    before, shot = "", _shot(page)
    while shot != before:  # until nothing moves any more
        time.sleep(LOOK_SECONDS)
        before, shot = shot, _shot(page)
    image = Image.open(io.BytesIO(base64.b64decode(shot))).convert("RGB")
    few = image.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    if not _looks_the_same(few.convert("RGB"), path):
        few.save(path, optimize=True)
    return path.stat().st_size


def _looks_the_same(image: Image.Image, path: Path) -> bool:
    if not path.exists():
        return False
    with Image.open(path) as before:
        if before.size != image.size:
            return False
        differing = ImageChops.difference(image, before.convert("RGB"))
    return max(int(high) for _, high in differing.getextrema()) <= SAME_LEVELS  # type: ignore[misc]


def _shot(page: webdriver.Chrome) -> str:
    taken: str = page.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})["data"]
    return taken
