"""Earlier versions of results as FHIR, made of what is kept of triages, decisions and states."""

import httpx
import pytest

from service.adjudication.reads import judge, undo
from service.security.roles import Scope
from service.security.tokens import make_token
from service.store.database import Store
from tests.service.adjudication.test_reads import sender
from tests.service.api.test_fhir_results import R4, R5, got
from tests.service.api.test_fhir_verdicts import NODULE, ONE_OF_TWO, PNEUMOTHORAX, TELLS
from tests.service.material import send_report
from tests.service.results.material import seen, told_case, triage_again
from tests.service.security.people import BY

FOUND = (seen(PNEUMOTHORAX, (30, 40, 90, 120), probability=0.75), seen(NODULE, probability=0.625))


@pytest.fixture
def told(sqlite_store: Store, api: httpx.Client) -> int:
    """A case that is judged, taken back, judged again, and compared anew with a corrected report."""
    token = make_token(sqlite_store, "record", frozenset({Scope.CASES_READ}), days=1, by=BY)
    api.headers["Authorization"] = f"Bearer {token}"
    case_id = told_case(sqlite_store, *FOUND)
    first = judge(sqlite_store, case_id, ONE_OF_TWO, sender())
    undo(sqlite_store, case_id, first.read_id, sender(submission="back", seconds=90))
    judge(sqlite_store, case_id, TELLS, sender(submission="again", seconds=120))
    send_report(sqlite_store, "FINDINGS: Pulmonary nodule. IMPRESSION: Nodule.", accession="A1")
    triage_again(sqlite_store, case_id, FOUND[0])
    return case_id


def history(api: httpx.Client, name: str, headers: dict[str, str] = R4) -> list[dict]:
    """The versions of a resource, the oldest first."""
    bundle = got(api, f"{name}/_history", headers)
    assert bundle["type"] == "history"
    return bundle["entry"][::-1]


@pytest.mark.parametrize("headers", [R4, R5], ids=["R4", "R5"])
def test_every_version_of_a_result_is_given_and_read_by_its_name(headers, told, api) -> None:
    entries = history(api, f"DiagnosticReport/case-{told}", headers)

    versions = [entry["resource"] for entry in entries]
    assert [item["status"] for item in versions] == [
        "preliminary",
        "final",
        "amended",
        "corrected",
        "amended",
    ]
    assert [entry["response"]["status"] for entry in entries] == ["201", "200", "200", "200", "200"]
    assert versions[-1] == got(api, f"DiagnosticReport/case-{told}", headers)
    for item in versions:
        path = f"DiagnosticReport/case-{told}/_history/{item['meta']['versionId']}"
        assert got(api, path, headers) == item
        answer = api.get(f"/fhir/{path}", headers=headers)
        assert answer.headers["etag"] == f'W/"{item["meta"]["versionId"]}"'
    times = [item["meta"]["lastUpdated"] for item in versions]
    assert times[:4] == sorted(times[:4])


def test_an_earlier_version_has_the_verdicts_of_its_time(told, api) -> None:
    entries = history(api, f"Observation/case-{told}-2")

    assert [entry["resource"]["status"] for entry in entries[:4]] == [
        "preliminary",
        "entered-in-error",
        "amended",
        "entered-in-error",
    ]


def test_a_disagreement_that_a_later_triage_does_not_find_is_gone(told, api) -> None:
    last = history(api, f"Observation/case-{told}-2")[-1]

    assert (last["request"]["method"], "resource" in last) == ("DELETE", False)
    assert api.get(f"/fhir/Observation/case-{told}-2").status_code == 404


def test_a_task_has_a_version_for_each_state_of_the_case(told, api) -> None:
    versions = [entry["resource"] for entry in history(api, f"Task/case-{told}")]

    assert [item["status"] for item in versions] == [
        "requested",
        "completed",
        "requested",
        "completed",
        "on-hold",
        "requested",
    ]
    names = [item["meta"]["versionId"] for item in versions]
    assert len(set(names)) == len(names)
    assert versions[-1] == got(api, f"Task/case-{told}", R4)
    assert "output" in versions[1]
    assert "output" not in versions[2]


def test_what_an_author_was_told_is_kept_as_it_was_told(told, api) -> None:
    versions = [entry["resource"] for entry in history(api, f"Communication/case-{told}")]

    assert [item["status"] for item in versions] == ["not-done", "entered-in-error"]
    assert TELLS.comment in str(versions[0]["payload"])


def test_versions_that_there_never_were_are_not_found(told, api) -> None:
    for path in (
        "DiagnosticReport/case-99/_history",
        f"DiagnosticReport/case-{told}/_history/77",
        f"Observation/case-{told}-9/_history",
        f"ImagingSelection/case-{told}-2-1/_history",
    ):
        assert api.get(f"/fhir/{path}", headers=R5).status_code == 404
