"""Before the own read is committed, nothing that a second reader can ask for tells report or result."""

import re
from collections.abc import Iterator

import httpx
import pytest

from overread.case import CaseState
from service.dicomweb.stow import make_stow_app
from service.security.roles import Role
from service.security.settings import SecuritySettings
from service.store.database import Store
from service.store.worklist import load_case
from service.web.guard import access_for
from tests.service.adjudication.test_reads import rules
from tests.service.material import dicom_bytes, send_image
from tests.service.security.people import Desk, add, desk_on, token_on
from tests.service.web.listening import listening, opener
from tests.service.web.seeing import seen_case

WORDS = ("mass", "is seen", "tiny", "POSSIBLE_MISS", "Possible miss", "balanced", "worker-1")
"""What report, detector, reasons and provenance of the case say."""
STRUCTURED = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.11", "Modality": "SR"}  # Basic Text SR Storage


@pytest.fixture
def desk(sqlite_store: Store) -> Iterator[Desk]:
    """A desk at which ada reads, carl coordinates and dora does both."""
    add(sqlite_store, "ada")
    add(sqlite_store, "carl", Role.COORDINATOR)
    add(sqlite_store, "dora", Role.QUALITY, Role.SECOND_READER)
    with desk_on(sqlite_store) as opened:
        yield opened


def addresses(case_id: int) -> tuple[str, ...]:
    return (
        "/",
        "/?show=all",
        "/?for=thoracic",
        f"/cases/{case_id}",
        f"/cases/{case_id}?finding=1&overlay=on",
        "/api/v1/worklist",
        "/api/v1/worklist?state=LISTED&subspecialty=thoracic",
        f"/api/v1/cases/{case_id}",
        "/api/v1/studies/2.25.1/case",
        f"/api/v1/cases/{case_id}/second-reads",
        f"/api/v1/cases/{case_id}/images",
    )


@pytest.mark.parametrize("name", ["ada", "dora"])
def test_a_second_reader_is_told_nothing_before_the_own_read_and_everything_after(
    desk: Desk, sqlite_store: Store, name: str
) -> None:
    rules(sqlite_store, "[second_read]\nown_read_share = 1")
    case_id = seen_case(sqlite_store)
    with desk.signed_in(name) as browser:
        for address in addresses(case_id):
            answer = browser.get(address)
            assert answer.status_code == 200, address
            told = re.sub("<option.*?</option>", "", answer.text).lower()  # what may be chosen is no answer
            assert not [word for word in WORDS if word.lower() in told], (address, told)
        overlay = browser.get(f"/api/v1/cases/{case_id}/overlay.png")
        assert overlay.status_code == 409
        restore = f"/api/v1/cases/{case_id}/known-before/mass/restore"
        token = {"X-CSRF-Token": token_on(browser.get(f"/cases/{case_id}"))}
        assert browser.post(restore, headers=token).status_code == 409
        assert browser.get("/api/v1/instances/2.25.1.1.1/rendered.png").status_code == 200

        own = {"submission": "own", "findings": [{"finding": "nodule", "laterality": "LEFT"}]}
        committed = browser.post(f"/api/v1/cases/{case_id}/own-read", json=own, headers=token)
        assert committed.status_code == 201
        page = browser.get(f"/cases/{case_id}").text
        assert all(word in page for word in ("Lung mass", "is seen", "tiny", "Possible miss"))
        assert browser.get(f"/api/v1/cases/{case_id}").json()["triage"] is not None
        assert browser.get(f"/api/v1/cases/{case_id}/overlay.png").status_code == 200


def test_who_judges_nothing_sees_the_case_as_it_is(desk: Desk, sqlite_store: Store) -> None:
    rules(sqlite_store, "[second_read]\nown_read_share = 1")
    case_id = seen_case(sqlite_store)
    with desk.signed_in("carl") as browser:
        assert browser.get(f"/api/v1/cases/{case_id}").json()["triage"] is not None
        assert "Your judgement" not in browser.get(f"/cases/{case_id}").text
        token = {"X-CSRF-Token": token_on(browser.get(f"/cases/{case_id}"))}
        body = {"submission": "s", "revision": 1, "radpeer": "1"}
        assert browser.post(f"/api/v1/cases/{case_id}/judgement", json=body, headers=token).status_code == 403
    assert load_case(sqlite_store, case_id).summary.state is CaseState.LISTED


def test_a_filter_by_result_finds_what_the_reader_committed_and_nothing_else(
    desk: Desk, sqlite_store: Store
) -> None:
    rules(sqlite_store, "[second_read]\nown_read_share = 1")
    first, second = seen_case(sqlite_store, 1), seen_case(sqlite_store, 2)
    with desk.signed_in() as browser:
        token = {"X-CSRF-Token": token_on(browser.get(f"/cases/{first}"))}
        own = {"submission": "own", "findings": []}
        browser.post(f"/api/v1/cases/{first}/own-read", json=own, headers=token)
        for query in ("flag=mass", "kind=possible_miss", "urgency=days"):
            shown = browser.get(f"/?{query}").text
            assert f'href="/cases/{second}?' not in shown, query
            assert f'href="/cases/{first}?' in shown, query
    with desk.signed_in("carl") as browser:
        assert f'href="/cases/{second}?' in browser.get("/?flag=mass").text


def test_a_share_of_the_cases_is_read_first_the_same_ones_for_everybody(
    desk: Desk, sqlite_store: Store
) -> None:
    rules(sqlite_store, "[second_read]\nown_read_share = 0.5\nseed = 4")
    for number in range(1, 25):
        seen_case(sqlite_store, number)
    hidden = []
    for name in ("ada", "dora"):
        with desk.signed_in(name) as browser:
            cases = browser.get("/api/v1/worklist?limit=100").json()["cases"]
        hidden.append({case["case_id"] for case in cases if case["headline"] is None})
    assert hidden[0] == hidden[1]
    assert 5 <= len(hidden[0]) <= 19


def test_report_objects_of_a_study_are_withheld_by_dicomweb(sqlite_store: Store) -> None:
    rules(sqlite_store, "[second_read]\nown_read_share = 1")
    seen_case(sqlite_store)
    report = dicom_bytes(number=9, PixelData=None, Rows=None, Columns=None, **STRUCTURED)
    send_image(
        sqlite_store, report.replace(b"1.2.840.10008.5.1.4.1.1.1.1\0", b"1.2.840.10008.5.1.4.1.1.88.11")
    )
    add(sqlite_store, "ada")
    add(sqlite_store, "carl", Role.COORDINATOR)
    access = access_for("127.0.0.1", None, security=SecuritySettings())
    app = make_stow_app(opener(sqlite_store, access=access), access)
    series = "/studies/2.25.1/series/2.25.1.1/instances"
    with desk_on(sqlite_store) as desk, listening(app) as url:
        for name, status in (("ada", 404), ("carl", 200)):
            with (
                desk.signed_in(name) as browser,
                httpx.Client(base_url=url, cookies=browser.cookies) as archive,
            ):
                answer = archive.get(f"{series}/2.25.1.1.9/metadata")
                assert (name, answer.status_code) == (name, status)
                whole = archive.get("/studies/2.25.1/metadata").json()
                assert len(whole) == (1 if name == "ada" else 2)
