"""Gives results as FHIR: read by id, and searched by accession number or study (http.html of R4 and R5)."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse

from overread.case import CaseState
from overread.errors import NotFoundError
from overread.finding import load_vocabulary
from service.api.fhir import FHIR_JSON, answer
from service.fhir.outcome import Issue, Json, operation_outcome
from service.fhir.results import diagnostic_report, observation, search_set, task
from service.results.statements import Statement, statements_of
from service.store.database import Store
from service.store.results import Subject, cases_of_identifier, latest_subject
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
            subject, statements = _told(context.store, number)
        except NotFoundError:
            continue
        found += [observation(subject, statements, place) for place in range(1, len(statements) + 1)]
    return _bundle(request, found)


@router.get("/Task", summary="Find second looks", **_FOUND)
def find_tasks(request: Request, context: Context, identifier: Identifier) -> JSONResponse:
    """Return the Tasks of an order or study."""
    numbers = _cases(context.store, identifier)
    return _bundle(request, [_found(lambda n=n: _task(context.store, n)) for n in numbers])


def _told(store: Store, case_id: int) -> tuple[Subject, tuple[Statement, ...]]:
    """Return what the latest triage of a case states.

    Raises:
        NotFoundError: nothing disagrees, it has not been triaged, or there is no such case.
    """
    subject = latest_subject(store, case_id)
    statements = statements_of(subject.record, load_vocabulary())
    if not statements:
        raise NotFoundError(f"case {case_id} has no result: nothing disagrees")
    return subject, statements


def _report(store: Store, case_id: int, request: Request) -> Json:
    subject, statements = _told(store, case_id)
    return diagnostic_report(subject, statements, version=_version(request))


def _observation(store: Store, case_id: int, position: int) -> Json:
    subject, statements = _told(store, case_id)
    if not 1 <= position <= len(statements):
        raise NotFoundError(f"the result of case {case_id} has {len(statements)} observations")
    return observation(subject, statements, position)


def _task(store: Store, case_id: int) -> Json:
    subject, _ = _told(store, case_id)
    return task(subject, CaseState(load_case(store, case_id).summary.state))


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
