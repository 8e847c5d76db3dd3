"""Gives results as FHIR: read by id, and searched by accession number or study (http.html of R4 and R5)."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse

from overread.case import CaseEvent, CaseState
from overread.errors import NotFoundError
from overread.finding import load_vocabulary
from service.adjudication.decision import decision_of
from service.adjudication.telling import reaches_author
from service.api.fhir import FHIR_JSON, answer
from service.fhir.communication import communication
from service.fhir.outcome import Issue, Json, operation_outcome
from service.fhir.results import Result, diagnostic_report, observation, search_set, task
from service.results.statements import judged_statements
from service.store.database import Store
from service.store.results import cases_of_identifier, latest_subject
from service.store.worklist import load_case
from service.web.context import Context
from service.web.multipart import parse_content_type

router = APIRouter(prefix="/fhir", tags=["FHIR"])

_REPLY: dict[str, Any] = {"content": {FHIR_JSON: {"schema": {"type": "object"}}}}
_READ: dict[str, Any] = {
    "responses": {
        200: {**_REPLY, "description": "The resource"},
        404: {**_REPLY, "description": "There is none: no disagreement was found, or no such case"},
    }
}
_FOUND: dict[str, Any] = {"responses": {200: {**_REPLY, "description": "A Bundle, empty where nothing fits"}}}
_OUR_CASE = r"^case-[0-9]{1,18}$"
_OUR_FINDING = r"^case-[0-9]{1,18}-[0-9]{1,4}$"
Name = Annotated[str, Path(pattern=_OUR_CASE, description="case-NUMBER")]
FindingName = Annotated[str, Path(pattern=_OUR_FINDING, description="case-NUMBER-POSITION")]
Identifier = Annotated[
    str, Query(max_length=200, description="accession number, or urn:dicom:uid|urn:oid:STUDY")
]


@router.get("/DiagnosticReport/{name}", summary="Read the result of a case", **_READ)
def read_report(request: Request, context: Context, name: Name) -> JSONResponse:
    """Return the DiagnosticReport of the latest triage of a case in which something disagrees."""
    return _read(lambda: _report(context.store, _number(name), request))


@router.get("/Observation/{name}", summary="Read one disagreement", **_READ)
def read_observation(context: Context, name: FindingName) -> JSONResponse:
    """Return one Observation of the latest triage of a case."""
    _, number, position = name.split("-")
    return _read(lambda: _observation(context.store, int(number), int(position)))


@router.get("/Task/{name}", summary="Read the state of the second look", **_READ)
def read_task(context: Context, name: Name) -> JSONResponse:
    """Return the Task of the second look at a case."""
    return _read(lambda: _task(context.store, _number(name)))


@router.get("/Communication/{name}", summary="Read what the author of the report is told", **_READ)
def read_communication(request: Request, context: Context, name: Name) -> JSONResponse:
    """Return the Communication to the author of the report of a case."""
    return _read(lambda: _communication(context.store, _number(name), request))


@router.get("/Communication", summary="Find what authors are told", **_FOUND)
def find_communications(request: Request, context: Context, identifier: Identifier) -> JSONResponse:
    """Return the Communications of an order or study."""
    numbers = _cases(context.store, identifier)
    return _bundle(request, [_found(lambda n=n: _communication(context.store, n, request)) for n in numbers])


@router.get("/DiagnosticReport", summary="Find results", **_FOUND)
def find_reports(request: Request, context: Context, identifier: Identifier) -> JSONResponse:
    """Return the DiagnosticReports of an order or study."""
    numbers = _cases(context.store, identifier)
    return _bundle(request, [_found(lambda n=n: _report(context.store, n, request)) for n in numbers])


@router.get("/Observation", summary="Find disagreements", **_FOUND)
def find_observations(request: Request, context: Context, identifier: Identifier) -> JSONResponse:
    """Return the Observations of an order or study."""
    found: list[Json | None] = []
    for number in _cases(context.store, identifier):
        try:
            result = _result(context.store, number)
        except NotFoundError:
            continue
        found += [observation(result, place) for place in range(1, result.count + 1)]
    return _bundle(request, found)


@router.get("/Task", summary="Find second looks", **_FOUND)
def find_tasks(request: Request, context: Context, identifier: Identifier) -> JSONResponse:
    """Return the Tasks of an order or study."""
    numbers = _cases(context.store, identifier)
    return _bundle(request, [_found(lambda n=n: _task(context.store, n)) for n in numbers])


def _result(store: Store, case_id: int) -> Result:
    """Return the result of a case as it stands.

    Raises:
        NotFoundError: nothing disagrees nor ever did, it has not been triaged, or there is no such case.
    """
    subject = latest_subject(store, case_id)
    vocabulary = load_vocabulary()
    decision = decision_of(store, case_id, subject.record.revision)
    statements = judged_statements(subject.record, vocabulary, decision.judgement)
    result = Result(subject=subject, statements=statements, decision=decision, vocabulary=vocabulary)
    if not result.count and not _disagreed_before(store, case_id):
        raise NotFoundError(f"case {case_id} has no result: nothing disagrees")
    return result


def _disagreed_before(store: Store, case_id: int) -> bool:
    """Whether an earlier triage of a case found a disagreement, which may have been read since."""
    events = load_case(store, case_id).events
    return any(item.event == CaseEvent.FOUND_DISCREPANT.value for item in events)


def _report(store: Store, case_id: int, request: Request) -> Json:
    return diagnostic_report(_result(store, case_id), version=_version(request))


def _observation(store: Store, case_id: int, position: int) -> Json:
    result = _result(store, case_id)
    if not 1 <= position <= result.count:
        raise NotFoundError(f"the result of case {case_id} has {result.count} observations")
    return observation(result, position)


def _task(store: Store, case_id: int) -> Json:
    return task(_result(store, case_id), CaseState(load_case(store, case_id).summary.state))


def _communication(store: Store, case_id: int, request: Request) -> Json:
    reaches = reaches_author(store, case_id)
    made = communication(_result(store, case_id), reaches_author=reaches, version=_version(request))
    if made is None:
        raise NotFoundError(f"nobody is told of case {case_id}")
    return made


def _version(request: Request) -> str:
    """Return 5 where R5 is asked for, else 4."""
    asked = parse_content_type(request.headers.get("accept", "")).parameters.get("fhirversion", "4.0")
    return asked[:1] if asked.startswith("5.") else "4"


def _number(name: str) -> int:
    return int(name.removeprefix("case-"))


def _cases(store: Store, identifier: str) -> tuple[int, ...]:
    """Return the cases of a token such as `A-1` or `urn:dicom:uid|urn:oid:1.2.3`."""
    value = identifier.rpartition("|")[2]
    return cases_of_identifier(store, value.removeprefix("urn:oid:"))


def _read(make: Any) -> JSONResponse:
    try:
        return answer(200, make())
    except NotFoundError as error:
        return answer(404, operation_outcome([Issue(code="not-found", text=str(error))]))


def _found(make: Any) -> Json | None:
    try:
        resource: Json = make()
        return resource
    except NotFoundError:
        return None


def _bundle(request: Request, resources: Sequence[Json | None]) -> JSONResponse:
    base = str(request.base_url).rstrip("/") + "/fhir"
    return answer(200, search_set([item for item in resources if item is not None], base))
