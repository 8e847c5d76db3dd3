"""The pages as a browser without script gets them."""

from html.parser import HTMLParser

import httpx
import pytest

from service.store.database import Store
from service.store.queue import claim_case, fail_case
from tests.service.http.seeing import seen_case
from tests.service.material import NOW, dicom_bytes, ready_case, send_image, send_report

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
    assert "Nothing in this report names lung mass." in page.text


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


def test_each_finding_has_an_overlay_of_its_own(api: httpx.Client, sqlite_store: Store) -> None:
    case_id = seen_case(sqlite_store, findings=("mass", "cardiomegaly"))
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
        SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1",
        Modality="DOC",
        Rows=None,
        Columns=None,
        PixelData=None,
    )
    content = no_image.replace(b"1.2.840.10008.5.1.4.1.1.1.1\0", b"1.2.840.10008.5.1.4.1.1.104.1"[:28])
    send_image(sqlite_store, content)
    send_report(sqlite_store)
    api.post("/api/v1/studies/2.25.1/close")
    assert "No image of this study can be shown." in get(api, "/cases/1").text


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [("/cases/99", 404, "The store does not hold this"), ("/nowhere", 404, "There is no such page")],
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
        assert all(attributes.get("id") in labelled for tag, attributes in page.attributes if tag == "input")
