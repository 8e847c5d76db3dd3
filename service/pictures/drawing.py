"""Drawing of one frame as a picture. Runs in a child process: see `service.pictures.room`."""

import io
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image
from pydicom.dataset import Dataset

from models.dicom import read_header
from models.pixels import Window, render_for_display
from models.stored import StoredFrames, layout_of, locate_frames
from overread.errors import NotFoundError

PNG = "image/png"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenImage:
    """An image that frames are read of."""

    path: Path
    header: Dataset
    frames: StoredFrames


class Decoder:
    """What lives in a child process: it remembers where the frames of the last image lie."""

    def __init__(self) -> None:
        self._last: OpenImage | None = None

    def open(self, path: Path) -> OpenImage:
        """Return the image of a file.

        Raises:
            InvalidDicomError: the header cannot be read.
            UndecodablePixelsError: its frames cannot be told apart.
        """
        if self._last is None or self._last.path != path:
            header = read_header(path)
            opened = OpenImage(path=path, header=header, frames=locate_frames(path, header))
            if opened.frames.inflated is not None:  # no memory is held between two calls
                self._last = None
                return opened
            self._last = opened
        return self._last


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Way in which a frame is drawn."""

    frame: int  # counted from 0
    media_type: str  # "image/png", else JPEG
    max_side: int | None = None  # shrunk so that no side is longer; None: not shrunk
    box: tuple[int, int] | None = None  # width and height that it is fitted into, and grown; None: into none
    window: Window | None = None  # None: what the image names
    quality: int = 90  # of a JPEG


def locate(decoder: Decoder, path: Path, *, with_places: bool) -> StoredFrames:
    """Return what frames an image has and, where asked for, where the compressed ones lie in the file.

    Raises:
        InvalidDicomError: the header cannot be read.
        UndecodablePixelsError: its frames cannot be told apart.
    """
    frames = decoder.open(path).frames
    return replace(frames, inflated=None, fragments=frames.fragments if with_places else None)


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
