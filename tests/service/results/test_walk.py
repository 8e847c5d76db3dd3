"""A receiving site's walk, as docs/results.md shows it: with Orthanc and OHIF, from nothing to results."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.service.desk.test_browser import CHROMEDRIVER, CHROMIUM, chrome
from tests.service.dicomweb.test_ohif import FETCHED
from tests.service.orthanc import DICOMWEB, ORTHANC, free_port
from tests.service.results.material import dumped, faults_of

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "docs" / "results.md"
SHOWS = bool(CHROMIUM and CHROMEDRIVER and (FETCHED / "index.html").is_file())


def commands() -> str:
    """The walk, and after it what the page shows before; on ports of the test's own."""
    before, _, walk = PAGE.read_text(encoding="utf-8").partition("## From Orthanc")
    shown = [re.findall(r"```sh\n(.*?)```", part, flags=re.DOTALL) for part in (walk, before)]
    text = "\n".join([*shown[0], 'export OVERREAD_FOLDER="$PWD/data"', *shown[1]])
    ports = {port: str(free_port()) for port in ("4242", "8042", "11112", "8400", "8401")}
    for port, free in ports.items():
        text = re.sub(rf"(?<![0-9]){port}(?![0-9])", free, text)
    given = {"--port": ports["8400"], "--stow-port": ports["8401"], "--dicom-port": ports["11112"]}
    words = " ".join(f"{name} {port}" for name, port in (given | {"--hl7-port": str(free_port())}).items())
    return text.replace("overread serve", f"overread serve {words}")


@contextlib.contextmanager
def walking(tmp_path: Path) -> Iterator[Path]:
    """The walk, in a folder of its own, done; its programs run on until the test has seen enough."""
    bin_folder, folder = tmp_path / "bin", tmp_path / "walk"
    bin_folder.mkdir()
    folder.mkdir()
    for name, command in (
        ("overread", f"exec {sys.executable} -m overread"),
        ("python", f"exec {sys.executable}"),
        ("Orthanc", f"exec {ORTHANC}"),
    ):
        (bin_folder / name).write_text(f'#!/bin/sh\n{command} "$@"\n')
        (bin_folder / name).chmod(0o755)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OVERREAD_")}
    environ |= {"PATH": f"{bin_folder}:{os.environ['PATH']}", "no_proxy": "127.0.0.1"}
    environ |= {"OVERREAD_OHIF_FOLDER": str(FETCHED)} if SHOWS else {}
    with (folder / "said.log").open("w") as output:  # no pipe: what runs on would hold it open
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", commands()],
            cwd=folder,
            env=environ,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):  # told below, with what the programs said
                process.wait(timeout=300)
            assert process.returncode == 0, said_in(folder)
            yield folder
        finally:
            with contextlib.suppress(ProcessLookupError):  # none of them runs any more
                os.killpg(process.pid, signal.SIGTERM)


def said_in(folder: Path) -> str:
    """What the programs of the walk said."""
    return "\n".join(f"{path.name}:\n{path.read_text(encoding='utf-8')}" for path in folder.glob("*.log"))


def series_in_ohif(folder: Path, address: str) -> str:
    """What OHIF lists of the study, once the report is there; its address is the one that the walk prints."""
    with chrome(folder) as browser:
        browser.get(address)
        wait = WebDriverWait(browser, 120, poll_frequency=2, ignored_exceptions=[WebDriverException])
        items = '[data-cy^="study-browser-thumbnail"]'
        wait.until(
            lambda page: (
                {"SR", "OT"}
                <= {item.text.split()[0] for item in page.find_elements(By.CSS_SELECTOR, items) if item.text}
            )
        )
        return browser.find_element(By.TAG_NAME, "body").text


def test_the_walk_leads_to_results_in_orthanc_and_in_ohif(tmp_path: Path) -> None:
    if not ORTHANC.exists() or not DICOMWEB.exists():
        pytest.skip("Orthanc is not installed (Debian packages orthanc and orthanc-dicomweb)")
    with walking(tmp_path) as folder:
        said = said_in(folder)
        (address,) = re.findall(r"http://\S+/ohif/viewer\?StudyInstanceUIDs=\S+", said) or [""]
        listed = series_in_ohif(tmp_path, address) if SHOWS and address else ""

    assert '"Modality" : "SR"' in said
    assert '"SeriesDescription" : "overread: not for diagnosis"' in said
    assert len(re.findall(r"\tSENT\t", said)) == 4  # listed twice
    assert "0 deliveries are due again" in said
    held = [path for path in (folder / "orthanc").rglob("*") if path.is_file()]
    objects = {}
    for path in held:
        if path.stat().st_size > 200 and path.read_bytes()[128:132] == b"DICM":
            objects[str(dcmread(path, stop_before_pixels=True).Modality)] = path
    assert set(objects) == {"CR", "SR", "OT"}
    assert faults_of(objects["SR"]) == []
    assert faults_of(objects["OT"]) == []
    assert "Imaging Measurement Report" in dumped(objects["SR"])
    assert not SHOWS or "overread: not for diagnosis" in listed
