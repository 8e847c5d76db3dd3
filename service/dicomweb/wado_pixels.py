"""WADO-RS (PS3.18 section 10.4): gives frames as they are stored, decoded, or drawn for people."""

import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from anyio import CapacityLimiter
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from pydicom.uid import UID, ExplicitVRLittleEndian
from starlette.exceptions import HTTPException

from models.pixels import Window
from models.stored import StoredFrames
from overread.errors import NotFoundError
from service.dicomweb.related import Part, RelatedBody, file_pieces
from service.dicomweb.transcoding import READABLE
from service.dicomweb.wado import INSTANCE, OCTETS, REFUSALS, Address, address_of, found_instance, related
from service.pictures.drawing import Drawing, draw
from service.pictures.form import ImageForm
from service.pictures.plain import locate, read_frame
from service.pictures.room import PictureOrder, PictureRoom, pieces_of, room_of
from service.store.records import InstanceRecord
from service.web.archive_threads import stream, threads_of
from service.web.closing_response import BegunPieces, ClosingResponse
from service.web.context import Context
from service.web.negotiation import Offer, accepted, require

router = APIRouter(tags=["DICOMweb"])

FRAMES_MAX = 10_000  # in one request
_LIST = re.compile(r"[1-9][0-9]{0,8}(,[1-9][0-9]{0,8})*")
VIEWPORT_MAX = 4096  # pixels a side
_BYTES_PER_SHOWN = 16  # of a pixel of the viewport, in colour and while it is fitted
_NUMBER = r"(-?[0-9]{1,9}(?:\.[0-9]{1,9})?)"
_WINDOW = re.compile(rf"{_NUMBER},{_NUMBER}(?:,(linear|linear-exact))?", re.IGNORECASE)
_VIEWPORT = re.compile(r"([1-9][0-9]{0,4}),([1-9][0-9]{0,4})")
# PS3.18 table 8.7.3-5, by transfer syntax.
MEDIA_TYPES = {
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.92": "image/jpx",
    "1.2.840.10008.1.2.4.93": "image/jpx",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc",
}
_PICTURES = (Offer(media_type="image/jpeg"), Offer(media_type="image/png"))

_FRAMES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            f'multipart/related; type="{OCTETS}"': {"schema": {"type": "string", "format": "binary"}}
        },
        "description": "The frames, a part each",
    },
    400: {"description": "The list of frames is malformed"},
    **REFUSALS,
}
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/jpeg", "image/png")
        },
        "description": "The picture",
    },
    400: {"description": "A parameter is malformed"},
    **REFUSALS,
}


class PictureQuery(BaseModel):
    """Rendering parameters of a picture (PS3.18 section 8.3.5); others that a client sends are not heeded."""

    window: str | None = Field(None, max_length=100, description="centre,width,linear or ...,linear-exact")
    viewport: str | None = Field(None, max_length=100, description="width,height that it fits into")
    quality: str = Field("90", description="of a JPEG: 1 to 100")


Picture = Annotated[PictureQuery, Query()]


@router.get(f"{INSTANCE}/frames/{{frames}}", summary="Frames of an image", responses=_FRAMES)
async def frames(request: Request, context: Context, address: Address, frames: str) -> Response:
    """Return the listed frames, counted from 1, as they are stored or decoded."""
    if not _LIST.fullmatch(frames) or frames.count(",") >= FRAMES_MAX:
        raise HTTPException(400, f"name frames as 1,2,3: at most {FRAMES_MAX}, counted from 1")
    record = await found_instance(request, context, address)
    return await _frames(request, record, [int(number) - 1 for number in frames.split(",")])


@router.get(f"{INSTANCE}/pixeldata", summary="All frames of an image", responses=_FRAMES)
async def pixel_data(request: Request, context: Context, address: Address) -> Response:
    """Return every frame."""
    return await _frames(request, await found_instance(request, context, address), None)


@router.get(f"{INSTANCE}/rendered", summary="An image as a picture", responses=_PICTURE)
async def rendered(request: Request, context: Context, address: Address, picture: Picture) -> Response:
    """Return the first frame as it should be shown."""
    return await _picture(request, await found_instance(request, context, address), 0, picture)


@router.get(f"{INSTANCE}/frames/{{frame}}/rendered", summary="A frame as a picture", responses=_PICTURE)
async def rendered_frame(
    request: Request, context: Context, address: Address, frame: str, picture: Picture
) -> Response:
    """Return one frame as it should be shown."""
    if not _LIST.fullmatch(frame) or "," in frame:
        raise HTTPException(400, "name one frame, counted from 1")
    return await _picture(request, await found_instance(request, context, address), int(frame) - 1, picture)


