"""The pages as a browser without script gets them."""

import getpass
from html.parser import HTMLParser

import httpx
import pytest
from sqlalchemy import text

from overread.report import load_reader
from overread.report.reader import MOST_OBSERVATIONS
from service.store.database import Store
from service.store.queue import claim_case, fail_case
from service.store.worklist import load_case
from tests.service.material import (
    NOW,
    after,
    dicom_bytes,
    ready_case,
    send_image,
    send_report,
    triaged_case,
)
from tests.service.triage.test_worker import drain
from tests.service.web.seeing import seen_case

PERSON = {"Accept": "text/html"}
REPORT = "FINDINGS: No mass is seen."


class Page(HTMLParser):
    """The text, links and marks of a page."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        assert answer.headers["content-type"].startswith("text/html"), answer.text
        self.text = ""
        self.links: dict[str, str] = {}
        self.marked: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self._link: str | None = None
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, dict(attrs)))
        if tag == "a":
            self._link = dict(attrs).get("href")
        if tag == "mark":
            self.marked.append("")
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "option" in self._open:
            return  # what there is to choose from says nothing of what is shown
        words = " ".join(data.split())
        self.text += f"{words} " if words else ""
        if "a" in self._open and self._link and words:
            self.links.setdefault(words, self._link)
        if "mark" in self._open and "sup" not in self._open:
            self.marked[-1] += data

    def sources(self) -> list[str]:
        return [attrs["src"] or "" for tag, attrs in self.attributes if tag == "img"]


def get(api: httpx.Client, path: str) -> Page:
    return Page(api.get(path, headers=PERSON))


def test_an_empty_worklist_says_so_and_what_would_appear(api: httpx.Client) -> None:
    page = get(api, "/")
    assert "Nothing to read" in page.text
    assert "Not for primary diagnosis" in page.text


def test_the_worklist_names_finding_side_kind_reasons_and_where_it_comes_from(
    api: httpx.Client, sqlite_store: Store
) -> None:
    seen_case(sqlite_store, 1, findings=("cardiomegaly",))
    seen_case(sqlite_store, 2, report=REPORT)
    page = get(api, "/")
    assert page.text.index("Lung mass") < page.text.index("Cardiomegaly")
    for words in ("left", "Possible miss", "the report denies it", "A2", "DX chest"):
        assert words in page.text
    assert page.links["Lung mass"] == "/cases/2"


def test_no_list_names_a_patient_or_quotes_a_report(api: httpx.Client, sqlite_store: Store) -> None:
    seen_case(sqlite_store, report="FINDINGS: Jane has no mass.")
    for path in ("/", "/?show=all", "/quarantine"):
        text = api.get(path, headers=PERSON).text
        assert "Jane" not in text
        assert "Doe" not in text


@pytest.mark.parametrize("show", ["failed", "all"])
def test_a_failed_case_is_listed_with_its_reason_and_can_be_tried_again(
    api: httpx.Client, sqlite_store: Store, show: str
) -> None:
    case_id = ready_case(sqlite_store)
    claimed = claim_case(sqlite_store, worker="w", now=NOW)
    assert claimed is not None
    fail_case(sqlite_store, claimed.lease, "the pixel data ends early", now=NOW)
    assert "The pixel data ends early" in get(api, f"/?show={show}").text.replace("the pixel", "The pixel")
    assert "Try again" in get(api, f"/cases/{case_id}").text
    again = api.post(f"/cases/{case_id}/retry", headers=PERSON)
    assert (again.status_code, again.headers["location"]) == (303, f"/cases/{case_id}")
    assert "Waiting for triage" in get(api, f"/cases/{case_id}").text


def test_a_case_that_no_detector_applies_to_says_why_and_has_no_score(
    api: httpx.Client, sqlite_store: Store
) -> None:
    case_id = seen_case(sqlite_store, not_applicable="not a chest radiograph")
    listed = get(api, "/?show=not-applicable")
    assert "tiny: not a chest radiograph." in listed.text
    assert "Priority" not in listed.text
    assert "not a chest radiograph" in get(api, f"/cases/{case_id}").text


def test_each_tab_counts_its_cases(api: httpx.Client, sqlite_store: Store) -> None:
    seen_case(sqlite_store, 1)
    seen_case(sqlite_store, 2, not_applicable="no radiograph")
    send_report(sqlite_store, accession="A3")
    page = get(api, "/")
    for tab, count in (("To read", 1), ("Not applicable", 1), ("Incomplete", 1), ("Failed", 0), ("All", 3)):
        assert f"{tab} {count} " in page.text


def test_a_long_list_has_pages(api: httpx.Client, sqlite_store: Store) -> None:
    for number in range(1, 52):
        send_report(sqlite_store, accession=f"A{number}")
    first = get(api, "/?show=incomplete")
    second = get(api, first.links["Further down the list"])
    assert "A51" not in first.text
    assert "A51" in second.text
    assert second.links["Back to the top of the list"] == "/?show=incomplete"


def test_the_case_marks_the_sentence_that_the_image_contradicts(
    api: httpx.Client, sqlite_store: Store
) -> None:
    page = get(api, f"/cases/{seen_case(sqlite_store, report=REPORT)}")
    assert "".join(page.marked) == REPORT
    assert "Lung mass, left" in page.text
    assert "the report denies it" in page.text


def test_a_report_that_is_silent_is_said_to_be(api: httpx.Client, sqlite_store: Store) -> None:
    page = get(api, f"/cases/{seen_case(sqlite_store, report='Normal heart.')}")
    assert page.marked == []
    assert "The report reader found no statement about lung mass." in page.text


def test_a_report_that_states_too_much_is_said_to(api: httpx.Client, sqlite_store: Store) -> None:
    report = "No mass. " + "Effusion. " * (MOST_OBSERVATIONS + 8)

    page = get(api, f"/cases/{seen_case(sqlite_store, report=report, reader=load_reader())}")

    assert "its last 9 statements were left out" in page.text


def test_the_case_says_what_made_it(api: httpx.Client, sqlite_store: Store) -> None:
    page = get(api, f"/cases/{seen_case(sqlite_store)}")
    for words in (
        "tiny 7",
        "operating point balanced",
        "words 1",
        "cccccccccccccccc",
        "worker-1",
        "Case opened",
    ):
        assert words in page.text


def test_the_overlay_can_be_switched_off_without_script(api: httpx.Client, sqlite_store: Store) -> None:
    page = get(api, f"/cases/{seen_case(sqlite_store)}")
    assert len(page.sources()) == 2
    for source in page.sources():
        assert api.get(source).headers["content-type"] == "image/png"
    switched = api.get(page.links["Hide overlay"], headers=PERSON).text
    assert 'class="viewer without-overlay"' in switched
    assert "Show overlay" in switched


CONTRADICTING = (
    "FINDINGS: There is a left pneumothorax. 12 mm nodule in the right lung.\n"
    "IMPRESSION: No acute cardiopulmonary disease."
)


def test_what_the_report_alone_gets_wrong_is_named_and_marked_without_an_overlay(
    api: httpx.Client, sqlite_store: Store
) -> None:
    case_id = seen_case(sqlite_store, report=CONTRADICTING, findings=(), reader=load_reader())
    page = get(api, f"/cases/{case_id}")
    for words in (
        "Findings against impression",
        "No follow-up",
        "No communication",
        "Missing communication: pneumothorax should be told within minutes",
        "Missing follow-up: the report states lung nodule and recommends nothing.",
        "No overlay on this image",
    ):
        assert words in page.text, words
    assert len(page.sources()) == 1
    assert "There is a left pneumothorax" in "".join(page.marked)
    assert "No acute cardiopulmonary disease" in "".join(page.marked)
    assert "Pneumothorax" in get(api, "/").text


def test_a_study_that_no_detector_looked_at_is_listed_for_what_its_report_gets_wrong(
    api: httpx.Client, sqlite_store: Store
) -> None:
    case_id = seen_case(
        sqlite_store, report=CONTRADICTING, not_applicable="a lateral view", reader=load_reader()
    )
    assert "not looked at: a lateral view" in get(api, f"/cases/{case_id}").text
    assert "To read 1 " in get(api, "/").text


def test_a_case_says_how_long_it_waited_of_how_much_and_why_it_comes_first(
    api: httpx.Client, sqlite_store: Store
) -> None:
    for number, hours in ((1, 80), (2, 6), (3, 40)):  # 72 are allowed, 36 to its own subspecialty
        triaged_case(sqlite_store, number, now=after(-3600 * hours))
    worklist = get(api, "/").text
    assert worklist.index("A1") < min(worklist.index("A2"), worklist.index("A3"))
    assert worklist.count("Waited too long") == 1
    assert "6 of 72 h allowed" in get(api, "/cases/2").text
    assert "80 of 72 h allowed, so it comes first" in get(api, "/cases/1").text
    assert "40 of 72 h allowed, so it is shown to every subspecialty" in get(api, "/cases/3").text


def test_a_subspecialty_has_a_list_of_its_own_and_stays_on_it(api: httpx.Client, sqlite_store: Store) -> None:
    seen_case(sqlite_store, 1, findings=("cardiomegaly",))
    first, second = (seen_case(sqlite_store, number) for number in (2, 3))
    page = get(api, "/?for=thoracic")
    assert "Cardiomegaly" not in page.text
    assert page.links["Lung mass"] == f"/cases/{first}?for=thoracic"
    assert page.links["cardiac"] == "/?for=cardiac"
    case = get(api, f"/cases/{first}?for=thoracic")
    assert case.links["Next"] == f"/cases/{second}?for=thoracic"
    assert case.links["← To read"] == "/?for=thoracic"
    assert "for=thoracic" in case.links["Lung mass, left"]
    assert "Cardiomegaly" in get(api, "/?for=nobody").text


def known_case(store: Store) -> int:
    """A case whose only finding the patient's report of a year before calls stable; returns its number."""
    for number, day, report in ((1, "20250301", "There is a stable mass."), (2, "20260301", "Normal heart.")):
        content = dicom_bytes(study=f"2.25.{number}", AccessionNumber=f"A{number}", StudyDate=day)
        send_image(store, content)
        case_id = send_report(store, report, accession=f"A{number}").case_id
    drain(store, now=after(60))
    return case_id


