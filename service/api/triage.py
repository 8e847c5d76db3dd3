"""Triage of one study and its report in a single request: the answer is the result, and nothing is stored."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Request
from python_multipart.multipart import parse_options_header
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from overread.comparison import PriorReport, days_between
from overread.errors import InputError, InvalidReportError, ModelError, OutOfResourcesError, OverreadError
from service.api.triage_types import Detection, ReportReading, StudyTriage, TriageResult
from service.intake.header import read_header
from service.store.database import Store
from service.store.files import IncomingFile
from service.store.policies import policy_in_force
from service.triage.looks import CaseMaterial
from service.web.context import Context, ServerContext
from service.web.multipart import FramingError, MultipartSplitter, PartReceiver, parse_content_type

IMAGES_MAX = 32  # radiographs come in ones to fours; a CT belongs into the store, where workers have the time
BODY_BYTES_MAX = 256 << 20
PRIORS_MAX = 20
WAITING_MAX = 8  # requests that wait for the detectors; each has its images on the disk
_DATE_BYTES_MAX = 64

router = APIRouter(prefix="/api/v1", tags=["triage"])

_FIELDS = {
    "image": {
        "type": "array",
        "minItems": 1,
        "maxItems": IMAGES_MAX,
        "items": {"type": "string", "format": "binary"},
        "description": "DICOM objects of one study",
    },
    "report": {"type": "string", "description": "The whole report, UTF-8"},
    "prior": {
        "type": "array",
        "maxItems": PRIORS_MAX,
        "items": {"type": "string"},
        "description": "Reports of earlier studies of the patient",
    },
    "prior_date": {
        "type": "array",
        "items": {"type": "string", "format": "date"},
        "description": "The date of each earlier study, in the order of `prior`",
    },
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "required": ["image", "report"], "properties": _FIELDS}
            }
        },
    }
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"description": "The body is not the multipart message that its Content-Type announces"},
    413: {"description": f"More than {BODY_BYTES_MAX >> 20} MiB, or the look takes more than its limits"},
    415: {"description": "Not multipart/form-data"},
    422: {"description": "Images, report or priors cannot be used; the detail says why"},
    503: {"description": "Too many such requests wait, or the model cannot be used; try again later"},
}


@dataclass(slots=True)
class _Form:
    """The fields of a request while they arrive."""

    store: Store
    images: list[IncomingFile] = field(default_factory=list)
    texts: dict[str, list[bytearray]] = field(default_factory=dict)

    def open_part(self, headers: dict[str, str]) -> PartReceiver:
        """Return the receiver of a part with these headers.

        Raises:
            InputError: there is no such field, or there are too many of it.
        """
        _, options = parse_options_header(headers.get("content-disposition", ""))
        name = options.get(b"name", b"").decode("latin-1")
        if name not in _FIELDS:
            raise InputError(f"a field is none of {', '.join(_FIELDS)}")
        if name == "image":
            if len(self.images) == IMAGES_MAX:
                raise InputError(f"there are more than {IMAGES_MAX} images; send such a study by DICOM")
            self.images.append(self.store.files.begin())
            return _ImagePart(self.images[-1])
        texts = self.texts.setdefault(name, [])
        if len(texts) == (1 if name == "report" else PRIORS_MAX):
            raise InputError(f"the field {name} comes too often")
        texts.append(bytearray())
        is_date = name == "prior_date"
        return _TextPart(
            texts[-1], bytes_max=_DATE_BYTES_MAX if is_date else self.store.settings.report_bytes_max
        )

    def close(self) -> None:
        """Remove the images."""
        for image in self.images:
            image.close()


@dataclass(frozen=True, slots=True)
class _ImagePart:
    """An image on its way to a temporary file."""

    incoming: IncomingFile

    def write(self, data: bytes) -> None:
        self.incoming.write(data)

    def finish(self) -> None:
        """Leave the file: `_Form` removes it."""

    def discard(self, reason: FramingError | None) -> None:
        """Leave the file: `_Form` removes it."""


@dataclass(frozen=True, slots=True)
class _TextPart:
    """A text on its way into memory."""

    content: bytearray
    bytes_max: int

    def write(self, data: bytes) -> None:
        if len(self.content) + len(data) > self.bytes_max:
            raise InvalidReportError(f"a text is larger than {self.bytes_max} bytes")
        self.content.extend(data)

    def finish(self) -> None:
        """Leave the text as it is."""

    def discard(self, reason: FramingError | None) -> None:
        """Leave the text: the request is refused."""


def _limiter_of(request: Request) -> CapacityLimiter:
    limiter: CapacityLimiter = request.app.state.triage_limiter
    return limiter


@router.post(
    "/triage",
    summary="Compare images and a report, store nothing",
    responses=_RESPONSES,
    openapi_extra=_BODY,
)
async def triage_study(
    request: Request, context: Context, limiter: Annotated[CapacityLimiter, Depends(_limiter_of)]
) -> StudyTriage:
    """Return where the images of one study and its report disagree, by the policy in force.

    What an earlier report calls stable or chronic is set aside. The images lie in a temporary file until the
    answer; neither they nor the texts are kept. One request is worked on at a time.
    """
    refusal = None
    if limiter.statistics().tasks_waiting >= WAITING_MAX:
        refusal = OutOfResourcesError("too many studies wait to be triaged in this way; try again later")
    form = _Form(context.store)
    try:
        await _receive(request, form, refusal)
        return await run_sync(_triage, form, context, limiter=limiter)
    finally:
        form.close()


async def _receive(request: Request, form: _Form, refusal: OverreadError | None) -> None:
    content_type = parse_content_type(request.headers.get("content-type", ""))
    if content_type.media_type != "multipart/form-data":
        raise HTTPException(415, "send multipart/form-data with the fields image and report")
    try:
        splitter = MultipartSplitter(content_type.parameters.get("boundary", ""), form.open_part)
        await _read(request, splitter, refusal)
    except FramingError as error:
        raise HTTPException(400, str(error)) from error
    except ClientDisconnect:
        raise HTTPException(400, "the body ended early") from None


async def _read(request: Request, splitter: MultipartSplitter, refusal: Exception | None) -> None:
    """Split the body, and read past the rest of one that is refused, so that its sender gets to read why."""
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > BODY_BYTES_MAX:
            raise HTTPException(413, f"the body may have at most {BODY_BYTES_MAX} bytes")
        if refusal is None:
            try:
                await run_sync(splitter.feed, chunk)
            except (FramingError, OverreadError) as error:
                refusal = error
    if refusal is not None:
        raise refusal
    splitter.close()


def _triage(form: _Form, context: ServerContext) -> StudyTriage:
    if context.looks is None:
        raise ModelError("this process has no detectors")
    study_date = _study_date(form.images)
    report = _single_report(form.texts)
    with context.store.reading() as connection:
        policy = policy_in_force(connection)
    material = CaseMaterial(
        report_text=report,
        instances=tuple(image.path for image in form.images),
        earlier=_priors(form.texts, study_date),
        policy=policy,
    )
    conclusion = context.looks().look(material)
    return StudyTriage(
        result=TriageResult.model_validate(conclusion.result),
        reading=ReportReading.model_validate(conclusion.reading),
        detections=tuple(map(Detection.model_validate, conclusion.detections)),
    )


def _study_date(images: Sequence[IncomingFile]) -> str | None:
    """Return the date of the study, None where the images state none.

    Raises:
        InputError: there is no image, one is no DICOM object, or they are of several studies.
    """
    if not images:
        raise InputError("send at least one DICOM object in the field image")
    headers = [read_header(image.path) for image in images]
    if len({header.study_instance_uid for header in headers}) > 1:
        raise InputError("the images are of several studies; send those of one")
    return headers[0].study_date


def _single_report(texts: dict[str, list[bytearray]]) -> str:
    if "report" not in texts:
        raise InvalidReportError("send the text of the report in the field report")
    return _text(texts["report"][0])


def _priors(texts: dict[str, list[bytearray]], study_date: str | None) -> tuple[PriorReport, ...]:
    """Return the earlier reports with how long before the study they were made.

    Raises:
        InputError: there are not as many dates as reports, or one does not lie before the study's.
    """
    reports, dates = texts.get("prior", []), texts.get("prior_date", [])
    if len(reports) != len(dates):
        raise InputError("each prior needs its prior_date")
    priors = []
    for number, (report, day) in enumerate(zip(reports, dates, strict=True), start=1):
        days = days_between(_text(day).strip(), study_date)
        if days is None or days <= 0:
            raise InputError(
                f"prior_date {number} must be YYYY-MM-DD and lie before the study's date"
                + ("" if study_date else ", which the images do not state")
            )
        priors.append(
            PriorReport(
                study_instance_uid=f"prior {number}", report_version=1, days_before=days, text=_text(report)
            )
        )
    return tuple(priors)


def _text(content: bytearray) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidReportError(f"a text is not UTF-8 (byte {error.start})") from None
