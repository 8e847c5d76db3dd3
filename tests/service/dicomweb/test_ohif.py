"""OHIF beside DICOMweb: its page is made to fit; where it was fetched, it shows a study in a real browser."""

import base64
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from service.application import make_app
from service.dicomweb.stow import make_stow_app
from service.intake.closing import close_study
from service.store.database import Store
from service.store.worklist import find_case
from service.web.guard import GuardMiddleware, access_for
from service.web.settings import WebSettings
from tests.service.desk.test_browser import CHROMEDRIVER, CHROMIUM, browser
from tests.service.desk.viewer_images import send_ct
from tests.service.material import NOW
from tests.service.web.listening import listening, opener

__all__ = ["browser"]  # the fixture
FETCHED = Path(os.environ.get("OVERREAD_OHIF_FOLDER", Path(__file__).parents[3] / "ohif"))
PAGE = (
    '<!doctype html><head><script>window.PUBLIC_URL="/"</script><link rel="icon" href="/assets/icon.png">'
    '<script defer src="/app.bundle.js"></script></head>'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of the form of OHIF's."""
    made = tmp_path / "ohif"
    made.mkdir()
    (made / "index.html").write_text(PAGE)
    (made / "app.bundle.js").write_text("// the program")
    (tmp_path / "secret.js").write_text("of somebody else")
    return made


@contextmanager
def dicomweb(store: Store, folder: Path | None) -> Iterator[str]:
    access = access_for("127.0.0.1", None)
    web = WebSettings(ohif_folder=None if folder is None else str(folder))
    with listening(make_stow_app(opener(store, access=access), access, web=web)) as url:
        yield url


def test_the_page_has_its_addresses_under_its_place_and_a_policy_that_allows_its_scripts_alone(
    sqlite_store: Store, folder: Path
) -> None:
    with dicomweb(sqlite_store, folder) as url:
        page = httpx.get(f"{url}/ohif/viewer?StudyInstanceUIDs=2.25.1")
        program = httpx.get(f"{url}/ohif/app.bundle.js")
        settings = httpx.get(f"{url}/ohif/app-config.js")

    assert re.findall(r'(?:src|href)="(.+?)"', page.text) == ["/ohif/assets/icon.png", "/ohif/app.bundle.js"]
    script = 'window.PUBLIC_URL="/ohif/"'
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"<script>{script}</script>" in page.text
    policy = page.headers["Content-Security-Policy"]
    assert f"script-src 'self' 'unsafe-eval' 'sha256-{digest}'" in policy
    assert "connect-src 'self'" in policy
    assert (program.status_code, program.text) == (200, "// the program")
    assert "qidoRoot: root" in settings.text


@pytest.mark.parametrize(
    "path", ["nothing.js", "..%2Fsecret.js", "%2e%2e/secret.js", "x/..%2f..%2fsecret.js"]
)
def test_no_other_file_is_given(sqlite_store: Store, folder: Path, path: str) -> None:
    with dicomweb(sqlite_store, folder) as url:
        reply = httpx.get(f"{url}/ohif/{path}")

    assert reply.status_code == 404
    assert "somebody" not in reply.text


def test_where_it_was_not_fetched_there_is_none_and_no_link(sqlite_store: Store, api: httpx.Client) -> None:
    send_ct(sqlite_store, "2.25.1", 1)
    close_study(sqlite_store, "2.25.1", now=NOW)
    with dicomweb(sqlite_store, None) as url:
        assert httpx.get(f"{url}/ohif/").status_code == 404

    assert "OHIF" not in api.get(f"/cases/{find_case(sqlite_store, '2.25.1')}").text


def test_the_case_page_leads_to_the_study_in_it(sqlite_store: Store, folder: Path) -> None:
    send_ct(sqlite_store, "2.25.1", 1)
    close_study(sqlite_store, "2.25.1", now=NOW)
    web = WebSettings(ohif_folder=str(folder), dicomweb_url="https://pacs.example.org/dicomweb/")
    access = access_for("127.0.0.1", None)
    app = make_app(opener(sqlite_store, access=access), list, web)
    app.add_middleware(GuardMiddleware, access=access)
    with listening(app) as url:
        page = httpx.get(f"{url}/cases/{find_case(sqlite_store, '2.25.1')}").text

    assert 'href="https://pacs.example.org/dicomweb/ohif/viewer?StudyInstanceUIDs=2.25.1"' in page


@pytest.mark.slow
@pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason="no browser (packages chromium, chromium-driver)")
@pytest.mark.skipif(not (FETCHED / "index.html").is_file(), reason="no OHIF: `make ohif` fetches it")
def test_it_shows_a_study_of_our_dicomweb(browser: webdriver.Chrome, sqlite_store: Store) -> None:
    send_ct(sqlite_store, "2.25.1", 3)
    close_study(sqlite_store, "2.25.1", now=NOW)
    with dicomweb(sqlite_store, FETCHED) as url:
        browser.get(f"{url}/ohif/viewer?StudyInstanceUIDs=2.25.1")
        wait = WebDriverWait(browser, 120)
        wait.until(lambda page: page.find_elements(By.CSS_SELECTOR, "canvas.cornerstone-canvas"))
        wait.until(lambda page: "1/3" in page.find_element(By.TAG_NAME, "body").text)
        lines = browser.get_log("browser")
    assert [line["message"] for line in lines if "Content Security Policy" in line["message"]] == []
