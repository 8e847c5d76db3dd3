"""Frames as the viewer of the desk takes them: a head in JSON, then the values, made in a child process.

4 bytes    length of the head, little endian
head       JSON, padded with spaces so that the values begin at a multiple of 4
values     row by row from the top: uint8, uint16 or int16 little endian, or rgb8
"""

import base64
import json
import struct
from pathlib import Path

import numpy as np

from models.decoding import decode_frame
from models.display_frame import DisplayFrame, display_frame, frame_header
from overread.errors import NotFoundError
from service.pictures.decoder import Decoder
from service.pictures.form import ImageForm

OCTETS = "application/octet-stream"
_PER_PIXEL = 8  # bytes beyond the decoding: values, what pads them, and the answer
_LENGTH_BYTES = 4


def viewing_bytes(form: ImageForm) -> int:
    """Return the memory that a frame for the viewer takes beyond its decoding."""
    return form.rows * form.columns * _PER_PIXEL


def read_for_viewer(decoder: Decoder, path: Path, frame: int) -> bytes:
    """Return one frame, counted from 0, for the viewer.

    Raises:
        NotFoundError: the image has no such frame.
        InvalidDicomError: the header cannot be read.
        UndecodablePixelsError: its pixels cannot be decoded.
    """
    image = decoder.open(path)
    if frame >= image.frames.layout.frames:
        raise NotFoundError(
            f"the image has {image.frames.layout.frames} frames, and none of number {frame + 1}"
        )
    stored = decode_frame(path, image.header, frame, located=image.frames)
    shown = display_frame(stored, frame_header(image.header, frame))
    return _head(shown) + _little_endian(shown)


def _head(shown: DisplayFrame) -> bytes:
    rows, columns = shown.values.shape[:2]
    table = None if shown.table is None else base64.b64encode(shown.table.tobytes()).decode("ascii")
    head = {
        "kind": "rgb8" if shown.values.ndim == 3 else shown.values.dtype.name,
        "rows": rows,
        "columns": columns,
        "slope": shown.slope,
        "intercept": shown.intercept,
        "least": shown.least,
        "most": shown.most,
        "inverted": shown.inverted,
        "sigmoid": shown.sigmoid,
        "windows": [
            {"name": item.name, "black": item.window.black, "white": item.window.white}
            for item in shown.windows
        ],
        "table": table,
    }
    text = json.dumps(head, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % _LENGTH_BYTES)
    return struct.pack("<I", len(text)) + text


def _little_endian(shown: DisplayFrame) -> bytes:
    values = shown.values
    return np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"), copy=False)).tobytes()
