"""Drawing of one frame as a picture, in a child process."""

import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from models.dicom import read_header
from models.pixels import Window, render_for_display
from models.stored import layout_of
from overread.errors import NotFoundError
from service.pictures.decoder import Decoder

PNG = "image/png"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Way in which a frame is drawn."""

    frame: int  # counted from 0
    media_type: str  # "image/png", else JPEG
    max_side: int | None = None  # shrunk so that no side is longer; None: not shrunk
    box: tuple[int, int] | None = None  # width and height that it is fitted into, and grown; None: into none
    window: Window | None = None  # None: what the image names
    quality: int = 90  # of a JPEG


def draw(_: Decoder, path: Path, drawing: Drawing) -> bytes:
    """Return the picture of a frame.

    Raises:
        NotFoundError: the image has no such frame.
        InvalidDicomError: the header cannot be read.
        UndecodablePixelsError: its pixels cannot be decoded.
    """
    frames = layout_of(read_header(path)).frames
    if drawing.frame >= frames:
        raise NotFoundError(f"the image has {frames} frames, and none of number {drawing.frame + 1}")
    shown = render_for_display(path, frame=drawing.frame, max_side=drawing.max_side, window=drawing.window)
    picture = Image.fromarray(shown)
    if drawing.box is not None:
        scale = min(drawing.box[0] / picture.width, drawing.box[1] / picture.height)
        size = max(round(picture.width * scale), 1), max(round(picture.height * scale), 1)
        picture = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    if drawing.media_type == PNG:
        return to_png(picture)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=drawing.quality)
    return buffer.getvalue()


def to_png(picture: Image.Image) -> bytes:
    """Return the picture as PNG, compressed for speed rather than size: it travels over a local network."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=2)
    return buffer.getvalue()
