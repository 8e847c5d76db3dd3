"""QIDO-RS by plain HTTP: matching, pages, statuses."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydicom import Dataset
from starlette.exceptions import HTTPException

from service.dicomweb.qido_query import parse_query
from service.dicomweb.qido_search import find
from service.dicomweb.stow import make_stow_app
from service.settings import load_settings
from service.store.archive import Level
from service.store.database import Store, open_store
from service.store.worklist import load_instance
from service.web.guard import access_for
from service.web.settings import WebSettings
from tests.service.material import dicom_bytes, send_image
from tests.service.web.listening import TOKEN, listening, opener

DICOM_JSON = "application/dicom+json"
STUDY_UID, SERIES_UID, SOP_UID = "0020000D", "0020000E", "00080018"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Three studies: a radiograph, another of a namesake, and a CT of two series."""
    folder = tmp_path_factory.mktemp("archive")
    store = open_store(load_settings({}, data_folder=folder).model_copy(update={"free_bytes_min": 0}))
    fill(store)
    yield store
    store.close()


@pytest.fixture(scope="module")
def client(archive: Store) -> Iterator[httpx.Client]:
    """A client of the archive."""
    app = make_stow_app(opener(archive), access_for("127.0.0.1", None))
    with listening(app) as url, httpx.Client(base_url=url, timeout=30) as opened:
        yield opened


def fill(store: Store) -> None:
    request = Dataset()
    request.ScheduledProcedureStepID, request.RequestedProcedureID = "STEP1", "PROC1"
    for content in (
        dicom_bytes(
            study="2.25.1",
            AccessionNumber="A1",
            StudyDate="20260101",
            StudyTime="081500",
            PatientName="Doe^Jane",
            StudyDescription="Chest [ap]",
            StudyID="S-1",
        ),
        dicom_bytes(
            study="2.25.2",
            AccessionNumber="A2",
            PatientID="P2",
            StudyDate="20260301",
            StudyTime="1730",
            PatientName="Doe^John",
        ),
        *(
            dicom_bytes(
                study="2.25.3",
                number=number,
                SOPInstanceUID=f"2.25.3.{series}.{number}",
                SeriesInstanceUID=f"2.25.3.{series}",
                SeriesNumber=series,
                InstanceNumber=number,
                AccessionNumber="B3",
                PatientID="P3",
                PatientName="山田^太郎",
                SpecificCharacterSet="ISO_IR 192",
                StudyDate="20250615",
                Modality=modality,
                RequestAttributesSequence=[request],
            )
            for series, number, modality in ((1, 1, "CT"), (1, 2, "CT"), (2, 1, "SEG"))
        ),
    ):
        send_image(store, content)


def values(dataset: dict[str, Any], key: str) -> list[Any]:
    found: list[Any] = dataset[key].get("Value", [])
    return found


def found(client: httpx.Client, address: str, key: str = STUDY_UID) -> list[str]:
    reply = client.get(address)
    assert reply.status_code in {200, 204}, reply.text
    return [values(dataset, key)[0] for dataset in (reply.json() if reply.content else [])]


def test_studies_come_with_all_that_the_standard_requires_the_latest_first(client: httpx.Client) -> None:
    reply = client.get("/studies")
    assert (reply.status_code, reply.headers["content-type"]) == (200, DICOM_JSON)
    assert [values(dataset, STUDY_UID) for dataset in reply.json()] == [["2.25.2"], ["2.25.1"], ["2.25.3"]]
    for dataset in reply.json():
        assert set(dataset) >= {
            *("00080020", "00080030", "00080050", "00080056", "00080061", "00080090", "00081190"),
            *("00100010", "00100020", "00100030", "00100040", "0020000D", "00200010", "00201206", "00201208"),
        }
    ct = reply.json()[2]
    assert values(ct, "00080061") == ["CT", "SEG"]
    assert (values(ct, "00201206"), values(ct, "00201208")) == ([2], [3])
    assert values(ct, "00100010") == [{"Alphabetic": "山田^太郎"}]
    assert values(ct, "00081190") == [f"{client.base_url}/studies/2.25.3".replace("//studies", "/studies")]
    assert ct["00100030"] == {"vr": "DA"}  # required, and not known


