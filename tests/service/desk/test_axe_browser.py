"""axe-core on every page that a person can open, in a real browser: nothing serious is found."""

from collections.abc import Iterator
from importlib.resources import files

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from overread.errors import InputError
from service.adjudication.reads import judge
from service.security.roles import Role
from service.security.routes import ROUTES
from service.store.database import Store
from service.store.queue import claim_case, fail_case
from service.store.reading_claims import Hold, hold_case
from service.store.report_authors import note_author
from tests.service.adjudication.test_reads import CONFIRMED, SEVERE, rules, sender
from tests.service.desk.test_browser import browser, press, pytestmark, wait_for
from tests.service.desk.test_pages import known_case
from tests.service.desk.test_quarantine import refuse_reports
from tests.service.desk.test_results import given_up
from tests.service.material import NOW, dicom_bytes, ready_case, send_image, send_report
from tests.service.security.people import PASSWORD, Desk, add, desk_on
from tests.service.store.test_reading_claims import BOB
from tests.service.waiting import DEADLINE_SECONDS
from tests.service.web.seeing import seen_case

__all__ = ("browser", "pytestmark")

AXE = files("axe_core_python").joinpath("axe.min.js")
SAMPLES = {"{case_id}": "1", "{quarantine_id}": "1", "{path:path}": "desk.css", "{name}": "start.js"}
NO_PAGES = {"/worklist/rows"}  # a part of a page, which its script puts in
ALL = (Role.SECOND_READER, Role.COORDINATOR, Role.QUALITY)
# Who looks at what. An address with a number is the case that `filled` gives that name.
VISITS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "/": (
        ("ada", ("/", "/?rows=compact&flag=mass", "/?cases=none", "/?show=all", "/?show=failed")),
        ("carla", ("/", "/?show=arbitration", "/?show=judged", "/?show=nothing")),
    ),
    "/cases/{case_id}": (
        ("ada", ("listed", "held", "judged", "failed", "known", "concordant", "incomplete", "inapplicable")),
        ("carl", ("arbitrated",)),
        ("quinn", ("judged",)),
    ),
    "/second-reads": (("quinn", ("/second-reads",)),),
    "/own-reports": (("fay", ("/own-reports",)),),
    "/queue": (("carla", ("/queue",)),),
    "/quarantine": (("carla", ("/quarantine", "/quarantine?state=resolved")),),
    "/quarantine/{quarantine_id}": (
        ("carla", ("/quarantine/1", "/quarantine/1?reveal=yes", "/quarantine/2")),
    ),
    "/results": (("carla", ("/results?state=given-up", "/results")),),
    "/account": (("ada", ("/account",)),),
    "/people": (("rita", ("/people",)),),
    "/sign-in": (("", ("/sign-in", "/nope")),),
    "/docs": (("ada", ("/docs",)),),
}
SWAGGER_UI = frozenset({"color-contrast", "nested-interactive"})
"""What is not ours to mend: the page of the API is drawn by Swagger UI, whose files come with BentoML."""
REFUSED = (("ada", ("/nope", "/cases/99999", "/cases/abc", "/people", "/quarantine")),)
"""Pages that say what is wrong: no such page, no such case, not allowed."""


@pytest.fixture
def desk(sqlite_store: Store) -> Iterator[Desk]:
    """A desk with an account for each role."""
    for name, *roles in (
        ("ada", Role.SECOND_READER),
        ("carl", Role.SECOND_READER),
        ("carla", *ALL),
        ("quinn", Role.QUALITY),
        ("rita", Role.ADMINISTRATOR),
        ("fay", Role.FIRST_READER),
    ):
        add(sqlite_store, name, *roles)
    with desk_on(sqlite_store) as running:
        yield running


def sign_in(browser: webdriver.Chrome, desk: Desk, name: str) -> None:
    browser.delete_all_cookies()
    if not name:
        return
    browser.get(f"{desk.url}/sign-in")
    wait_for(browser, "#name").send_keys(name)
    browser.find_element(By.ID, "password").send_keys(PASSWORD)
    browser.find_element(By.CSS_SELECTOR, ".sign-in button").click()
    wait_for(browser, ".who")


