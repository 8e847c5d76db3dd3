"""The check of resources against HL7's definitions finds what is wrong with a resource."""

import pytest

from tests.service.fhir.official import R4, R5, Json, faults_of

OBSERVATION = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "valueString": "a"}


def bundle(resource: Json) -> Json:
    entry = {"fullUrl": "http://a/Observation/1", "resource": resource, "search": {"mode": "match"}}
    link = {"relation": "self", "url": "http://a/Observation"}
    return {"resourceType": "Bundle", "type": "searchset", "total": 1, "link": [link], "entry": [entry]}


@pytest.mark.parametrize("version", [R4, R5])
def test_a_resource_as_it_should_be_has_no_fault(version) -> None:
    assert faults_of(bundle(OBSERVATION), version) == []


@pytest.mark.parametrize("version", [R4, R5])
@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"wrong": 1}, "no such elements as ['wrong']"),
        ({"code": {}}, "Observation.code: empty"),
        ({"dataAbsentReason": {"text": "why"}}, "obs-6"),
        ({"subject": {"reference": "Task/1"}}, "refers to Task/1"),
        ({"subject": {"reference": "#gone"}}, "ref-1"),
        ({"referenceRange": [{"appliesTo": [{"text": "adults"}]}]}, "obs-3"),
        ({"component": [{"valueString": "x"}]}, "Observation.component.code: 0 of 1..1"),
        ({"status": None}, "Observation.status"),
    ],
)
def test_a_fault_is_found_wherever_the_resource_stands(version, changed, fault) -> None:
    assert fault in str(faults_of(OBSERVATION | changed, version))
    assert fault in str(faults_of(bundle(OBSERVATION | changed), version))


def test_what_one_version_asks_for_another_need_not() -> None:
    unlinked = {name: value for name, value in bundle(OBSERVATION).items() if name != "link"}

    assert faults_of(unlinked, R4) == []
    assert "bdl-18" in str(faults_of(unlinked, R5))


def test_a_code_that_a_required_binding_does_not_list_is_found() -> None:
    assert "'seen'" in str(faults_of(bundle(OBSERVATION) | {"type": "seen"}, R5))
