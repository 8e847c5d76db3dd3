"""Images and overlays as PNG."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from overread import __version__
from overread.errors import NotFoundError
from overread.observation import DetectorObservation
from service.adjudication.blinding import records_as_seen, require_open
from service.api.cases import CaseNumber
from service.pictures.drawing import PNG, Drawing, draw
from service.pictures.overlay import Ground, draw_evidence, overlay_bytes
from service.pictures.room import PictureOrder, room_of
from service.security.identity import Identity
from service.store.records import CaseDetail, InstanceRecord
from service.store.worklist import load_case, load_instance
from service.web.closing_response import ClosingResponse
from service.web.context import UID_PATTERN, Context, Recognised, ServerContext, recognised_or_none

router = APIRouter(prefix="/api/v1", tags=["images"])

FIT_PIXELS = 1024
LARGEST_PIXELS = 16384
_CACHE = "private, max-age=300"

_PNG: dict[int | str, dict[str, object]] = {
    200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}},
    304: {"description": "The picture that the client has is still right"},
    410: {"description": "Retention removed the pixels; the answer says when"},
    413: {"description": "Drawing it takes more memory or time than a picture may"},
    422: {"description": "The pixels cannot be decoded"},
    503: {"description": "Too many requests wait for pictures; the answer says when to come again"},
}
_MAX_SIDE = "Longer side at most this; never enlarged"
MaxSide = Annotated[int, Query(ge=64, le=LARGEST_PIXELS, description=_MAX_SIDE)]
KnownTag = Annotated[str | None, Header(alias="If-None-Match", max_length=1000)]


class OverlayQuery(BaseModel):
    """Which overlay, and how it is drawn."""

    finding: str | None = Field(None, max_length=100, description="Default: the leading one")
    ground: Ground = Field(Ground.IMAGE, description="On the image, or to lay over it")
    boxes: bool = Field(True, description="Whether boxes are drawn, or the heat map alone")
    max_side: int = Field(FIT_PIXELS, ge=64, le=LARGEST_PIXELS, description=_MAX_SIDE)


@router.get(
    "/instances/{sop_instance_uid}/rendered.png",
    summary="An image in grey",
    response_class=Response,
    responses=_PNG,
)
async def rendered(
    request: Request,
    context: Context,
    sop_instance_uid: Annotated[str, Path(pattern=UID_PATTERN)],
    max_side: MaxSide = FIT_PIXELS,
    frame: Annotated[int, Query(ge=0, le=100_000)] = 0,
    known: KnownTag = None,
) -> Response:
    """Return one frame with the window that the object names, for a look beside the diagnostic monitor."""
    record = await run_in_threadpool(seen_instance, context, sop_instance_uid, recognised_or_none(request))
    drawing = Drawing(frame=frame, media_type=PNG, max_side=max_side)
    order = PictureOrder(record=record, name=f"{frame}-{max_side}", draw=partial(draw, drawing=drawing))
    return await _picture(request, order, known)


@router.get(
    "/cases/{case_id}/overlay.png",
    summary="Where the detector saw a finding",
    response_class=Response,
    responses=_PNG,
)
async def overlay(
    request: Request,
    context: Context,
    case_id: CaseNumber,
    identity: Recognised,
    asked: Annotated[OverlayQuery, Query()],
    known: KnownTag = None,
) -> Response:
    """Return heat map and boxes of one finding, as large as its image at the same `max_side`."""
    await run_in_threadpool(require_open, context.store, case_id, identity)
    detail = await run_in_threadpool(load_case, context.store, case_id)
    observation = observation_of(detail, asked.finding)
    order = PictureOrder(
        record=_instance_of(detail, observation),
        name=f"{detail.summary.revision}-{observation.finding}-{asked.ground}-{asked.boxes}-{asked.max_side}",
        draw=partial(
            draw_evidence,
            observation=observation,
            ground=asked.ground,
            max_side=asked.max_side,
            boxes=asked.boxes,
        ),
        more_bytes=lambda form: overlay_bytes(form.columns, form.rows, asked.max_side),
    )
    return await _picture(request, order, known)


async def _picture(request: Request, order: PictureOrder, known: str | None) -> Response:
    """Answer with a picture, unless the client has it; what was removed is gone, whatever it has."""
    room = room_of(request)
    room.require_kept(order.record)
    tag = f'"{__version__}-{order.record.sha256[:32]}-{order.name}"'
    headers = {"ETag": tag, "Cache-Control": _CACHE}
    if known == tag:
        return Response(status_code=304, headers=headers)
    content = await room.picture(order)
    headers["Content-Length"] = str(content.size_bytes)
    return ClosingResponse(content, media_type=PNG, headers=headers)


def observation_of(detail: CaseDetail, finding: str | None) -> DetectorObservation:
    """Return what a detector said of a finding: of the leading discrepancy where none is named.

    Raises:
        NotFoundError: no detector looked for it, or nothing was found.
    """
    number = detail.summary.case_id
    if detail.triage is None:
        raise NotFoundError(f"case {number} has not been triaged")
    discrepancies = detail.triage.result.discrepancies
    leading = [item.detector_observation for item in discrepancies if item.detector_observation]
    every = [item for detection in detail.triage.detections for item in detection.observations]
    for observation in (*leading, *every):
        if finding is None or observation.finding == finding:
            return observation
    raise NotFoundError(f"no detector looked for this finding in case {number}")


def seen_instance(context: ServerContext, sop_instance_uid: str, identity: Identity | None) -> InstanceRecord:
    """Return an instance that somebody may see.

    Raises:
        NotFoundError: it is not stored, or holds a result that is shown after the own read.
    """
    return records_as_seen(context.store, [load_instance(context.store, sop_instance_uid)], identity)[0]


def _instance_of(detail: CaseDetail, observation: DetectorObservation) -> InstanceRecord:
    for instance in detail.instances:
        if instance.sop_instance_uid == observation.sop_instance_uid:
            return instance
    raise NotFoundError(f"the image {observation.sop_instance_uid} is not stored any more")
