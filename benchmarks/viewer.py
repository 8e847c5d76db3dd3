"""The viewer in Chromium without a GPU: seconds until an image is seen, and images a second of a CT.

    python -m benchmarks.viewer [--rounds 12] [--slices 300] [--passes 5]

One `overread serve` without workers on a store of its own. Radiographs of 2048 x 2048 pixels of 16 bits are
opened by a click on the list, and the next one by its key after a reader has looked for some seconds; the
time is from the click to the frame after the one with which the image was drawn, as the page counts it.
Then a CT of 512 x 512 pixels is leafed through, each image drawn before the next is asked for: at once after
it was opened, and when all of it has been fetched. Prints median, mean and worst of the times and the mean of
the rates, means with their 95 % interval (Student's t), with the load of the machine before and after.
"""

import argparse
import io
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import url_changes
from selenium.webdriver.support.wait import WebDriverWait

from benchmarks.pictures import Serving, serving, written
from benchmarks.stow import BOUNDARY, body, radiograph
from overread.statistics import mean_estimate

LIMIT_FIRST_SECONDS, LIMIT_NEXT_SECONDS, LIMIT_RATE = 1.0, 0.3, 20.0
LOOK_SECONDS = 3.0
Times = tuple[list[float], list[float]]
_FIRST = (
    "const [mark] = performance.getEntriesByName('first-image'); return mark ? mark.startTime / 1000 : null"
)
_LEAF = """
const [count, done] = arguments;
const pane = window.viewer.panes[0];
const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
const run = async () => {
  await pane.show(0);
  while (pane.isAsked) await frame();
  const start = performance.now();
  for (let at = 1; at < count; at += 1) {
    await pane.show(at);
    while (pane.isAsked) await frame();
  }
  await frame();
  return [(count - 1) / ((performance.now() - start) / 1000), pane.frames.there.size];
};
run().then(done);
"""


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """Give a Chromium without a GPU and without a screen, with a window of 1920 by 1080."""
    options = Options()
    options.binary_location = shutil.which("chromium") or ""
    with tempfile.TemporaryDirectory() as profile:
        for switch in (
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1920,1080",
            f"--user-data-dir={profile}",
        ):
            options.add_argument(switch)
        with webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver"))) as driver:
            driver.set_script_timeout(300)
            yield driver


def chest(number: int) -> bytes:
    """Return a radiograph of 4 megapixels of 16 bits: two lungs, a heart, ribs and noise."""
    generator = np.random.default_rng(number)
    dataset = _read(radiograph(number, generator))
    row, column = np.mgrid[:2048, :2048] / 2048.0
    lungs = sum(np.exp(-(((column - x) / 0.17) ** 4) - ((row - 0.45) / 0.33) ** 4) for x in (0.29, 0.71))
    ribs = 0.06 * np.sin(row * 70 + (column - 0.5) ** 2 * 60)
    values = (
        42000 - 30000 * lungs + 9000 * np.exp(-(((column - 0.56) / 0.14) ** 2) - ((row - 0.6) / 0.2) ** 2)
    )
    values = values * (1 + ribs * lungs) + generator.normal(0, 350, values.shape)
    dataset.PixelData = np.clip(values, 0, 65535).astype(np.uint16).tobytes()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"2.25.900.{number}", f"2.25.901.{number}"
    dataset.AccessionNumber, dataset.PatientID = f"V{number}", f"V{number}"
    dataset.WindowCenter, dataset.WindowWidth = 30000, 45000
    return written(dataset)


def slice_of(number: int, count: int) -> bytes:
    """Return one slice of a CT of a cylinder with a sphere in it, of 512 x 512 pixels."""
    generator = np.random.default_rng(number)
    dataset = _read(radiograph(100_000 + number, generator))
    row, column = np.mgrid[:512, :512] - 256.0
    body_part = np.hypot(row, column) < 220
    sphere = np.hypot(row, column - 60) ** 2 + (number - count / 2) ** 2 * 1.5 < 80**2
    values = np.where(body_part, 40, -1000) + 120 * sphere + generator.normal(0, 15, row.shape)
    dataset.PixelData = values.astype(np.int16).tobytes()
    dataset.Rows = dataset.Columns = 512
    dataset.PixelRepresentation, dataset.Modality = 1, "CT"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "2.25.902", "2.25.902.1"
    dataset.AccessionNumber = dataset.PatientID = "VCT"
    dataset.InstanceNumber = number + 1
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.ImagePositionPatient = [0, 0, -float(number)]
    dataset.PixelSpacing, dataset.RescaleSlope, dataset.RescaleIntercept = [0.7, 0.7], 1, 0
    dataset.WindowCenter, dataset.WindowWidth = 40, 400
    return written(dataset)