def test_what_was_known_before_is_shown_with_the_earlier_sentence_and_brought_back_by_a_button(
    api: httpx.Client, sqlite_store: Store
) -> None:
    case_id = known_case(sqlite_store)
    page = get(api, f"/cases/{case_id}")
    for words in (
        "What differs was known before",
        "Known before",
        "The report of 2025-03-01 calls it stable",
        "There is a stable mass.",
    ):
        assert words in page.text, words
    assert "Lung mass" not in get(api, "/").text
    done = api.post(f"/cases/{case_id}/known-before/mass/restore", headers=PERSON)
    assert (done.status_code, done.headers["location"]) == (303, f"/cases/{case_id}")
    page = get(api, f"/cases/{case_id}")
    assert "Known before" not in page.text
    assert f"Known finding brought back: mass ({getpass.getuser()})" in page.text
    assert "Lung mass" in get(api, "/").text
    assert api.post(f"/cases/{case_id}/known-before/mass/restore", headers=PERSON).status_code == 404


def test_each_finding_has_an_overlay_of_its_own(api: httpx.Client, sqlite_store: Store) -> None:
    case_id = seen_case(sqlite_store, findings={"mass": 0.9, "cardiomegaly": 0.5})
    overlays = [get(api, f"/cases/{case_id}?finding={number}").sources()[1] for number in (1, 2)]
    assert "finding=mass" in overlays[0]
    assert "finding=cardiomegaly" in overlays[1]


