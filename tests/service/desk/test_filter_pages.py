"""Filter, search, kept views and assignment on the page of the list, as a browser without script has them."""

from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest

from service.security.roles import Role
from service.store.audit_entries import AuditAction
from service.store.audit_trail import TrailFilter, find_entries
from service.store.database import Store
from service.store.reading_claims import find_claim
from tests.service.desk.test_pages import Page, get
from tests.service.material import dicom_bytes, send_image
from tests.service.security.people import Desk, add, desk_on, token_on
from tests.service.web.seeing import seen_case


@pytest.fixture
def desk(sqlite_store: Store) -> Iterator[Desk]:
    """A reader, a coordinator who reads too, and three cases."""
    add(sqlite_store, "ada", Role.SECOND_READER)
    add(sqlite_store, "eve", Role.SECOND_READER, Role.COORDINATOR)
    for number, finding in enumerate(("mass", "mass", "cardiomegaly"), 1):
        seen_case(sqlite_store, number, findings={finding: 0.9 - number / 10})
    with desk_on(sqlite_store) as running:
        yield running


def test_a_filter_says_what_it_leaves_and_each_part_is_one_link_from_going(
    api: httpx.Client, sqlite_store: Store
) -> None:
    seen_case(sqlite_store, 1)
    heart = seen_case(sqlite_store, 2, findings=("cardiomegaly",))
    page = get(api, "/?flag=cardiomegaly&kind=possible_miss")
    assert "1 of 2 triaged cases: what the filter leaves." in page.text
    assert "Cardiomegaly" in page.text
    assert "Lung mass" not in page.text
    addresses = [attributes.get("href") for tag, attributes in page.attributes if tag == "a"]
    assert f"/cases/{heart}?flag=cardiomegaly&kind=possible_miss" in addresses
    assert page.links["Without"] == "/?kind=possible_miss"
    assert page.links["Show the whole list"] == "/"
    nothing = get(api, "/?flag=pneumothorax&rows=compact")
    assert "Nothing left" in nothing.text
    assert nothing.links["Show the whole list"] == "/?rows=compact"
    case = get(api, f"/cases/{heart}?flag=cardiomegaly&who=open")
    assert case.links["← To read"] == "/?flag=cardiomegaly&who=open"
    assert "Next" not in case.links


def test_rows_say_who_reads_how_long_of_what_is_allowed_and_for_whom(desk: Desk) -> None:
    with desk.signed_in("ada") as ada, desk.signed_in("eve") as eve:
        token = {"csrf_token": token_on(ada.get("/")), "back": "/?who=mine"}
        assert ada.post("/cases/1/claim", data=token).headers["location"] == "/?who=mine"
        mine = Page(ada.get("/?who=mine"))
        assert "Read by You" in mine.text
        assert "1 of 3 triaged cases: what the filter leaves." in mine.text
        others = Page(eve.get("/"))
        assert "Read by Ada" in others.text
        assert "For cardiac" in others.text
        assert "allowed" in others.text
        assert "Nothing left" in Page(eve.get("/?who=mine")).text


def test_the_rows_alone_are_those_of_the_page(desk: Desk) -> None:
    with desk.signed_in("eve") as eve:
        page, rows = eve.get("/?flag=mass"), eve.get("/worklist/rows?flag=mass")
    assert 'data-rows="/worklist/rows?flag=mass"' in page.text
    assert "<html" not in rows.text
    assert rows.text.strip() in page.text


def search(browser: httpx.Client, wanted: str, back: str = "/") -> httpx.Response:
    given = {"csrf_token": token_on(browser.get("/")), "wanted": wanted, "back": back}
    return browser.post("/worklist/search", data=given)


def test_a_search_leads_to_an_address_without_what_was_typed(desk: Desk, sqlite_store: Store) -> None:
    send_image(sqlite_store, dicom_bytes(study="2.25.9", PatientID="P 9/ü", AccessionNumber="A9"))
    with desk.signed_in("ada") as ada, desk.signed_in("eve") as eve:
        by_accession = search(ada, " A3 ", "/?rows=compact&flag=mass")
        assert by_accession.headers["location"] == "/?cases=3&rows=compact"
        page = Page(ada.get("/?cases=3"))
        assert "Found" in page.text
        assert "1 case." in page.text
        assert "Cardiomegaly" in page.text
        assert search(ada, "P1").headers["location"] == "/?cases=none"
        assert "Nothing found" in ada.get("/?cases=none").text
        assert search(ada, "  ", "//elsewhere.example").headers["location"] == "/"
        of_patient = search(eve, "P1").headers["location"]
        assert of_patient == "/?cases=3.2.1"
    told = [line.entry for line in find_entries(sqlite_store, TrailFilter(actor="person:eve"))]
    searches = [entry for entry in told if entry.what == "POST /worklist/search"]
    assert [(entry.action, entry.detail) for entry in searches] == [
        (AuditAction.SEARCHED, "accession or patient: 3 cases")
    ]


def test_what_a_person_keeps_is_a_link_until_it_goes(desk: Desk) -> None:
    with desk.signed_in("ada") as ada, desk.signed_in("eve") as eve:
        wanted = "/?flag=mass&who=open&sort=cap"
        token = token_on(ada.get(wanted))
        given = {"csrf_token": token, "name": "Masses <1>", "back": wanted}
        assert ada.post("/worklist/views", data=given).headers["location"] == wanted
        page = Page(ada.get("/"))
        assert page.links["Masses <1>"] == wanted
        assert "Masses" not in Page(eve.get("/")).text
        ada.post("/worklist/views/1/drop", data={"csrf_token": token})
        assert "Masses" not in Page(ada.get("/")).text
        assert ada.post("/worklist/views", data={**given, "name": " "}).status_code == 422


def test_a_coordinator_assigns_what_was_chosen_and_a_reader_is_offered_no_such_thing(
    desk: Desk, sqlite_store: Store
) -> None:
    with desk.signed_in("ada") as ada, desk.signed_in("eve") as eve:
        assert "Assign" not in Page(ada.get("/")).text
        token = {"csrf_token": token_on(eve.get("/")), "back": "/?share=20"}
        eve.post("/cases/2/claim", data=token)
        given = {**token, "case_id": ["1", "2"], "reader": "ada"}
        done = Page(eve.post("/worklist/assign", data=given))
        assert "1 case assigned to Ada" in done.text
        assert "Eve has case 2" in done.text
        assert done.links["Back to the list"] == "/?share=20"
        assert "choose the cases first" in eve.post("/worklist/assign", data={**token, "reader": "ada"}).text
        refused = ada.post("/worklist/assign", data={"csrf_token": token_on(ada.get("/")), "reader": "ada"})
        assert refused.status_code == 403
    claim = find_claim(sqlite_store, 1, now=desk.clock())
    assert claim is not None
    assert (claim.holder.identifier, claim.assigned_by) == ("person:ada", "Eve")


@pytest.mark.parametrize("given", ["<script>", "A1'--", "%", "\x00", "x" * 201])
def test_nothing_typed_into_the_search_comes_back(desk: Desk, given: str) -> None:
    with desk.signed_in("eve") as eve:
        answer = search(eve, given)
    assert quote(given) not in str(answer.headers)
    assert given not in answer.text
