"""WADO-RS (PS3.18 section 10.4): gives frames as they are stored, decoded, or drawn for people."""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from PIL import Image
from pydantic import BaseModel, Field
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from starlette.exceptions import HTTPException

from models.dicom import read_header
from models.pixels import Window, render_for_display
from models.stored import StoredFrames, layout_of, locate_frames
from overread.errors import NotFoundError
from service.dicomweb.related import Part, RelatedBody
from service.dicomweb.transcoding import READABLE, plain_frame
from service.dicomweb.wado import INSTANCE, OCTETS, REFUSALS, Address, address_of, found_instance, related
from service.store.records import InstanceRecord
from service.web.archive_threads import run, threads_of
from service.web.context import Context
from service.web.negotiation import Offer, accepted, require

router = APIRouter(tags=["DICOMweb"])

FRAMES_MAX = 10_000  # in one request
_LIST = re.compile(r"[1-9][0-9]{0,8}(,[1-9][0-9]{0,8})*")
VIEWPORT_MAX = 4096  # pixels a side
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
    threads = threads_of(request)
    decoding = offer.transfer_syntax != record.transfer_syntax_uid and _is_compressed(record)
    limiter = threads.decoding if decoding else threads.reading
    image = await run(limiter, lambda: _opened(record.path))
    wanted = range(image.frames.layout.frames) if numbers is None else numbers
    for number in wanted:
        if number >= image.frames.layout.frames:
            raise NotFoundError(
                f"instance {record.sop_instance_uid} has {image.frames.layout.frames} frames, "
                f"and none of number {number + 1}"
            )
    if not offer.multipart:
        content = await run(limiter, lambda: image.read(wanted[0], plain=decoding))
        return Response(content, media_type=_content_type(offer))
    parts = [
        Part(
            media_type=_content_type(offer),
            location=f"{address_of(request, record)}/frames/{number + 1}",
            content=image.piece(number, plain=decoding),
        )
        for number in wanted
    ]
    return await related(request, RelatedBody(offer.media_type, parts), decoding=decoding)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Image:
    """One image that frames are asked of."""

    path: Path
    header: Dataset = field(repr=False)
    frames: StoredFrames

    def read(self, number: int, *, plain: bool) -> bytes:
        """Return a frame as it is stored, or decoded; plain pixels are little endian in any case."""
        compressed = UID(self.header.file_meta.TransferSyntaxUID).is_encapsulated
        if compressed and not plain:
            return self.frames.read(number)
        return plain_frame(self.path, self.header, self.frames, number)

    def piece(self, number: int, *, plain: bool) -> Iterator[bytes]:
        """Yield the frame, which is read when it is asked for."""
        yield self.read(number, plain=plain)


def _opened(path: Path) -> _Image:
    header = read_header(path)
    return _Image(path=path, header=header, frames=locate_frames(path, header))


def _is_compressed(record: InstanceRecord) -> bool:
    return UID(record.transfer_syntax_uid).is_encapsulated


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawing:
    """Way in which a picture is to be drawn."""

    media_type: str
    window: Window | None
    box: tuple[int, int] | None  # width and height
    quality: int

    def draw(self, path: Path, frame: int) -> bytes:
        """Return the picture of a frame.

        Raises:
            NotFoundError: the image has no such frame.
        """
        frames = layout_of(read_header(path)).frames
        if frame >= frames:
            raise NotFoundError(f"the image has {frames} frames, and none of number {frame + 1}")
        picture = Image.fromarray(render_for_display(path, frame=frame, window=self.window))
        if self.box is not None:
            scale = min(self.box[0] / picture.width, self.box[1] / picture.height)
            size = max(round(picture.width * scale), 1), max(round(picture.height * scale), 1)
            picture = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        buffer = io.BytesIO()
        if self.media_type == "image/jpeg":
            picture.save(buffer, "JPEG", quality=self.quality)
        else:
            picture.save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()


async def _picture(request: Request, record: InstanceRecord, number: int, asked: PictureQuery) -> Response:
    drawing = _Drawing(
        media_type=require(accepted(request), _PICTURES).media_type,
        window=_window(asked.window),
        box=_box(asked.viewport),
        quality=_quality(asked.quality),
    )
    content = await run(threads_of(request).decoding, lambda: drawing.draw(record.path, number))
    return Response(content, media_type=drawing.media_type)


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
