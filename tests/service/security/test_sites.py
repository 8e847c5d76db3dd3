"""Whoever is bound to sites sees their cases and no others, by every way that lists or opens one."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest
from sqlalchemy import text

from overread.case import CaseState
from overread.errors import InputError, NotFoundError
from service.dicomweb.stow import make_stow_app
from service.intake.closing import close_study
from service.intake.instances import begin_instance, receive_instance
from service.intake.reports import IncomingReport, receive_report
from service.intake.sites import learn_sites, site_of
from service.security.roles import Role, Scope
from service.security.routes import ROUTES
from service.security.tokens import make_token
from service.store.archive import instances_within
from service.store.audit_entries import AuditAction, AuditOutcome
from service.store.audit_trail import TrailFilter, find_entries
from service.store.database import Store
from service.store.order import Selection
from service.store.people import bind_person
from service.store.prior_studies import prior_studies
from service.store.quarantine import list_quarantine
from service.store.sites import count_sites
from service.store.worklist import count_cases, list_numbers, load_case, load_instance
from service.web.guard import access_for
from tests.service.fhir.documents import identifier, report
from tests.service.material import ACCESSION, CLEAR, NOW, dicom_bytes, send_image, send_report
from tests.service.security.people import BY, add, desk_on, token_on
from tests.service.web.listening import listening, opener
from tests.service.web.seeing import seen_case

NAMES_OF_CASES = {
    "case_id",
    "study_instance_uid",
    "sop_instance_uid",
    "quarantine_id",
    "study",
    "series",
    "instance",
}
SENDS = {("POST", "/studies/{study_instance_uid}")}  # brings images in, and shows nothing that is there
SHOW_NOTHING_HERE = {
    ("POST", "/cases/{case_id}/known-before/{finding}/restore"),  # nothing is set aside as known before
    ("POST", "/api/v1/cases/{case_id}/known-before/{finding}/restore"),
    (
        "GET",
        "/studies/{study}/series/{series}/instances/{instance}/bulkdata/{place}",
    ),  # nothing is long enough
    *(
        ("GET", f"/fhir/{kind}/{{name}}{rest}")
        for kind in (
            "Communication",
            "ImagingSelection",
        )  # nobody is told before a judgement; there is no box
        for rest in ("", "/_history", "/_history/{version_id}")
    ),
}
BODIES: dict[str, dict[str, str]] = {
    "discard": {"because": "of no use"},
    "correct": {"accepts": "true"},
    "own-read": {"submission": "1"},
    "judgement": {"submission": "2", "revision": "1"},
    "undo": {"submission": "3", "read_id": "1"},
}
SEES_ALL = (Role.SECOND_READER, Role.COORDINATOR, Role.QUALITY)


@dataclass(frozen=True)
class Thing:
    """What is kept of one site, or of none: a case, its study, an entry of the quarantine."""

    case_id: int
    study: str
    entry: int

    def address(self, template: str) -> str:
        """Return the address of a route about it."""
        values = {
            "case_id": self.case_id,
            "study_instance_uid": self.study,
            "study": self.study,
            "series": f"{self.study}.1",
            "sop_instance_uid": f"{self.study}.1.1",
            "instance": f"{self.study}.1.1",
            "quarantine_id": self.entry,
            "finding": "mass",
            "frames": 1,
            "frame": 1,
            "place": "7FE00010",
            "name": f"case-{self.case_id}{'-1' if 'Observation' in template else ''}",
            "version_id": 1,
        }
        return re.sub(r"\{(\w+)\}", lambda found: str(values[found[1]]), template)


NOWHERE = Thing(case_id=999, study="2.25.999", entry=999)


def thing_of(store: Store, number: int, site: str | None) -> Thing:
    """Put a triaged case into the store, and an entry into the quarantine, both of a site."""
    case_id = seen_case(store, number, site=site)
    with pytest.raises(InputError):
        send_image(store, dicom_bytes(study=f"2.25.{number}", PatientID="other", InstitutionName=site))
    return Thing(case_id=case_id, study=f"2.25.{number}", entry=list_quarantine(store)[0].quarantine_id)


@dataclass(frozen=True)
class TwoSites:
    """A store with what is of two sites and of none, and the ways to it."""

    store: Store
    north: Thing
    south: Thing
    nobodys: Thing
    pages: httpx.Client  # in which somebody has signed in
    dicomweb: httpx.Client  # with the same cookie

    def ask(self, method: str, address: str) -> httpx.Response:
        """Ask as a browser would, with the token of the session."""
        client = self.dicomweb if address.startswith(("/studies", "/series", "/instances")) else self.pages
        if method == "GET":
            return client.get(address, headers={"Accept": "*/*"})
        token = {"X-CSRF-Token": self.pages.get("/session").json()["csrf_token"]}
        body = BODIES.get(address.rpartition("/")[2], {})
        if address.startswith("/api"):
            return client.post(address, headers={**token, "Accept": "*/*"}, json=body)
        return client.post(address, headers={**token, "Accept": "*/*"}, data=body)


@contextmanager
def two_sites(store: Store, sites: set[str] | None) -> Iterator[TwoSites]:
    ada = add(store, "ada", *SEES_ALL)
    bind_person(store, ada.person_id, sites, (), by=BY)
    things = [
        thing_of(store, number, site) for number, site in ((1, "North Hospital"), (2, "SOUTH "), (3, None))
    ]
    stow = make_stow_app(opener(store), access_for("127.0.0.1", None))
    with (
        desk_on(store) as desk,
        desk.signed_in() as pages,
        listening(stow) as url,
        httpx.Client(base_url=url, cookies=dict(pages.cookies), timeout=60) as dicomweb,
    ):
        yield TwoSites(store, *things, pages=pages, dicomweb=dicomweb)


def routes_about_cases() -> list[tuple[str, str]]:
    named = [route for route in ROUTES if NAMES_OF_CASES & set(re.findall(r"\{(\w+)\}", route[1]))]
    of_results = re.compile(r"/fhir/\w+/\{name\}(/_history(/\{version_id\})?)?")
    results = [route for route in ROUTES if route[0] == "GET" and of_results.fullmatch(route[1])]
    return sorted({*named, *results} - SENDS)


def numbers_on(client: httpx.Client) -> list[int]:
    """Return the numbers of the cases on the worklist."""
    return [case["case_id"] for case in client.get("/api/v1/worklist").json()["cases"]]


def words_of(answer: httpx.Response, thing: Thing) -> tuple[int, str]:
    """Return an answer without what tells one case from another."""
    text = answer.text.replace(thing.study, "STUDY")
    text = re.sub(rf"\b({thing.case_id}|{thing.entry})\b", "NUMBER", text)
    return answer.status_code, re.sub(r'value="[0-9a-f]{64}"', "", text)


def test_every_route_that_opens_a_case_answers_of_another_site_as_of_none(store: Store) -> None:
    with two_sites(store, {"north hospital"}) as house:
        for method, template in routes_about_cases():
            for other in (house.south, house.nobodys):
                seen = words_of(house.ask(method, other.address(template)), other)
                absent = words_of(house.ask(method, NOWHERE.address(template)), NOWHERE)
                assert seen == absent, (method, template)
                assert seen[0] in {204, 404}, (method, template)  # 204: a search within a study
        for other in (house.south, house.nobodys):
            assert load_case(store, other.case_id).events[-1].event == "FOUND_DISCREPANT"
            assert [entry.state for entry in list_quarantine(store)] == ["WAITING"] * 3


def test_the_same_routes_open_what_is_of_the_own_site(store: Store) -> None:
    with two_sites(store, {"north hospital"}) as house:
        for method, template in routes_about_cases():
            mine = house.ask(method, house.north.address(template)).status_code
            absent = house.ask(method, NOWHERE.address(template)).status_code
            assert mine != absent or (method, template) in SHOW_NOTHING_HERE, (method, template, mine)


def test_lists_searches_and_counts_hold_the_own_site_alone(store: Store) -> None:
    with two_sites(store, {"north hospital"}) as house:
        assert numbers_on(house.pages) == [1]
        assert house.pages.get("/api/v1/worklist").json()["line"]["above"] == 1
        listed = house.pages.get("/").text
        assert set(re.findall(r'href="/cases/(\d+)', listed)) == {"1"}
        counts = house.pages.get("/api/v1/counts").json()
        assert (counts["cases"]["LISTED"], counts["quarantine"]) == (1, 1)
        refused = house.pages.get("/api/v1/quarantine").json()
        assert (refused["total"], [entry["quarantine_id"] for entry in refused["entries"]]) == (1, [1])
        assert set(re.findall(r'href="/quarantine/(\d+)', house.pages.get("/quarantine").text)) == {"1"}
        for level in ("studies", "series", "instances"):
            found = house.dicomweb.get(f"/{level}").json()
            assert [item["0020000D"]["Value"] for item in found] == [["2.25.1"]], level
        assert house.dicomweb.get("/studies", params={"PatientID": "P1"}).json()[0]["0020000D"]["Value"] == [
            "2.25.1"
        ]
        # The buttons of a case lead to no other case.
        page = house.pages.get("/cases/1").text
        assert not re.search(r'href="/cases/[23]\b', page)


def test_what_second_reads_ask_for_is_listed_of_the_own_site_alone(sqlite_store: Store) -> None:
    with two_sites(sqlite_store, None) as house:
        for number in (1, 2):
            given = {"submission": f"s{number}", "revision": 1, "asks_for_addendum": True, "radpeer": "2a"}
            verdict = {"finding": "mass", "kind": "POSSIBLE_MISS", "verdict": "CONFIRMED"}
            token = {"X-CSRF-Token": house.pages.get("/session").json()["csrf_token"]}
            address = f"/api/v1/cases/{number}/judgement"
            answer = house.pages.post(address, json={**given, "verdicts": [verdict]}, headers=token)
            assert answer.status_code == 201, answer.text
        assert house.pages.get("/api/v1/second-reads/summary").json()["cases"] == 2
        bind_person(sqlite_store, 1, {"south"}, (), by=BY)
        assert house.pages.get("/api/v1/second-reads/summary").json()["cases"] == 1
        page = house.pages.get("/second-reads")
        assert page.status_code == 200
        assert set(re.findall(r"/cases/(\d+)", page.text)) == {"2"}


def test_earlier_studies_of_a_patient_are_named_as_far_as_they_may_be_seen(store: Store) -> None:
    for number, site, day in ((1, "north", "20240101"), (2, "south", "20250101"), (3, "north", "20260101")):
        study, accession = f"2.25.{number}", f"A{number}"
        names = {"AccessionNumber": accession, "InstitutionName": site, "StudyDate": day}
        send_image(store, dicom_bytes(study=study, **names))
        send_report(store, CLEAR, accession=accession)
        close_study(store, study, now=NOW)
    latest = load_case(store, 3).study

    for sites, seen in ((None, [2, 1]), ({"north"}, [1]), ({"south"}, [2]), (set(), [])):
        assert [prior.case_id for prior in prior_studies(store.seen_from(sites), latest)] == seen


def test_another_binding_counts_from_the_next_request_on(sqlite_store: Store) -> None:
    with two_sites(sqlite_store, set()) as house:
        ways = (("south", 2), ("north hospital", 1))
        assert numbers_on(house.pages) == []
        for site, number in ways:
            bind_person(sqlite_store, 1, {site}, (), by=BY)
            assert numbers_on(house.pages) == [number]
        bind_person(sqlite_store, 1, None, (), by=BY)
        assert len(numbers_on(house.pages)) == 3


def test_a_token_is_bound_likewise(sqlite_store: Store) -> None:
    scopes = frozenset({Scope.CASES_READ, Scope.IMAGES_READ})
    token = make_token(sqlite_store, "viewer", scopes, days=1, by=BY, sites=frozenset({"south"}))
    with two_sites(sqlite_store, None) as house:
        shown = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=house.pages.base_url, headers=shown) as program:
            assert program.get("/api/v1/cases/2").json()["summary"]["site"] == "south"
            assert program.get("/api/v1/cases/1").status_code == 404
        with httpx.Client(base_url=house.dicomweb.base_url, headers=shown) as program:
            assert [item["0020000D"]["Value"] for item in program.get("/studies").json()] == [["2.25.2"]]


def test_a_report_that_comes_as_fhir_is_of_the_site_that_it_names(sqlite_store: Store) -> None:
    sent = report(performer=[{"reference": "Organization/9", "display": "SOUTH "}])
    scopes = frozenset({Scope.REPORTS_WRITE})
    token = make_token(sqlite_store, "ris", scopes, days=1, by=BY)
    with two_sites(sqlite_store, {"south"}) as house:
        with httpx.Client(base_url=house.pages.base_url, headers={"Authorization": f"Bearer {token}"}) as ris:
            answer = ris.post(
                "/fhir/DiagnosticReport", json=sent | {"identifier": [identifier("A77", "ACSN")]}
            )
            assert answer.status_code == 201, answer.text
        assert house.pages.get("/api/v1/cases/4").json()["summary"]["site"] == "south"
        bind_person(sqlite_store, 1, {"north hospital"}, (), by=BY)
        assert house.pages.get("/api/v1/cases/4").status_code == 404


def test_what_fhir_tells_is_of_the_own_site(sqlite_store: Store) -> None:
    with two_sites(sqlite_store, None) as house:
        for number in (1, 2):
            given = {"submission": f"s{number}", "revision": 1, "tells_author": True}
            verdict = {"finding": "mass", "kind": "POSSIBLE_MISS", "verdict": "CONFIRMED"}
            token = {"X-CSRF-Token": house.pages.get("/session").json()["csrf_token"]}
            address = f"/api/v1/cases/{number}/judgement"
            answer = house.pages.post(address, json={**given, "verdicts": [verdict]}, headers=token)
            assert answer.status_code == 201, answer.text
        bind_person(sqlite_store, 1, {"south"}, (), by=BY)
        for kind, name in (
            ("DiagnosticReport", "case-{}"),
            ("Observation", "case-{}-1"),
            ("Task", "case-{}"),
            ("Communication", "case-{}"),
        ):
            statuses = [house.pages.get(f"/fhir/{kind}/{name.format(n)}").status_code for n in (1, 2, 3)]
            assert statuses == [404, 200, 404], kind
            totals = [
                house.pages.get(f"/fhir/{kind}", params={"identifier": study}).json()["total"]
                for study in ("2.25.1", "2.25.2")
            ]
            assert totals == [0, 1], kind
            found = house.pages.get(f"/fhir/{kind}").json()["entry"]
            assert [item["resource"]["id"] for item in found] == [name.format(2)], kind
    refused = [
        (sealed.entry.subject, sealed.entry.outcome)
        for sealed in find_entries(sqlite_store, TrailFilter())
        if sealed.entry and sealed.entry.what == "GET /fhir/Communication/{name}"
    ]
    refusal, success = AuditOutcome.REFUSED, AuditOutcome.SUCCEEDED
    assert refused == [("case 1", refusal), ("case 2", success), ("case 3", refusal)]


def test_who_asks_for_a_case_of_another_site_is_recorded_as_refused(sqlite_store: Store) -> None:
    with two_sites(sqlite_store, {"south"}) as house:
        house.pages.get("/cases/1")
        house.pages.get("/cases/2")
        house.ask("POST", "/cases/1/retry")
    told = [
        (sealed.entry.what, sealed.entry.subject, sealed.entry.action, sealed.entry.outcome)
        for sealed in find_entries(sqlite_store, TrailFilter())
        if sealed.entry and sealed.entry.what.partition(" ")[2].startswith("/cases/{case_id}")
    ]
    assert told == [
        ("GET /cases/{case_id}", "case 1", AuditAction.SAW, AuditOutcome.REFUSED),
        ("GET /cases/{case_id}", "case 2", AuditAction.SAW, AuditOutcome.SUCCEEDED),
        ("POST /cases/{case_id}/retry", "case 1", AuditAction.CHANGED, AuditOutcome.REFUSED),
    ]


def test_images_decide_on_the_site_and_the_report_where_they_do_not_say(store: Store) -> None:
    report = IncomingReport(content="No mass.", accession_number=ACCESSION, site="SMH", source="test")
    case_id = receive_report(store, report, now=NOW).case_id
    assert load_case(store, case_id).summary.site == "smh"
    send_image(store, dicom_bytes())
    close_study(store, "2.25.1", now=NOW)
    assert load_case(store, case_id).summary.site == "smh"
    # What the images do not say the case does: its pictures are seen by whoever sees the case.
    smh = store.seen_from({"smh"})
    assert load_case(smh, case_id).instances[0].sop_instance_uid == "2.25.1.1.1"
    assert load_instance(smh, "2.25.1.1.1") == instances_within(smh, "2.25.1")[0]
    send_image(store, dicom_bytes(number=2, InstitutionName="St. Mary's  Hospital"))
    with pytest.raises(NotFoundError):  # at once, though the case learns of it when the study closes
        instances_within(smh, "2.25.1")
    close_study(store, "2.25.1", now=NOW)
    assert load_case(store, case_id).summary.site == "st. mary's hospital"
    with pytest.raises(NotFoundError):
        load_case(smh, case_id)


@pytest.mark.parametrize(
    ("said", "site"),
    [
        ("SMH", "st mary"),
        ("  smh ", "st mary"),
        ("St.  Mary's Hospital", "st mary"),
        ("General", "general"),
        ("  ", None),
        (None, None),
    ],
)
def test_what_is_written_is_called_as_the_installation_calls_it(said: str | None, site: str | None) -> None:
    assert site_of(said, {"smh": "St Mary", "st. mary's hospital": "St Mary"}) == site


def test_studies_that_came_before_sites_were_recorded_learn_theirs_from_their_images(store: Store) -> None:
    number = seen_case(store, 1)
    seen_case(store, 2)
    with begin_instance(store) as incoming:  # a further image, whose study is closed again by what follows
        incoming.write(dicom_bytes(study="2.25.1", number=2, AccessionNumber="A1", InstitutionName="North"))
        receive_instance(store, incoming, source="test", now=NOW)
    _forget_sites(store)
    assert count_sites(store) == ((None, 2),)

    assert learn_sites(store, now=NOW) == (1, 1)

    assert set(count_sites(store)) == {(None, 1), ("north", 1)}
    seen = list_numbers(store.seen_from({"north"}), Selection(states=tuple(CaseState)), now=NOW, limit=9)
    assert seen == (number,)
    assert learn_sites(store, now=NOW) == (0, 1)


def test_an_administrator_binds_on_the_page(sqlite_store: Store) -> None:
    add(sqlite_store, "ada", Role.ADMINISTRATOR)
    bob = add(sqlite_store, "bob")
    send_report(sqlite_store)
    with desk_on(sqlite_store) as desk, desk.signed_in() as browser, desk.signed_in("bob") as other:
        token = {"csrf_token": token_on(browser.get("/people"))}
        address = f"/people/{bob.person_id}/binding"
        given = {**token, "bound": "true", "sites": "North \r\n\r\nSOUTH", "subspecialty": "thoracic"}
        assert browser.post(address, data=given).status_code == 303
        page = browser.get("/people").text
        assert "north\nsouth" in page
        assert other.get("/account").text.count("north, south") == 1
        wrong = browser.post(address, data={**token, "subspecialty": "phrenology"})
        assert (wrong.status_code, "no subspecialty" in wrong.text) == (409, True)
        forgotten = browser.post(address, data={**token, "sites": "north"})
        assert (forgotten.status_code, "of these sites alone" in forgotten.text) == (409, True)
        assert "north, south" in other.get("/account").text
        assert browser.post(address, data=token).status_code == 303
        assert "cases of every site" in other.get("/account").text


def test_whoever_has_a_subspecialty_opens_the_list_with_its_second_looks(sqlite_store: Store) -> None:
    ada = add(sqlite_store, "ada")
    seen_case(sqlite_store)
    with desk_on(sqlite_store) as desk, desk.signed_in() as browser:
        assert _current(browser.get("/")) == "everybody"
        for own, shown in (
            (("cardiac",), "cardiac"),
            (("cardiac", "thoracic"), "everybody"),
            ((), "everybody"),
        ):
            bind_person(sqlite_store, ada.person_id, None, own, by=BY)
            assert _current(browser.get("/")) == shown
        bind_person(sqlite_store, ada.person_id, None, ("cardiac",), by=BY)
        page = browser.get("/")
        everybody = re.search(r'href="(/\?for=everybody)"', page.text)
        assert everybody is not None
        assert _current(browser.get(everybody[1])) == "everybody"
        assert _current(browser.get("/?for=thoracic")) == "thoracic"
        assert browser.get("/cases/1").status_code == 200  # it hides nothing


def _current(page: httpx.Response) -> str:
    found = re.search(
        r'<nav class="subspecialties" aria-label="Cases by subspecialty">.*?</nav>', page.text, re.DOTALL
    )
    assert found is not None
    current = re.search(r'aria-current="[a-z]+"[^>]*>\s*([a-z]+)', found[0])
    assert current is not None, found[0]
    return current[1]


def _forget_sites(store: Store) -> None:
    with store.writing() as connection:
        for table in ("studies", "cases"):
            connection.execute(text(f"UPDATE {table} SET site = NULL"))


def test_counts_are_of_the_own_site(store: Store) -> None:
    seen_case(store, 1, site="north")
    seen_case(store, 2, site="south")
    assert sum(count_cases(store.seen_from({"north"})).values()) == 1
    assert sum(count_cases(store.seen_from(())).values()) == 0
    assert sum(count_cases(store).values()) == 2
