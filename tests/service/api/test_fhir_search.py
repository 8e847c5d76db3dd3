"""Searches for results as FHIR: filters, pages and what is included, as the capability statement says."""

from typing import Any

import httpx
import pytest

from overread.observation import Laterality
from service.adjudication.reads import judge
from service.fhir import search as searching
from service.security.roles import Scope
from service.security.tokens import make_token
from service.store.database import Store
from tests.service.adjudication.test_reads import sender
from tests.service.api.test_fhir_results import R4, R5, got
from tests.service.api.test_fhir_verdicts import NODULE, NOTHING, PNEUMOTHORAX, TELLS
from tests.service.fhir import official
from tests.service.material import MASS
from tests.service.results.material import seen, told_case
from tests.service.security.people import BY

JUDGED_AT = "2026-03-01T12:01:00Z"
KINDS = ("DiagnosticReport", "Observation", "Task", "Communication", "ImagingSelection")
CASES = 3  # of which the second is judged, the third withdrawn


@pytest.fixture
def three(sqlite_store: Store, api: httpx.Client) -> tuple[int, ...]:
    """Three cases of two findings each, and one in which image and report agree."""
    observations = (
        seen(PNEUMOTHORAX, (30, 40, 90, 120), side=Laterality.RIGHT, probability=0.75),
        seen(NODULE, probability=0.625),
    )
    numbers = tuple(
        told_case(sqlite_store, *[_at(item, number) for item in observations], number=number)
        for number in range(1, CASES + 1)
    )
    told_case(sqlite_store, seen(), report=MASS, number=CASES + 1)
    judge(sqlite_store, numbers[1], TELLS, sender(submission="one"))
    judge(sqlite_store, numbers[2], NOTHING, sender(submission="two", seconds=120))
    token = make_token(sqlite_store, "record", frozenset({Scope.CASES_READ}), days=1, by=BY)
    api.headers["Authorization"] = f"Bearer {token}"
    return numbers


def _at(item: Any, number: int) -> Any:
    """The observation on the image of the study of that number."""
    image = f"2.25.{number}.1.1"
    boxes = [(r.column_min, r.row_min, r.column_max, r.row_max) for r in item.regions]
    more = {"side": item.laterality, "probability": item.probability}
    return seen(item.finding, *boxes, image=image, **more)


def names(bundle: dict[str, Any], mode: str = "match") -> list[str]:
    entries = [entry for entry in bundle.get("entry", []) if entry["search"]["mode"] == mode]
    return [f"{entry['resource']['resourceType']}/{entry['resource']['id']}" for entry in entries]


def pages(api: httpx.Client, path: str, headers: dict[str, str]) -> list[dict[str, Any]]:
    """Every page of a search, by the links to the next one."""
    given = []
    while path:
        given.append(got(api, path, headers))
        links = {link["relation"]: link["url"] for link in given[-1]["link"]}
        path = links.get("next", "").partition("/fhir/")[2]
    return given


FILTERS = {
    "": [1, 2, 3],
    "_id=case-2": [2],
    "_id=case-1,case-3,case-99": [1, 3],
    "identifier=A2": [2],
    "identifier=urn:dicom:uid|urn:oid:2.25.3": [3],
    "status=preliminary": [1],
    "status=final,entered-in-error": [2, 3],
    "status=final&identifier=A1": [],
    f"_lastUpdated=ge{JUDGED_AT}": [2, 3],
    f"_lastUpdated=gt{JUDGED_AT}": [3],
    f"_lastUpdated=lt{JUDGED_AT}": [1],
    f"_lastUpdated=le{JUDGED_AT}": [1, 2],
    f"_lastUpdated={JUDGED_AT}": [2],
    "_lastUpdated=gt2026-03-01T12:00:30Z&_lastUpdated=lt2026-03-01T12:01:30Z": [2],
    "_lastUpdated=2026-03": [1, 2, 3],
    "_lastUpdated=ge2026-03-02": [],
    "_lastUpdated=lt2026": [],
}


def test_every_filter_narrows_what_is_found(three, api) -> None:
    bundles = {query: got(api, f"DiagnosticReport?{query}", R4) for query in FILTERS}

    found = {query: [int(name.rpartition("-")[2]) for name in names(bundles[query])] for query in FILTERS}
    assert found == FILTERS
    assert all(bundle["total"] == len(FILTERS[query]) for query, bundle in bundles.items())


def test_the_pages_of_a_search_hold_everything_once_and_none_more_than_asked(three, api) -> None:
    for kind in KINDS:
        everything = names(got(api, kind, R5))
        assert everything
        for size in (1, 2, 5):
            given = pages(api, f"{kind}?_count={size}", R5)
            assert [name for page in given for name in names(page)] == everything
            assert all(len(names(page)) <= size for page in given)
            assert all("total" not in page for page in given if len(given) > 1)


def test_a_page_that_has_looked_at_many_cases_says_where_to_go_on(three, api, monkeypatch) -> None:
    monkeypatch.setattr(searching, "EXAMINED_MAX", 1)

    given = pages(api, "DiagnosticReport?status=entered-in-error", R4)

    assert [names(page) for page in given] == [[], [], ["DiagnosticReport/case-3"]]
    assert ["total" in page for page in given] == [False] * 3