@pytest.mark.parametrize(
    ("query", "studies"),
    [
        ("StudyInstanceUID=2.25.1", ["2.25.1"]),
        ("0020000D=2.25.1,2.25.3", ["2.25.1", "2.25.3"]),
        (r"0020000D=2.25.1\2.25.3", ["2.25.1", "2.25.3"]),
        ("AccessionNumber=A?", ["2.25.2", "2.25.1"]),
        ("AccessionNumber=a1", []),  # case counts, but in names
        ("AccessionNumber=A*&PatientID=P2", ["2.25.2"]),
        ("AccessionNumber=%25", []),  # no wildcard of SQL
        ("AccessionNumber=", ["2.25.2", "2.25.1", "2.25.3"]),
        ("StudyDate=20260101", ["2.25.1"]),
        ("StudyDate=20250615-20260101", ["2.25.1", "2.25.3"]),
        ("StudyDate=-20251231", ["2.25.3"]),
        ("00080020=20260102-", ["2.25.2"]),
        ("StudyTime=08-09", ["2.25.1"]),
        ("StudyTime=0815", ["2.25.1"]),
        ("StudyTime=173000-", ["2.25.2"]),
        ("ModalitiesInStudy=SEG", ["2.25.3"]),
        (r"ModalitiesInStudy=SEG\DX", ["2.25.2", "2.25.1", "2.25.3"]),
        ("SOPClassesInStudy=1.2.840.10008.5.1.4.1.1.1.1&StudyDate=20260102-", ["2.25.2"]),
        ("PatientName=doe*", ["2.25.2", "2.25.1"]),
        ("PatientName=DOE^J?NE", ["2.25.1"]),
        ("PatientName=山田*", ["2.25.3"]),
        ("PatientName=Doe", []),
        ("StudyDescription=*[ap]", ["2.25.1"]),
        ("StudyID=S-1&PatientName=*", ["2.25.1"]),
        ("NumberOfFrames=3", []),
    ],
)
def test_what_fits_every_key_is_found(client: httpx.Client, query: str, studies: list[str]) -> None:
    assert found(client, f"/studies?{query}") == studies


@pytest.mark.parametrize(
    ("address", "uids"),
    [
        ("/studies/2.25.3/series", ["2.25.3.1", "2.25.3.2"]),
        ("/studies/2.25.3/series?Modality=SEG", ["2.25.3.2"]),
        ("/studies/2.25.3/series?SeriesNumber=1", ["2.25.3.1"]),
        ("/studies/2.25.3/series?00400275.00400009=STEP1", ["2.25.3.1", "2.25.3.2"]),
        ("/studies/2.25.3/series?RequestAttributesSequence.RequestedProcedureID=PROC2", []),
        ("/series?Modality=DX&StudyDate=20260301", ["2.25.2.1"]),
        ("/series?limit=2&offset=1", ["2.25.1.1", "2.25.3.1"]),
        ("/studies/2.25.9/series", []),
    ],
)
def test_series_are_found_in_a_study_and_everywhere(
    client: httpx.Client, address: str, uids: list[str]
) -> None:
    assert found(client, address, SERIES_UID) == uids


@pytest.mark.parametrize(
    ("address", "uids"),
    [
        ("/studies/2.25.3/instances", ["2.25.3.1.1", "2.25.3.1.2", "2.25.3.2.1"]),
        ("/studies/2.25.3/series/2.25.3.1/instances", ["2.25.3.1.1", "2.25.3.1.2"]),
        ("/studies/2.25.1/series/2.25.3.1/instances", []),
        ("/studies/2.25.3/instances?InstanceNumber=2", ["2.25.3.1.2"]),
        ("/instances?SOPInstanceUID=2.25.3.2.1,2.25.1.1.1", ["2.25.1.1.1", "2.25.3.2.1"]),
        ("/instances?PatientName=Doe*&limit=1&offset=1", ["2.25.1.1.1"]),
    ],
)
def test_instances_are_found_in_a_series_in_a_study_and_everywhere(
    client: httpx.Client, address: str, uids: list[str]
) -> None:
    assert found(client, address, SOP_UID) == uids


def test_series_and_instances_come_with_what_the_standard_requires(client: httpx.Client) -> None:
    series = client.get("/studies/2.25.3/series").json()[0]
    assert (values(series, "00080060"), values(series, "00200011"), values(series, "00201209")) == (
        ["CT"],
        [1],
        [2],
    )
    assert values(series, "00400275")[0]["00401001"]["Value"] == ["PROC1"]
    instance = client.get("/studies/2.25.3/series/2.25.3.1/instances").json()[0]
    assert (values(instance, "00280010"), values(instance, "00280011")) == ([8], [8])
    assert values(instance, "00080016") == ["1.2.840.10008.5.1.4.1.1.1.1"]
    assert values(instance, "00081190")[0].endswith("/studies/2.25.3/series/2.25.3.1/instances/2.25.3.1.1")
    assert "7FE00010" not in instance


def test_further_fields_come_on_request_and_only_then(client: httpx.Client) -> None:
    def keys(query: str) -> set[str]:
        return set(client.get(f"/instances?limit=1&{query}").json()[0])

    assert "00180015" not in keys("")
    assert "00180015" in keys("includefield=BodyPartExamined,00280004")
    assert "00280004" in keys("includefield=BodyPartExamined&includefield=00280004")
    assert keys("includefield=all") >= {"00180015", "00280004", "00100010"}
    assert "00180015" in set(client.get("/series?includefield=all").json()[0])
    assert "00280010" not in set(client.get("/studies?includefield=all").json()[0])


