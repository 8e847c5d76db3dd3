"""FHIR documents through the real route, and what is answered, held to HL7's definitions."""

import json
from typing import Any

import httpx
import pytest

from overread.case import CaseState
from service.intake.closing import close_study
from service.store.database import Store
from service.store.quarantine import list_quarantine
from service.store.worklist import load_case
from tests.service.counting import counting
from tests.service.fhir import official
from tests.service.fhir.documents import TEXT, Json, attachment, body, bundle, report, study, whole_bundle
from tests.service.material import NOW, dicom_bytes, send_image

FHIR = {"Content-Type": "application/fhir+json; fhirVersion=4.0"}


def send(api: httpx.Client, document: Json, path: str = "/fhir", **changed: Any) -> httpx.Response:
    return api.post(path, content=body(document), headers=FHIR | changed)


def checked(answer: httpx.Response) -> Json:
    """The resource that was answered, valid in R4B and in R5."""
    assert answer.headers["content-type"] == "application/fhir+json"
    resource = answer.json()
    for version in (official.R4, official.R5):
        official.require_valid(resource, version)
    return dict(resource)


def issues(answer: httpx.Response) -> list[tuple[str, str]]:
    outcome = checked(answer)
    assert outcome["resourceType"] == "OperationOutcome"
    return [(issue["severity"], issue["code"]) for issue in outcome["issue"]]


@pytest.mark.parametrize("version", [official.R4, official.R5])
@pytest.mark.parametrize("kind", ["transaction", "batch", "collection"])
def test_what_the_tests_send_is_fhir(version: str, kind: str) -> None:
    document = whole_bundle(kind)
    if version == official.R5:
        sent = document["entry"][3]["resource"]
        sent["study"] = sent.pop("imagingStudy")

    official.require_valid(document, version)


def test_a_report_becomes_a_version_of_the_case_of_its_study(api: httpx.Client, sqlite_store: Store) -> None:
    send_image(sqlite_store, dicom_bytes())
    close_study(sqlite_store, "2.25.1", now=NOW)

    answer = send(api, whole_bundle("collection"))

    assert answer.status_code == 201
    assert issues(answer) == [("information", "informational")]
    assert answer.headers["location"] == "/api/v1/cases/1"
    case = load_case(sqlite_store, 1)
    assert case.summary.state is CaseState.READY
    assert [(version.text, version.source) for version in case.reports] == [(TEXT, "FHIR 127.0.0.1")]


@pytest.mark.parametrize("path", ["/fhir", "/fhir/Bundle", "/fhir/DiagnosticReport"])
def test_the_same_document_again_is_acknowledged_and_changes_nothing(
    api: httpx.Client, sqlite_store: Store, path: str
) -> None:
    first, again = (send(api, whole_bundle("collection"), path) for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 200)
    assert len(load_case(sqlite_store, 1).reports) == 1


def test_a_report_may_be_put_under_the_name_that_its_sender_gave_it(api: httpx.Client) -> None:
    for status, code in (("preliminary", 201), ("final", 201), ("final", 200)):
        content = body(report(status=status))
        answer = api.put("/fhir/DiagnosticReport/r1", content=content, headers=FHIR)
        assert answer.status_code == code


@pytest.mark.parametrize("kind", ["transaction", "batch"])
def test_a_transaction_or_batch_is_answered_entry_by_entry(api: httpx.Client, kind: str) -> None:
    answer = send(api, whole_bundle(kind))

    assert answer.status_code == 200
    given = checked(answer)
    assert given["type"] == f"{kind}-response"
    assert [entry["response"]["status"] for entry in given["entry"]] == ["200", "200", "200", "201"]
    assert given["entry"][3]["response"]["location"] == "/api/v1/cases/1"


def other_patient() -> Json:
    """Two reports, of which the second is of another patient than the first, under one accession number."""
    first, second = report(id="r1"), report(id="r2", presentedForm=[attachment("Normal.")])
    first["subject"] = {"identifier": {"value": "P1"}}
    second["subject"] = {"identifier": {"value": "P2"}}
    return bundle(first, second)


def test_of_a_transaction_all_is_kept_or_nothing(api: httpx.Client, sqlite_store: Store) -> None:
    answer = send(api, other_patient() | {"type": "transaction"})

    assert answer.status_code == 409
    assert issues(answer) == [("error", "conflict")]
    assert api.get("/api/v1/cases/1").status_code == 404
    (entry,) = list_quarantine(sqlite_store)
    assert (entry.reason, entry.source) == ("CONTRADICTION", "FHIR 127.0.0.1")
    kept = sqlite_store.files.quarantine_path_of(entry.sha256).read_bytes()
    assert json.loads(kept)["type"] == "transaction"


