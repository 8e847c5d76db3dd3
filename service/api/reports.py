"""Takes reports, as JSON or as plain text."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException

from service.api import types
from service.intake.receipt import ReceiptOutcome
from service.intake.reports import IncomingReport, receive_report
from service.metrics import IntakeProtocol, counted
from service.store.records import ReportStatus
from service.web.body import read_body
from service.web.context import Context, sender
from service.web.multipart import ContentType, parse_content_type
from service.web.narrative_turns import narratives_of

router = APIRouter(prefix="/api/v1", tags=["reports"])

_ESCAPES_MAX = 6  # JSON may write a character as \uXXXX: so many bytes for one
_ENVELOPE_BYTES = 4096


def _iso_time(value: object) -> datetime | None:
    """Return a time in ISO 8601; a number, which may be a date as well as seconds, is none."""
    if value is None:
        return None
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:  # whose words repeat the value
        raise ValueError("it is no time in ISO 8601") from None


class ReportNames(BaseModel):
    """Names of a report. At least one of accession number and study UID must be there."""

    model_config = ConfigDict(extra="forbid")

    accession_number: str | None = Field(None, max_length=64, description="Ties the report to its study")
    study_instance_uid: str | None = Field(
        None, max_length=64, description="Instead of, or beside, the accession number"
    )
    patient_id: str | None = Field(None, max_length=64, description="Checked against the images where given")
    site: str | None = Field(None, max_length=64, description="Where the study was made; images decide")
    status: ReportStatus = Field(
        ReportStatus.FINAL, description="A preliminary report waits for the final one"
    )
    author: str | None = Field(
        None, max_length=200, description="Who wrote it, as accounts here are named; no second reader is told"
    )
    issued_at: Annotated[AwareDatetime | None, BeforeValidator(_iso_time)] = Field(
        None, description="When it was made, with its zone: of several versions the latest counts"
    )


class ReportBody(ReportNames):
    """A report as JSON."""

    text: str = Field(description="The whole report as the first reader wrote it")


_JSON_SCHEMA = ReportBody.model_json_schema(ref_template="#/components/schemas/{model}")
del _JSON_SCHEMA["$defs"]  # the status is among the document's own schemas already

_SCHEMA: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _JSON_SCHEMA},
            "text/plain": {
                "schema": {"type": "string", "description": "The report; query parameters name it"}
            },
        },
    }
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "model": types.ReportReceipt,
        "description": "This version had been received before; nothing changed",
    },
    201: {"model": types.ReportReceipt, "description": "The version is committed"},
    409: {"description": "It contradicts what is stored and lies in quarantine"},
    413: {"description": "Larger than the installation takes"},
    415: {"description": "Neither application/json nor text/plain"},
    422: {"description": "It cannot be used; what is a report at all lies in quarantine"},
    503: {"description": "It cannot be stored now; send it again after Retry-After seconds"},
}


async def _incoming_report(
    request: Request, context: Context, names: Annotated[ReportNames, Query()]
) -> IncomingReport:
    content_type = parse_content_type(request.headers.get("content-type", ""))
    limit = context.store.settings.report_bytes_max * _ESCAPES_MAX + _ENVELOPE_BYTES
    content = await read_body(request, limit)
    source = sender(request, "HTTP")
    match content_type.media_type:
        case "application/json":
            body = _parsed(content)
            return _from_json(body, source)
        case "text/plain":
            return _from_text(content, content_type, names, source)
    raise HTTPException(415, "send application/json, or text/plain with the names as query parameters")


@router.post(
    "/reports",
    summary="Send one version of a report",
    status_code=201,
    responses=_RESPONSES,
    openapi_extra=_SCHEMA,
)
async def post_report(
    request: Request,
    context: Context,
    report: Annotated[IncomingReport, Depends(_incoming_report)],
    response: Response,
) -> types.ReportReceipt:
    """Keep a version of a report and tie it to its study; answers when it is committed.

    Versions are never overwritten. The same version again changes nothing. A new version of a triaged case
    sends the case through triage again, unless it was made before the one that counts.
    """
    with counted(IntakeProtocol.HTTP):  # in turns: however many reports come, pages find a thread
        receipt = await narratives_of(request).run(
            lambda: receive_report(context.store, report, now=context.clock())
        )
    if receipt.outcome is ReceiptOutcome.ALREADY_STORED:
        response.status_code = 200
    response.headers["Location"] = f"/api/v1/cases/{receipt.case_id}"
    return types.ReportReceipt.model_validate(receipt)


def _parsed(content: bytes) -> ReportBody:
    try:
        return ReportBody.model_validate_json(content)
    except ValidationError as error:
        places = error.errors(include_input=False, include_context=False, include_url=False)
        raise RequestValidationError(
            [{**place, "loc": ("body", *place["loc"])} for place in places]
        ) from None


def _from_json(body: ReportBody, source: str) -> IncomingReport:
    return IncomingReport(
        content=body.text,
        status=body.status,
        accession_number=body.accession_number,
        study_instance_uid=body.study_instance_uid,
        patient_id=body.patient_id,
        site=body.site,
        author=body.author,
        issued_at=body.issued_at,
        source=source,
    )


def _from_text(content: bytes, content_type: ContentType, names: ReportNames, source: str) -> IncomingReport:
    return IncomingReport(
        content=content,
        status=names.status,
        accession_number=names.accession_number,
        study_instance_uid=names.study_instance_uid,
        patient_id=names.patient_id,
        site=names.site,
        author=names.author,
        issued_at=names.issued_at,
        charset=content_type.parameters.get("charset", "utf-8"),
        source=source,
    )