def filled(store: Store) -> dict[str, int]:
    """Give every page something to show; returns the cases by what became of them."""
    found = {"known": known_case(store)}
    given_up(store, 19)
    found["failed"] = ready_case(store, 20)
    claimed = claim_case(store, worker="w", now=NOW)
    assert claimed is not None
    fail_case(store, claimed.lease, "the pixel data ends early", now=NOW)
    found["listed"] = seen_case(store, 21, findings={"mass": 0.9, "cardiomegaly": 0.5})
    found["held"] = seen_case(store, 22)
    hold_case(store, found["held"], Hold(holder=BOB, at=NOW, seconds=900))
    found["judged"] = seen_case(store, 23)
    with store.writing() as connection:
        note_author(connection, found["judged"], 1, "fay")
    judge(store, found["judged"], CONFIRMED, sender(submission="judged"))
    found["arbitrated"] = seen_case(store, 24)
    judge(store, found["arbitrated"], SEVERE, sender("bob", "arbitrated"))
    found["concordant"] = seen_case(store, 25, findings={"mass": 0.001})
    found["inapplicable"] = seen_case(store, 26, not_applicable="not a chest radiograph")
    found["incomplete"] = send_report(store, "No mass.", accession="A27").case_id
    refuse_reports(store)
    with pytest.raises(InputError):
        send_image(store, dicom_bytes(study="2.25.21", number=2, PatientID="P2"))
    return found


def open_everything(browser: webdriver.Chrome) -> None:
    """Unfold what is folded, reject the first flag, and show the keys: axe sees what a person sees alone."""
    browser.execute_script("for (const part of document.querySelectorAll('details')) part.open = true")
    if browser.find_elements(By.CSS_SELECTOR, "form.judge .flag"):
        press(browser, "n")


def faults(browser: webdriver.Chrome, allowed: frozenset[str] = frozenset()) -> list[tuple[str, list[str]]]:
    """What axe-core calls serious or critical: the rule, and up to three elements."""
    browser.execute_script(AXE.read_text(encoding="utf-8"))
    result = browser.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    return [
        (rule["id"], [node["html"][:120] for node in rule["nodes"]][:3])
        for rule in result["violations"]
        if rule["impact"] in {"serious", "critical"} and rule["id"] not in allowed
    ]


def faults_at(browser: webdriver.Chrome, address: str) -> list[tuple[str, list[str]]]:
    browser.get(address)
    ready = "#operations-tag-triage" if address.endswith("/docs") else ".scripted"
    WebDriverWait(browser, DEADLINE_SECONDS).until(
        lambda page: page.find_elements(By.CSS_SELECTOR, ready), f"{address} has no {ready}"
    )
    open_everything(browser)
    found = faults(browser, SWAGGER_UI if address.endswith("/docs") else frozenset())
    if browser.find_elements(By.CSS_SELECTOR, "dialog") and not found:
        browser.execute_script("document.querySelector('dialog').showModal()")
        found = faults(browser)
    return found


def test_axe_finds_nothing_serious_on_any_page(
    browser: webdriver.Chrome, desk: Desk, sqlite_store: Store
) -> None:
    cases = filled(sqlite_store)
    found, signed_in = {}, ""
    for name, path in [
        (name, path) for visits in (*VISITS.values(), REFUSED) for name, paths in visits for path in paths
    ]:
        if name != signed_in:
            sign_in(browser, desk, signed_in := name)
        address = path if path.startswith("/") else f"/cases/{cases[path]}"
        if serious := faults_at(browser, f"{desk.url}{address}"):
            found[name, path] = serious
    assert found == {}


def test_axe_finds_nothing_serious_where_an_own_read_comes_first(
    browser: webdriver.Chrome, desk: Desk, sqlite_store: Store
) -> None:
    rules(sqlite_store, "[second_read]\nown_read_share = 1")
    case_id = seen_case(sqlite_store)
    sign_in(browser, desk, "ada")
    found = [faults_at(browser, f"{desk.url}{path}") for path in ("/", f"/cases/{case_id}")]
    press(browser, "\ue00c")  # Escape: the keys are closed
    browser.find_element(By.CSS_SELECTOR, "form.judge button").click()
    wait_for(browser, ".report")
    assert [*found, faults(browser)] == [[], [], []]


def test_every_page_of_the_table_of_routes_is_walked(desk: Desk, sqlite_store: Store) -> None:
    """What answers somebody who may with a page is a page, whoever adds it."""
    filled(sqlite_store)
    pages = set()
    for name in ("carla", "rita", "fay"):
        with desk.signed_in(name) as client:
            for template in [path for method, path in ROUTES if method == "GET"]:
                path = template
                for parameter, value in SAMPLES.items():
                    path = path.replace(parameter, value)
                with client.stream("GET", path) as answer:
                    if answer.status_code == 200 and answer.headers["content-type"].startswith("text/html"):
                        pages.add(template)
    assert pages - NO_PAGES == set(VISITS)