def test_a_page_that_is_not_the_last_says_so(client: httpx.Client) -> None:
    first = client.get("/studies?limit=2")
    assert [values(dataset, STUDY_UID)[0] for dataset in first.json()] == ["2.25.2", "2.25.1"]
    assert first.headers["warning"].startswith("299 ")
    assert "additional results" in first.headers["warning"]
    last = client.get("/studies?limit=2&offset=2")
    assert [values(dataset, STUDY_UID)[0] for dataset in last.json()] == ["2.25.3"]
    assert "warning" not in last.headers
    assert client.get("/studies?offset=3").status_code == 204


def test_fuzzy_matching_is_answered_literally_with_a_warning(client: httpx.Client) -> None:
    reply = client.get("/studies?PatientName=Do*&fuzzymatching=true")
    assert len(reply.json()) == 2
    assert "Only literal matching" in reply.headers["warning"]


@pytest.mark.parametrize(
    "query",
    [
        "Nonsense=1",
        "00091001=1",
        "0020000=1",
        "limit=-1",
        "limit=many",
        "offset=99999999999",
        "StudyDate=yesterday",
        "StudyDate=20260101-20260102-20260103",
        "StudyDate=-x",
        "PixelData=1",
        "SeriesInstanceUID=2.25.3.1",
        "&".join(f"PatientID=P{number}" for number in range(100)),
        "PatientName=" + "x" * 20_000,
    ],
)
def test_a_malformed_query_is_a_bad_request_that_is_not_repeated(client: httpx.Client, query: str) -> None:
    reply = client.get(f"/studies?{query}")
    assert reply.status_code == 400
    assert reply.headers["content-type"] == "application/problem+json"
    assert query.partition("=")[2] not in reply.json()["title"]


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/dicom+json", 200),
        ("application/json", 200),
        ("*/*", 200),
        ("application/*;q=0.5, text/html", 200),
        ('multipart/related; type="application/dicom+xml"', 406),
        ("text/html", 406),
        ("*/*, application/dicom+json;q=0", 200),  # as application/json
    ],
)
def test_only_json_is_offered(client: httpx.Client, accept: str, status: int) -> None:
    assert client.get("/studies", headers={"Accept": accept}).status_code == status
    other = client.get("/studies", params={"accept": accept}, headers={"Accept": "text/html"})
    assert other.status_code == status


def test_a_search_that_would_read_too_many_headers_says_how_to_narrow_it(archive: Store) -> None:
    broad = parse_query(Level.STUDY, [("PatientName", "Nobody")])
    with pytest.raises(HTTPException, match="StudyDate") as error:
        find(archive, broad, "http://here", headers_max=2)
    assert error.value.status_code == 413
    assert "only the first 2 headers" in str(error.value.detail)
    narrow = parse_query(Level.STUDY, [("PatientName", "Doe*"), ("PatientID", "P2")])
    assert len(find(archive, narrow, "http://here", headers_max=2).datasets) == 1


def test_a_page_that_the_limit_of_headers_cuts_short_says_so(archive: Store) -> None:
    web = WebSettings(search_headers_max=2)
    app = make_stow_app(opener(archive), access_for("127.0.0.1", None), web)
    with listening(app) as url, httpx.Client(base_url=url, timeout=30) as client:
        cut = client.get("/studies", params={"PatientName": "?*"})
        whole = client.get("/studies", params={"PatientName": "?*", "limit": "1"})
        past = client.get("/studies", params={"PatientName": "?*", "offset": "2"})

    assert len(cut.json()) == 2
    assert cut.headers["warning"].startswith("299 ")
    assert "narrow the search by StudyDate" in cut.headers["warning"]
    assert "There are additional results" in whole.headers["warning"]
    assert past.status_code == 413


def test_a_search_asks_for_the_token(archive: Store) -> None:
    app = make_stow_app(opener(archive), access_for("0.0.0.0", TOKEN))
    with listening(app) as url:
        assert httpx.get(f"{url}/studies").status_code == 401
        assert httpx.get(f"{url}/studies", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_no_log_line_names_what_was_searched_for_or_found(
    client: httpx.Client, capfd: pytest.CaptureFixture[str]
) -> None:
    client.get("/studies?PatientName=Doe*&PatientID=P1&includefield=all")
    client.get("/studies?PatientName=Doe^&limit=x")
    logged = "".join(capfd.readouterr())
    assert "/studies" in logged
    assert "Doe" not in logged
    assert "P1" not in logged


def test_a_study_whose_file_is_gone_is_still_found_and_marked(sqlite_store: Store) -> None:
    fill(sqlite_store)
    load_instance(sqlite_store, "2.25.1.1.1").path.unlink()
    app = make_stow_app(opener(sqlite_store), access_for("127.0.0.1", None))
    with listening(app) as url, httpx.Client(base_url=url, timeout=30) as client:
        dataset = client.get("/studies?AccessionNumber=A1").json()[0]
        assert values(dataset, "00080056") == ["UNAVAILABLE"]
        assert (values(dataset, "00080020"), values(dataset, "00100020")) == (["20260101"], ["P1"])
        assert found(client, "/studies?PatientName=Doe*") == ["2.25.2"]
