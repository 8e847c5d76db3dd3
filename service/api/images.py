"""Images and overlays as PNG."""

from enum import StrEnum
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query
from fastapi.responses import Response
from PIL import Image

from models.pixels import render_for_display
from overread import __version__
from overread.errors import NotFoundError
from overread.observation import DetectorObservation
from service.api.cases import CaseNumber
from service.api.overlay import compose, draw_overlay, to_png
from service.store.records import CaseDetail, InstanceRecord
from service.store.worklist import load_case, load_instance
from service.web.context import UID_PATTERN, Context
from service.web.picture import measure

router = APIRouter(prefix="/api/v1", tags=["images"])

FIT_PIXELS = 1024
LARGEST_PIXELS = 16384
_CACHE = "private, max-age=300"

_PNG: dict[int | str, dict[str, object]] = {
    200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}},
    304: {"description": "The picture that the client has is still right"},
}
MaxSide = Annotated[
    int, Query(ge=64, le=LARGEST_PIXELS, description="Longer side at most this; never enlarged")
]
KnownTag = Annotated[str | None, Header(alias="If-None-Match", max_length=1000)]


class Ground(StrEnum):
    """Background of the overlay."""

    IMAGE = "image"
    TRANSPARENT = "transparent"


@router.get(
    "/instances/{sop_instance_uid}/rendered.png",
    summary="An image in grey",
    response_class=Response,
    responses=_PNG,
)
def rendered(
    context: Context,
    sop_instance_uid: Annotated[str, Path(pattern=UID_PATTERN)],
    max_side: MaxSide = FIT_PIXELS,
    frame: Annotated[int, Query(ge=0, le=100_000)] = 0,
    known: KnownTag = None,
) -> Response:
    """Return one frame with the window that the object names, for a look beside the diagnostic monitor."""
    instance = load_instance(context.store, sop_instance_uid)
    path = instance.path  # what was removed is gone, whatever the client has
    tag = _tag(instance.sha256[:32], str(frame), str(max_side))
    if known == tag:
        return _not_modified(tag)
    picture = Image.fromarray(render_for_display(path, frame=frame, max_side=max_side))
    return _png(picture, tag)


@router.get(
    "/cases/{case_id}/overlay.png",
    summary="Where the detector saw a finding",
    response_class=Response,
    responses=_PNG,
)
def overlay(
    context: Context,
    case_id: CaseNumber,
    finding: Annotated[str | None, Query(max_length=100, description="Default: the leading one")] = None,
    ground: Annotated[Ground, Query(description="On the image, or to lay over it")] = Ground.IMAGE,
    max_side: MaxSide = FIT_PIXELS,
    known: KnownTag = None,
) -> Response:
    """Return heat map and boxes of one finding, as large as its image at the same `max_side`."""
    detail = load_case(context.store, case_id)
    observation = observation_of(detail, finding)
    instance = _instance_of(detail, observation)
    path = instance.path
    tag = _tag(instance.sha256[:32], str(detail.summary.revision), observation.finding, ground, str(max_side))
    if known == tag:
        return _not_modified(tag)
    return _png(_drawn(path, observation, ground, max_side), tag)


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


def _instance_of(detail: CaseDetail, observation: DetectorObservation) -> InstanceRecord:
    for instance in detail.instances:
        if instance.sop_instance_uid == observation.sop_instance_uid:
            return instance
    raise NotFoundError(f"the image {observation.sop_instance_uid} is not stored any more")


def _drawn(path: FilePath, observation: DetectorObservation, ground: Ground, max_side: int) -> Image.Image:
    size = measure(path)
    width, height = size.fitted(max_side)
    if ground is Ground.TRANSPARENT:
        return draw_overlay(observation, columns=size.columns, rows=size.rows, width=width, height=height)
    pixels = render_for_display(path, frame=frame_of(observation), max_side=max_side)
    layer = draw_overlay(
        observation, columns=size.columns, rows=size.rows, width=pixels.shape[1], height=pixels.shape[0]
    )
    return compose(pixels, layer)


def frame_of(observation: DetectorObservation) -> int:
    """Return the frame that the observation is drawn on."""
    regions = [*observation.regions]
    if observation.heat_map is not None:
        regions.append(observation.heat_map.region)
    return regions[0].frame if regions else 0


def _tag(*parts: str) -> str:
    return '"' + "-".join((__version__, *parts)) + '"'


def _not_modified(tag: str) -> Response:
    return Response(status_code=304, headers={"ETag": tag, "Cache-Control": _CACHE})


def _png(picture: Image.Image, tag: str) -> Response:
    return Response(to_png(picture), media_type="image/png", headers={"ETag": tag, "Cache-Control": _CACHE})
