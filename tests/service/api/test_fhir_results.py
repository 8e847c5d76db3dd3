"""Results as FHIR through the real routes, held to HL7's definitions of R4 and R5."""

from typing import Any

import httpx
import pytest

from overread.observation import Laterality
from service.store.database import Store
from tests.service.fhir import official
from tests.service.material import MASS
from tests.service.results.material import seen, told_case

R4 = {"Accept": "application/fhir+json; fhirVersion=4.0"}
R5 = {"Accept": "application/fhir+json; fhirVersion=5.0"}


def got(api: httpx.Client, path: str, headers: dict[str, str]) -> dict[str, Any]:
    answer = api.get(f"/fhir/{path}", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/fhir+json"
    resource = answer.json()
    official.require_valid(resource, official.R5 if headers is R5 else official.R4)
    return dict(resource)


@pytest.fixture
def told(sqlite_store: Store) -> int:
    return told_case(
        sqlite_store,
        seen("pneumothorax", (30, 40, 90, 120), side=Laterality.RIGHT, probability=0.75),
        seen("nodule", probability=0.625),
    )


@pytest.mark.parametrize("headers", [R4, R5], ids=["R4", "R5"])
def test_a_result_is_read_with_its_observations_and_its_task(headers, told, api) -> None:
    report = got(api, f"DiagnosticReport/case-{told}", headers)
    first, second = [got(api, item["reference"], headers) for item in report["result"]]
    task = got(api, f"Task/case-{told}", headers)

    assert report["subject"] == {"identifier": {"value": "P1"}}
    assert "A1" in [item["value"] for item in report["identifier"]]
    assert report["study" if headers is R5 else "imagingStudy"][0]["identifier"]["value"] == "urn:oid:2.25.1"
    assert first["code"]["coding"][0]["code"] == "36118008"
    assert first["valueCodeableConcept"]["text"] == "Present"
    words = [part["code"]["text"] for part in first["component"]]
    assert words[-1] == "probability of the finding"
    assert first["component"][-1]["valueQuantity"]["value"] == 75
    assert {"Right"} <= {part.get("valueCodeableConcept", {}).get("text") for part in first["component"]}
    assert second["code"]["text"] == "lung nodule"
    assert (task["status"], task["focus"]["reference"]) == ("requested", f"DiagnosticReport/case-{told}")


@pytest.mark.parametrize("identifier", ["A1", "urn:dicom:uid|urn:oid:2.25.1", "2.25.1"])
@pytest.mark.parametrize(("kind", "count"), [("DiagnosticReport", 1), ("Observation", 2), ("Task", 1)])
def test_results_are_found_by_order_and_study(identifier, kind, count, told, api) -> None:
    bundle = got(api, f"{kind}?identifier={identifier}", R4)

    assert (bundle["type"], bundle["total"], len(bundle["entry"])) == ("searchset", count, count)
    assert got(api, f"{kind}?identifier=another", R4)["total"] == 0


def test_a_concordant_case_has_no_result(sqlite_store, api) -> None:
    case_id = told_case(sqlite_store, seen(), report=MASS)

    for path in (f"DiagnosticReport/case-{case_id}", f"Task/case-{case_id}", f"Observation/case-{case_id}-1"):
        answer = api.get(f"/fhir/{path}")
        assert answer.status_code == 404
        official.require_valid(answer.json(), official.R5)
    assert got(api, "DiagnosticReport?identifier=A1", R4)["total"] == 0


def test_what_there_is_not_is_told_so(told, api) -> None:
    assert api.get("/fhir/DiagnosticReport/case-99").status_code == 404
    assert api.get(f"/fhir/Observation/case-{told}-3").status_code == 404
    assert api.get(f"/fhir/Observation/case-{told}-0").status_code == 404