INCLUDED = {
    "DiagnosticReport?_id=case-2&_include=DiagnosticReport:result&_revinclude=Task:focus": [
        "Observation/case-2-1",
        "Observation/case-2-2",
        "Task/case-2",
    ],
    "Task?_id=case-2&_include=Task:focus:DiagnosticReport": ["DiagnosticReport/case-2"],
    "Task?_id=case-2&_revinclude=Communication:part-of": ["Communication/case-2"],
    "Communication?_include=Communication:part-of": ["Task/case-2"],
    "Observation?_id=case-2-2&_revinclude=DiagnosticReport:result": ["DiagnosticReport/case-2"],
    "Observation?identifier=A2&_include=Observation:derived-from": ["ImagingSelection/case-2-1-1"],
    "ImagingSelection?_id=case-1-1-1&_revinclude=Observation:derived-from": ["Observation/case-1-1"],
}
MISTAKES = (
    "_count=0",
    "_count=x",
    "_lastUpdated=yesterday",
    "_lastUpdated=ne2026",
    "_lastUpdated=2026-02-30",
    "_include=Task:owner",
    "_count=1&_count=2",
)


def test_what_matches_refer_to_and_what_refers_to_them_comes_along(three, api) -> None:
    assert {query: names(got(api, query, R5), "include") for query in INCLUDED} == INCLUDED


def test_what_cannot_be_understood_is_told_so(api) -> None:
    for query in MISTAKES:
        answer = api.get(f"/fhir/Task?{query}")
        assert answer.status_code == 400, query
        official.require_valid(answer.json(), official.R4)


def test_an_unknown_parameter_is_passed_over_and_refused_where_handling_is_strict(three, api) -> None:
    bundle = got(api, "Task?colour=red&_id=case-1", R4)

    assert names(bundle) == ["Task/case-1"]
    assert bundle["link"][0]["url"].endswith("/fhir/Task?_id=case-1")
    assert api.get("/fhir/Task?colour=red", headers={"Prefer": "handling=strict"}).status_code == 400


def test_places_in_the_images_are_given_in_r5_alone(three, api) -> None:
    selection = got(api, "ImagingSelection/case-1-1-1", R5)
    observation = got(api, "Observation/case-1-1", R5)

    (instance,) = selection["instance"]
    assert (selection["studyUid"], instance["uid"]) == ("2.25.1", "2.25.1.1.1")
    assert instance["imageRegion2D"] == [
        {"regionType": "polyline", "coordinate": [30, 40, 90, 40, 90, 120, 30, 120, 30, 40]}
    ]
    assert {"reference": "ImagingSelection/case-1-1-1"} in observation["derivedFrom"]
    assert got(api, "ImagingSelection/case-3-1-1", R5)["status"] == "entered-in-error"
    assert api.get("/fhir/ImagingSelection/case-1-1-1", headers=R4).status_code == 404
    assert "ImagingSelection" not in str(got(api, "Observation/case-1-1", R4))


@pytest.mark.parametrize("headers", [R4, R5], ids=["R4", "R5"])
def test_all_that_the_capability_statement_says_can_be_done_and_nothing_else(headers, three, api) -> None:
    (rest,) = got(api, "metadata", headers)["rest"]
    known = {resource["type"]: resource for resource in rest["resource"]}
    nothing = {"_id": "case-99", "identifier": "no", "_lastUpdated": "lt1990", "status": "no"}
    for kind in KINDS:
        resource = known.get(kind, {})
        found = names(got(api, kind, headers))
        assert bool(found) is bool(resource)
        if not resource:
            continue
        done = {item["code"] for item in resource["interaction"]}
        assert done - {"create", "update"} == {"read", "vread", "history-instance", "search-type"}
        version = got(api, found[0], headers)["meta"]["versionId"]
        assert got(api, f"{found[0]}/_history/{version}", headers)["meta"]["versionId"] == version
        assert got(api, f"{found[0]}/_history", headers)["total"] >= 1
        assert {item["name"] for item in resource["searchParam"]} == set(nothing)
        assert all(not names(got(api, f"{kind}?{name}={value}", headers)) for name, value in nothing.items())
        for parameter, key in (("_include", "searchInclude"), ("_revinclude", "searchRevInclude")):
            for name in resource.get(key, []):
                assert names(got(api, f"{kind}?{parameter}={name}", headers), "include")
        refused = {method for method in ("POST", "PUT", "DELETE", "PATCH") if _is_refused(api, method, kind)}
        taken = {"POST": "create", "PUT": "update", "DELETE": "delete", "PATCH": "patch"}
        assert refused == {method for method, code in taken.items() if code not in done}


def _is_refused(api: httpx.Client, method: str, kind: str) -> bool:
    path = f"/fhir/{kind}" if method == "POST" else f"/fhir/{kind}/case-1"
    return api.request(method, path, headers={"Authorization": ""}).status_code in {403, 404, 405}
