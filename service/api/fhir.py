"""Takes reports as FHIR: a DiagnosticReport, or a Bundle with some, R4 and R5 in JSON (http.html of both)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from overread.errors import InputError, OutOfResourcesError, OverreadError
from service.fhir.capability import R4, R5, capability_statement
from service.fhir.intake import ReportOutcome, SubmissionReceipt, receive_submission
from service.fhir.outcome import (
    EntryAnswer,
    Issue,
    Json,
    bundle_answer,
    issue_of,
    operation_outcome,
    remark,
)
from service.fhir.report import BATCH, TRANSACTION
from service.fhir.resources import MalformedResourceError
from service.intake.receipt import ReceiptOutcome
from service.intake.reports import ReportReceipt
from service.metrics import IntakeProtocol, count_accepted, count_refused
from service.web.body import read_body
from service.web.context import Context, ServerContext, sender
from service.web.errors import RETRY_AFTER_SECONDS, problem_of
from service.web.multipart import parse_content_type
from service.web.narrative_turns import narratives_of

FHIR_JSON = "application/fhir+json"
BODY_TIMES_REPORT_MAX = 16  # a bundle holds several reports, or the pictures of a PDF, in base64
_MEDIA_TYPES = frozenset({FHIR_JSON, "application/json", "application/json+fhir", "text/json"})

router = APIRouter(prefix="/fhir", tags=["FHIR"])

_REPLY: dict[str, Any] = {"content": {FHIR_JSON: {"schema": {"type": "object"}}}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {**_REPLY, "description": "Nothing new, or the answer to a transaction or batch"},
    201: {**_REPLY, "description": "Every report is committed"},
    400: {**_REPLY, "description": "Not of the shape of its resource"},
    409: {**_REPLY, "description": "A report contradicts what is stored and lies in quarantine"},
    413: {**_REPLY, "description": "Larger than the installation takes"},
    415: {**_REPLY, "description": "Not JSON by its Content-Type"},
    422: {**_REPLY, "description": "A report cannot be used and lies in quarantine, or there is none"},
    503: {**_REPLY, "description": "It cannot be stored now; send it again after Retry-After seconds"},
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            FHIR_JSON: {"schema": {"type": "object"}},
            "application/json": {"schema": {"type": "object"}},
        },
    }
}
_DESCRIBED: dict[str, Any] = {"status_code": 201, "responses": _RESPONSES, "openapi_extra": _BODY}


@router.get("/metadata", summary="CapabilityStatement")
def metadata(request: Request) -> JSONResponse:
    """Return what is taken here; of R5 where `fhirVersion=5.0` is asked for, else of R4."""
    asked = parse_content_type(request.headers.get("accept", "")).parameters.get("fhirversion", "4.0")
    version = R5 if asked.startswith("5.") else R4
    return answer(200, capability_statement(version))


@router.post("", summary="Send a Bundle: transaction, batch, message, collection", **_DESCRIBED)
async def post_bundle(request: Request, context: Context) -> JSONResponse:
    """Keep the reports of a bundle; answers when they are committed."""
    return await _take(request, context)


@router.post("/Bundle", summary="Send a Bundle", **_DESCRIBED)
async def create_bundle(request: Request, context: Context) -> JSONResponse:
    """Keep the reports of a bundle, which itself is not kept; answers when they are committed."""
    return await _take(request, context)


@router.post("/DiagnosticReport", summary="Send a DiagnosticReport", **_DESCRIBED)
async def create_report(request: Request, context: Context) -> JSONResponse:
    """Keep a version of a report, whose study and patient are contained or named by identifiers."""
    return await _take(request, context)


@router.put("/DiagnosticReport/{name}", summary="Send a version of a DiagnosticReport", **_DESCRIBED)
async def update_report(
    request: Request,
    context: Context,
    name: Annotated[str, Path(max_length=64)],  # noqa: ARG001  # what the sender calls it
) -> JSONResponse:
    """Keep a version of a report as POST does: which case it belongs to, its study says."""
    return await _take(request, context)


async def _take(request: Request, context: ServerContext) -> JSONResponse:
    try:
        content_type = parse_content_type(request.headers.get("content-type", ""))
        if content_type.media_type not in _MEDIA_TYPES:
            raise HTTPException(415, f"send {FHIR_JSON}")
        content = await read_body(request, context.store.settings.report_bytes_max * BODY_TIMES_REPORT_MAX)
    except HTTPException as error:
        is_too_large = error.status_code == 413
        count_refused(IntakeProtocol.FHIR, "TOO_LARGE" if is_too_large else "UNSUPPORTED_MEDIA_TYPE")
        code = "too-long" if is_too_large else "not-supported"
        return _refused(error.status_code, [Issue(code=code, text=str(error.detail))])
    source = sender(request, "FHIR")
    try:
        return await narratives_of(request).run(lambda: _receive(context, content, source))
    except OutOfResourcesError as error:
        count_refused(IntakeProtocol.FHIR, error)
        return _refused(_status_of(error), [issue_of(error)])


def _receive(context: ServerContext, content: bytes, source: str) -> JSONResponse:
    try:
        receipt = receive_submission(context.store, content, source=source, now=context.clock())
    except OverreadError as error:
        count_refused(IntakeProtocol.FHIR, error)
        return _refused(_status_of(error), [issue_of(error)])
    for report in receipt.reports:
        _count(report)
    if receipt.submission.bundle_type in {TRANSACTION, BATCH}:
        answers = {outcome.place: _entry_answer(outcome) for outcome in receipt.reports}
        not_kept = EntryAnswer(
            status=200, issues=(remark("read for the reports that reference it; not kept"),)
        )
        entries = [answers.get(place, not_kept) for place in receipt.submission.places]
        return answer(200, bundle_answer(str(receipt.submission.bundle_type), entries))
    return _single_answer(receipt)


def _count(report: ReportOutcome) -> None:
    if report.error is not None:
        count_refused(IntakeProtocol.FHIR, report.error)
    elif report.outcomes:  # something has been reported
        count_accepted(IntakeProtocol.FHIR)


def _single_answer(receipt: SubmissionReceipt) -> JSONResponse:
    """Answer what is no transaction: as the first report that is not stored, else as the newest of them."""
    entries = [_entry_answer(outcome) for outcome in receipt.reports]
    issues = [issue for entry in entries for issue in entry.issues]
    statuses = [entry.status for entry in entries]
    failed = [status for status in statuses if status >= 400]
    if failed:
        return _refused(failed[0], issues)
    located = [entry.location for entry in entries if entry.location is not None]
    headers = {"Location": located[0]} if len(located) == 1 else None
    return answer(max(statuses), operation_outcome(issues), headers)


def _entry_answer(report: ReportOutcome) -> EntryAnswer:
    issues = tuple(_issue(outcome, report.place) for outcome in report.outcomes)
    if not issues:
        return EntryAnswer(
            status=200, issues=(remark("nothing has been reported yet; nothing is kept", place=report.place),)
        )
    if report.error is not None:
        return EntryAnswer(status=_status_of(report.error), issues=issues)
    receipts = [outcome for outcome in report.outcomes if isinstance(outcome, ReportReceipt)]
    is_new = any(receipt.outcome is ReceiptOutcome.STORED for receipt in receipts)
    location = f"/api/v1/cases/{receipts[0].case_id}" if len(receipts) == 1 else None
    return EntryAnswer(status=201 if is_new else 200, issues=issues, location=location)


def _issue(outcome: ReportReceipt | InputError, place: str) -> Issue:
    if isinstance(outcome, InputError):
        return issue_of(outcome, place=place)
    what = "stored as" if outcome.outcome is ReceiptOutcome.STORED else "had been stored before as"
    return remark(f"{what} version {outcome.version} of the report of case {outcome.case_id}", place=place)


def _status_of(error: Exception) -> int:
    """Return the status by the table; what does not have the shape of a resource is 400 in FHIR."""
    return 400 if isinstance(error, MalformedResourceError) else problem_of(error).status


def _refused(status: int, issues: Sequence[Issue]) -> JSONResponse:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else None
    return answer(status, operation_outcome(issues), headers)


def answer(status: int, resource: Json, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return a resource as FHIR is answered."""
    return JSONResponse(resource, status_code=status, media_type=FHIR_JSON, headers=headers)
