"""Images of a case in their order, and their frames before the window, for a viewer."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from overread import __version__
from overread.errors import NotFoundError, OutOfResourcesError, OverLimitError, UndecodablePixelsError
from service.adjudication.blinding import images_as_seen
from service.api.cases import CaseNumber
from service.api.images import KnownTag, seen_instance
from service.pictures.describing import ImageDescription, describe_images
from service.pictures.room import PictureOrder, PictureRoom, room_of
from service.pictures.stacks import Stack, stacks_of
from service.pictures.viewing import OCTETS, read_for_viewer, viewing_bytes
from service.store.records import InstanceRecord
from service.store.worklist import load_case
from service.web.archive_threads import run, threads_of
from service.web.closing_response import ClosingResponse
from service.web.context import UID_PATTERN, Context, recognised_or_none

router = APIRouter(prefix="/api/v1", tags=["images"])

FRAMES_MAX = 1_000_000
_BATCH = 200  # headers read in one call
_HEADERS_BYTES = 256 << 20  # of memory, for a batch of them
# Asked for again each time, so that what is looked at is recorded, and what was removed is not shown.
_CACHE = "private, no-cache"
_PIXELS: dict[int | str, dict[str, object]] = {
    200: {"content": {OCTETS: {"schema": {"type": "string", "format": "binary"}}}},
    304: {"description": "The frame that the client has is still right"},
    410: {"description": "Retention removed the pixels; the answer says when"},
    413: {"description": "Decoding it takes more memory or time than a picture may"},
    422: {"description": "The pixels cannot be decoded"},
    503: {"description": "Too many requests wait for pictures; the answer says when to come again"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseImages:
    """The images of one case."""

    case_id: int
    stacks: tuple[Stack, ...]


@router.get("/cases/{case_id}/images", summary="The images of a case, by series and in their order")
async def case_images(request: Request, context: Context, case_id: CaseNumber) -> CaseImages:
    """Return what a viewer has to know of each image; what is no image, or was removed, is left out."""
    detail = await run_in_threadpool(load_case, context.store, case_id)
    identity = recognised_or_none(request)
    kept = [
        item
        for item in await run_in_threadpool(images_as_seen, context.store, detail.instances, identity)
        if item.removal is None and item.rows != 0
    ]
    paths = await run(threads_of(request).reading, lambda: _paths(kept))
    room = room_of(request)
    found: list[ImageDescription | None] = []
    for start in range(0, len(paths), _BATCH):
        found += await _described(room, paths[start : start + _BATCH])
    return CaseImages(case_id=case_id, stacks=stacks_of(item for item in found if item is not None))


@router.get(
    "/instances/{sop_instance_uid}/frames/{frame}/pixels",
    summary="A frame before its window",
    response_class=Response,
    responses=_PIXELS,
)
async def pixels(
    request: Request,
    context: Context,
    sop_instance_uid: Annotated[str, Path(pattern=UID_PATTERN)],
    frame: Annotated[int, Path(ge=1, le=FRAMES_MAX, description="Counted from 1, as DICOM does")],
    known: KnownTag = None,
) -> Response:
    """Return a head in JSON and the values: grey in 8 or 16 bits, or RGB; see the documentation."""
    record = await run_in_threadpool(seen_instance, context, sop_instance_uid, recognised_or_none(request))
    room = room_of(request)
    room.require_kept(record)
    tag = f'"{__version__}-{record.sha256[:32]}-{frame}"'
    headers = {"ETag": tag, "Cache-Control": _CACHE}
    if known == tag:
        return Response(status_code=304, headers=headers)
    order = PictureOrder(
        record=record,
        name=f"viewer-{frame}",
        draw=partial(read_for_viewer, frame=frame - 1),
        more_bytes=viewing_bytes,
    )
    content = await room.picture(order)
    headers["Content-Length"] = str(content.size_bytes)
    return ClosingResponse(content, media_type=OCTETS, headers=headers)


def _paths(records: Sequence[InstanceRecord]) -> list[FilePath]:
    """Return the files of those whose bytes are there."""
    found = []
    for record in records:
        try:
            found.append(record.path)
        except (NotFoundError, OutOfResourcesError):
            continue
    return found


async def _described(room: PictureRoom, paths: Sequence[FilePath]) -> list[ImageDescription | None]:
    """Return what is known of each image; one that harms a child is left out, and only that one."""
    try:
        with await room.budget.take(min(_HEADERS_BYTES, room.budget.total)) as share:
            return await room.call(share, describe_images, list(paths))
    except (OverLimitError, UndecodablePixelsError):
        if len(paths) == 1:
            return [None]
        middle = len(paths) // 2
        return [*await _described(room, paths[:middle]), *await _described(room, paths[middle:])]