def test_of_a_batch_each_is_kept_by_itself(api: httpx.Client, sqlite_store: Store) -> None:
    with counting("overread_intake") as counts:
        answer = send(api, other_patient() | {"type": "batch"})
    assert counts.added == {
        'overread_intake_accepted_total{protocol="fhir"}': 1,
        'overread_intake_refused_total{protocol="fhir",reason="CONTRADICTION"}': 1,
    }

    assert [entry["response"]["status"] for entry in checked(answer)["entry"]] == ["201", "409"]
    assert len(load_case(sqlite_store, 1).reports) == 1
    assert len(list_quarantine(sqlite_store)) == 1


def test_a_collection_of_which_one_is_refused_says_which(api: httpx.Client, sqlite_store: Store) -> None:
    answer = send(api, bundle(report(), report(id="r2", status="cancelled")))

    assert answer.status_code == 422
    assert issues(answer) == [("information", "informational"), ("error", "processing")]
    assert answer.json()["issue"][1]["expression"] == ["Bundle.entry[1].resource"]
    assert len(list_quarantine(sqlite_store)) == 1


def test_a_registered_report_is_acknowledged_and_nothing_is_kept(
    api: httpx.Client, sqlite_store: Store
) -> None:
    answer = send(api, report(status="registered", presentedForm=None))

    assert (answer.status_code, issues(answer)) == (200, [("information", "informational")])
    assert list_quarantine(sqlite_store) == ()
    assert api.get("/api/v1/cases/1").status_code == 404


@pytest.mark.parametrize(
    ("document", "status", "code", "quarantined"),
    [
        pytest.param({"resourceType": "DiagnosticReport"}, 400, "structure", 1, id="no status"),
        pytest.param({"resourceType": "Patient"}, 422, "not-supported", 0, id="another resource"),
        pytest.param(report(identifier=None), 422, "processing", 1, id="no study"),
        pytest.param(report(presentedForm=None), 422, "processing", 1, id="no text"),
        pytest.param(bundle(study()), 422, "processing", 1, id="no report"),
        pytest.param(report(status="entered-in-error"), 422, "processing", 1, id="withdrawn"),
        pytest.param(
            report(presentedForm=[attachment("x" * (1 << 20) + "x")]), 422, "processing", 1, id="long"
        ),
    ],
)
def test_what_cannot_be_used_is_refused_and_kept_apart(
    api: httpx.Client, sqlite_store: Store, document: Json, status: int, code: str, quarantined: int
) -> None:
    answer = send(api, document)

    assert (answer.status_code, issues(answer)) == (status, [("error", code)])
    assert len(list_quarantine(sqlite_store)) == quarantined


def test_the_body_is_bounded_and_has_to_be_json(api: httpx.Client, sqlite_store: Store) -> None:
    large = send(api, report(conclusion="x" * (17 << 20)))
    markup = api.post("/fhir", content=b"<Bundle/>", headers={"Content-Type": "application/fhir+xml"})

    assert (large.status_code, issues(large)) == (413, [("error", "too-long")])
    assert (markup.status_code, issues(markup)) == (415, [("error", "not-supported")])
    assert list_quarantine(sqlite_store) == ()


def test_without_room_the_sender_is_asked_to_try_again(api: httpx.Client, sqlite_store: Store) -> None:
    object.__setattr__(sqlite_store.settings, "free_bytes_min", 1 << 62)

    answer = send(api, whole_bundle())

    assert (answer.status_code, issues(answer)) == (503, [("error", "transient")])
    assert answer.headers["retry-after"] == "30"


@pytest.mark.parametrize(("version", "number"), [("4.0", "4.0.1"), ("5.0", "5.0.0")])
def test_what_can_be_done_is_told_in_the_version_that_is_asked_for(
    api: httpx.Client, version: str, number: str
) -> None:
    accept = {"Accept": f"application/fhir+json; fhirVersion={version}"}
    statement = api.get("/fhir/metadata", headers=accept).json()
    official.require_valid(statement, number)

    assert statement["fhirVersion"] == number
    assert [resource["type"] for resource in statement["rest"][0]["resource"]] == [
        "DiagnosticReport",
        "Observation",
        "Task",
        "Communication",
        *(["ImagingSelection"] if version == "5.0" else []),
        "Bundle",
    ]