def _read(content: bytes) -> Dataset:
    return dcmread(io.BytesIO(content))


def fill(service: Serving, *, radiographs: int, slices: int) -> int:
    """Send and close the studies; return the number of the case of the CT."""
    kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    sent = [[chest(number)] for number in range(radiographs)]
    sent += [[slice_of(number, slices) for number in range(slices)]]
    for objects in sent:
        reply = httpx.post(
            f"{service.stow}/studies", content=body(objects), headers={"Content-Type": kind}, timeout=300
        )
        reply.raise_for_status()
    uids = [f"2.25.900.{number}" for number in range(radiographs)] + ["2.25.902"]
    for uid in uids:
        httpx.post(f"{service.api}/api/v1/studies/{uid}/close", timeout=60).raise_for_status()
    found: int = httpx.get(f"{service.api}/api/v1/studies/2.25.902/case", timeout=60).json()["summary"][
        "case_id"
    ]
    return found


def seen(page: webdriver.Chrome) -> float:
    """Return the seconds from the click to the image, when it is there."""
    found: float = WebDriverWait(page, 60, poll_frequency=0.02).until(lambda _: page.execute_script(_FIRST))
    return found


def open_radiographs(page: webdriver.Chrome, service: Serving, rounds: int) -> Times:
    """Return the seconds of a click on the list, and of the next case after that."""
    first, following = [], []
    waiting = f"{service.api}/?show=incomplete"
    for number in range(1, 2 * rounds, 2):  # the list itself fetches its first
        page.get(waiting)
        rows = page.find_elements(By.CSS_SELECTOR, "a.row")
        time.sleep(0.5)
        rows[number].click()
        WebDriverWait(page, 60).until(lambda _: "/cases/" in page.current_url)
        first.append(seen(page))
        time.sleep(LOOK_SECONDS)
        here = page.current_url
        ActionChains(page).send_keys("j").perform()
        WebDriverWait(page, 60, poll_frequency=0.02).until(url_changes(here))
        following.append(seen(page))
    return first, following


def leaf(page: webdriver.Chrome, address: str, slices: int, passes: int) -> Times:
    """Return the images a second of a CT just opened, and of one that is all there."""
    cold, warm = [], []
    for _ in range(passes):
        page.get(address)
        seen(page)
        cold.append(page.execute_async_script(_LEAF, slices)[0])
        WebDriverWait(page, 120).until(
            lambda _: page.execute_script("return window.viewer.panes[0].frames.there.size") == slices
        )
        warm.append(page.execute_async_script(_LEAF, slices)[0])
    return cold, warm


def tell_times(what: str, seconds: Sequence[float], limit: float) -> bool:
    """Print the times, and return whether the worst is within the limit."""
    middle, worst, mean = statistics.median(seconds), max(seconds), mean_estimate(seconds)
    within = sum(second <= limit for second in seconds)
    print(
        f"{what}: median {middle:.3f} s, mean {mean.value:.3f} ({mean.low:.3f} to {mean.high:.3f}), worst "
        f"{worst:.3f} s; {within} of {len(seconds)} within {limit} s"
    )
    return worst <= limit


def tell_rates(what: str, rates: Sequence[float]) -> bool:
    """Print the rates, and return whether the lower end of the interval is within the limit."""
    estimate = mean_estimate(rates)
    print(
        f"{what}: {estimate.value:.1f} images/s ({estimate.low:.1f} to {estimate.high:.1f}), "
        f"slowest pass {min(rates):.1f}, of {len(rates)}; limit {LIMIT_RATE}"
    )
    return estimate.low >= LIMIT_RATE


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=12, help="radiographs that are opened from the list")
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--passes", type=int, default=5, help="times that the CT is opened")
    arguments = parser.parse_args()
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as service, chromium() as page:
        number = fill(service, radiographs=2 * arguments.rounds + 2, slices=arguments.slices)
        page.get(f"{service.api}/cases/1")
        print(f"first image after the start of the service: {seen(page):.3f} s")
        first, following = open_radiographs(page, service, arguments.rounds)
        address = f"{service.api}/cases/{number}"
        cold, warm = leaf(page, address, arguments.slices, arguments.passes)
    holds = [
        tell_times("radiograph after a click on the list", first, LIMIT_FIRST_SECONDS),
        tell_times("next radiograph", following, LIMIT_NEXT_SECONDS),
        tell_rates("CT just opened", cold),
        tell_rates("CT that is there", warm),
    ]
    print(f"load after: {os.getloadavg()[0]:.1f}")
    sys.exit(0 if all(holds) else 1)


if __name__ == "__main__":
    main()