async def _frames(request: Request, record: InstanceRecord, numbers: Sequence[int] | None) -> Response:
    """Answer with frames, counted from 0; None stands for all."""
    single = numbers is not None and len(numbers) == 1
    offer = require(accepted(request), _offers(record.transfer_syntax_uid, single=single))
    image = await _opened(request, record, as_stored=offer.transfer_syntax == record.transfer_syntax_uid)
    there = image.frames.layout.frames
    wanted = range(there) if numbers is None else numbers
    for number in wanted if numbers is not None else ():
        if number >= there:
            raise NotFoundError(
                f"instance {record.sop_instance_uid} has {there} frames, and none of number {number + 1}"
            )
    if not offer.multipart:
        content = await BegunPieces(image.pieces(wanted[0], under_way=False)).begin(1)
        return ClosingResponse(content, media_type=_content_type(offer))
    address = f"{address_of(request, record)}/frames"
    return await related(RelatedBody(offer.media_type, _Parts(image, wanted, _content_type(offer), address)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Image:
    """One image that frames are asked of."""

    room: PictureRoom
    reading: CapacityLimiter
    path: Path
    form: ImageForm
    frames: StoredFrames
    decoding: bool

    def places(self, number: int) -> list[tuple[int, int]]:
        """Return start and end of what a frame consists of in the file."""
        if self.frames.fragments is not None:
            return [(start, start + length) for start, length in self.frames.fragments[number]]
        size = self.frames.layout.frame_bits // 8
        start = self.frames.start + number * size
        return [(start, start + size)]

    async def pieces(self, number: int, *, under_way: bool) -> AsyncGenerator[bytes]:
        """Yield a frame as it is stored, or decoded; plain pixels are little endian in any case."""
        if not self.decoding:
            for start, end in self.places(number):
                async for piece in stream(self.reading, file_pieces(self.path, start, end)):
                    yield piece
            return
        with await self.room.hold(self.form, under_way=under_way) as share:
            content = await self.room.call(share, read_frame, self.path, number)
            share.keep(len(content))
            for piece in pieces_of(content):
                yield piece


@dataclass(frozen=True, slots=True)
class _Parts:
    """A part for each frame, made when its turn comes: an image may have any number of them."""

    image: _Image
    numbers: Sequence[int]
    content_type: str
    address: str

    def __iter__(self) -> Iterator[Part]:
        for place, number in enumerate(self.numbers):
            yield Part(
                media_type=self.content_type,
                location=f"{self.address}/{number + 1}",
                content=self.image.pieces(number, under_way=place > 0),
            )


async def _opened(request: Request, record: InstanceRecord, *, as_stored: bool) -> _Image:
    """Return the image of a record; its frames are decoded unless they are wanted or lie there as wanted."""
    room = room_of(request)
    path, form = await room.look_at(record)
    with await room.hold(form) as share:
        places = as_stored or not form.needs_decoding
        frames = await room.call(share, locate, path, with_places=places)
    whole_bytes = frames.fragments is not None or frames.layout.frame_bits % 8 == 0
    return _Image(
        room=room,
        reading=threads_of(request).reading,
        path=path,
        form=form,
        frames=frames,
        decoding=not (places and whole_bytes),
    )


def _offers(stored: str, *, single: bool) -> list[Offer]:
    """Return how frames can be sent: compressed ones as they are, and in any case as plain pixels."""
    plain = str(ExplicitVRLittleEndian)
    forms: list[tuple[str, str, bool]] = []
    if UID(stored).is_encapsulated:
        forms.append((MEDIA_TYPES.get(stored, OCTETS), stored, True))
        forms.append((OCTETS, stored, False))
    if stored in READABLE:
        forms.append((OCTETS, plain, True))
    return [
        Offer(media_type=media_type, multipart=multipart, transfer_syntax=syntax, default=default)
        for multipart in ((True, False) if single else (True,))
        for media_type, syntax, default in forms
    ]


def _content_type(offer: Offer) -> str:
    return f"{offer.media_type}; transfer-syntax={offer.transfer_syntax}"


async def _picture(request: Request, record: InstanceRecord, number: int, asked: PictureQuery) -> Response:
    drawing = Drawing(
        frame=number,
        media_type=require(accepted(request), _PICTURES).media_type,
        window=_window(asked.window),
        box=_box(asked.viewport),
        quality=_quality(asked.quality),
    )
    width, height = drawing.box or (0, 0)
    order = PictureOrder(
        record=record,
        name=repr(drawing),
        draw=partial(draw, drawing=drawing),
        more_bytes=lambda _: width * height * _BYTES_PER_SHOWN,
    )
    content = await room_of(request).picture(order)
    headers = {"Content-Length": str(content.size_bytes)}
    return ClosingResponse(content, media_type=drawing.media_type, headers=headers)


def _window(text: str | None) -> Window | None:
    if text is None:
        return None
    match = _WINDOW.fullmatch(text)
    exact = match is not None and (match[3] or "").lower() == "linear-exact"
    window = Window.linear(float(match[1]), float(match[2]), exact=exact) if match else None
    if window is None or not window.white > window.black:
        raise HTTPException(400, "a window is centre,width,linear or centre,width,linear-exact, wider than 1")
    return window


def _box(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = _VIEWPORT.fullmatch(text)
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 0 < max(width, height) <= VIEWPORT_MAX:
        raise HTTPException(400, f"a viewport is width,height of 1 to {VIEWPORT_MAX} pixels")
    return width, height


def _quality(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]?|100", text):
        raise HTTPException(400, "the quality is a whole number from 1 to 100")
    return int(text)