def test_one_case_leads_to_the_next(api: httpx.Client, sqlite_store: Store) -> None:
    first, second = (seen_case(sqlite_store, number) for number in (1, 2))
    assert get(api, f"/cases/{first}").links["Next"] == f"/cases/{second}"
    assert get(api, f"/cases/{second}").links["Previous"] == f"/cases/{first}"


def test_markup_in_a_report_is_text(api: httpx.Client, sqlite_store: Store) -> None:
    report = "<script>alert(1)</script> No mass </pre> & <b>none</b>."
    answer = api.get(f"/cases/{seen_case(sqlite_store, report=report)}", headers=PERSON)
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text
    assert "".join(Page(answer).marked) == report


def test_a_case_shows_what_is_there_while_a_half_is_missing(api: httpx.Client, sqlite_store: Store) -> None:
    receipt = send_report(sqlite_store)
    page = get(api, f"/cases/{receipt.case_id}")
    assert "The images have not arrived." in page.text
    assert "No mass is seen." in page.text


def test_an_object_that_is_no_image_is_no_film(api: httpx.Client, sqlite_store: Store) -> None:
    no_image = dicom_bytes(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.11.1",
        Modality="PR",
        Rows=None,
        Columns=None,
        PixelData=None,
    )
    content = no_image.replace(b"1.2.840.10008.5.1.4.1.1.1.1\0", b"1.2.840.10008.5.1.4.1.1.11.1")
    send_image(sqlite_store, content)
    send_report(sqlite_store)
    api.post("/api/v1/studies/2.25.1/close")
    assert "No image of this study can be shown." in get(api, "/cases/1").text


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/cases/99", 404, "The store does not hold this"),
        ("/nowhere", 404, "There is no such page"),
        ("/cases/mine", 422, "There is no such page"),
    ],
)
def test_a_person_who_goes_astray_gets_a_page(api: httpx.Client, path: str, status: int, words: str) -> None:
    answer = api.get(path, headers=PERSON)
    assert answer.status_code == status
    assert words in Page(answer).text
    assert api.get(path).headers["content-type"] == "application/problem+json"


def test_the_quarantine_says_what_came_and_why_it_was_refused(api: httpx.Client) -> None:
    api.post("/api/v1/reports", json={"text": " ", "accession_number": "A77"})
    page = get(api, "/quarantine")
    for words in ("Report from HTTP 127.0.0.1", "the report is empty", "A77"):
        assert words in page.text


def test_pages_hold_nothing_that_the_content_policy_would_block(
    api: httpx.Client, sqlite_store: Store
) -> None:
    seen_case(sqlite_store)
    for path in ("/", "/cases/1", "/quarantine", "/sign-in"):
        page = get(api, path)
        for tag, attributes in page.attributes:
            assert "style" not in attributes, (path, tag)
            assert not [name for name in attributes if name.startswith("on")], (path, tag)
            address = attributes.get("src") or (attributes.get("href") if tag == "link" else None) or "/"
            assert address.startswith("/")
            assert not address.startswith("//")
            assert tag != "script" or attributes.get("src")


def test_pages_can_be_used_by_ear(api: httpx.Client, sqlite_store: Store) -> None:
    seen_case(sqlite_store)
    for path in ("/", "/cases/1", "/quarantine", "/sign-in"):
        page = get(api, path)
        tags = [tag for tag, _ in page.attributes]
        assert tags.count("main") == tags.count("h1") == tags.count("header") - (path == "/cases/1") == 1
        assert all(attributes.get("alt") for tag, attributes in page.attributes if tag == "img")
        assert ("html", {"lang": "en"}) in page.attributes
        labelled = {attributes.get("for") for tag, attributes in page.attributes if tag == "label"}
        assert all(
            attributes.get("id") in labelled
            for tag, attributes in page.attributes
            if tag == "input" and attributes.get("type") != "hidden"
        )


def test_a_case_page_needs_no_file_of_an_image_to_say_how_large_it_is(
    api: httpx.Client, sqlite_store: Store
) -> None:
    send_image(sqlite_store, dicom_bytes(number=2, Rows=4, Columns=16, AccessionNumber="A1"))
    case_id = triaged_case(sqlite_store)
    for instance in load_case(sqlite_store, case_id).instances:
        sqlite_store.files.path_of(instance.sha256).unlink()

    page = Page(api.get(f"/cases/{case_id}?image=2", headers=PERSON))

    assert {"Image 1", "Image 2"} <= set(page.links)
    assert "16 × 4" in page.text


def test_a_case_whose_result_cannot_be_read_says_so_and_shows_the_rest(
    api: httpx.Client, sqlite_store: Store
) -> None:
    case_id = triaged_case(sqlite_store)
    with sqlite_store.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER triage_results_append_only_update"))
        connection.execute(
            text("UPDATE triage_results SET result = :later"), {"later": '{"format":9,"value":1}'}
        )

    page = Page(api.get(f"/cases/{case_id}", headers=PERSON))

    assert "a later release wrote this triage result, in format 9" in page.text
    assert "No mass is seen." in page.text
