"""Stored pixels of DICOM images, with every lie of a header found before memory is taken for it."""

import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from models.codestream import stated_size
from models.dicom import BROKEN_INPUT, text, whole_number
from overread.errors import UndecodablePixelsError

MAX_FRAME_BYTES = 1 << 29  # of one decoded frame; the largest radiographs and mammograms take an eighth of it

# The fastest exact decoder first; the next takes what it refuses.
DECODERS: Mapping[str, tuple[str, ...]] = {
    RLELossless: ("pylibjpeg", "pydicom"),
    JPEGLSLossless: ("pyjpegls", "gdcm"),
    JPEGLSNearLossless: ("pyjpegls", "gdcm"),
    JPEGLossless: ("gdcm",),
    JPEGLosslessSV1: ("gdcm",),
    JPEGBaseline8Bit: ("pillow", "gdcm"),
    JPEGExtended12Bit: ("gdcm", "pillow"),
    JPEG2000Lossless: ("gdcm", "pylibjpeg"),
    JPEG2000: ("gdcm", "pylibjpeg"),
    HTJ2KLossless: ("pylibjpeg",),
    HTJ2KLosslessRPCL: ("pylibjpeg",),
    HTJ2K: ("pylibjpeg",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """What the header promises about the pixel data."""

    rows: int
    columns: int
    frames: int
    stored_bytes: int  # of all frames, uncompressed


def decode_frame(path: Path, header: Dataset, frame: int = 0) -> NDArray[Any]:
    """Return the stored pixels of one frame: (rows, columns), or (rows, columns, 3) in RGB.

    Raises:
        UndecodablePixelsError: no such frame, or pixel data absent, truncated, contradicting the header,
            of an unknown encoding, or larger than `MAX_FRAME_BYTES`.
    """
    image = text(header, "SOPInstanceUID") or path.name
    try:
        layout = _layout(header)
        if not 0 <= frame < layout.frames:
            raise UndecodablePixelsError(f"there is no frame {frame}; it has {layout.frames}, counted from 0")
        pixels = _decode(path, header, frame, layout)
    except UndecodablePixelsError as error:
        raise UndecodablePixelsError(f"image {image}: {error}") from error
    except BROKEN_INPUT as error:
        reason = (str(error).splitlines() or [type(error).__name__])[-1].strip()
        raise UndecodablePixelsError(f"image {image}: cannot be decoded, send it again: {reason}") from error
    if pixels.shape[:2] != (layout.rows, layout.columns):
        raise UndecodablePixelsError(f"image {image}: header and pixel data differ in size, send it again")
    return pixels


def _layout(header: Dataset) -> _Layout:
    """Return what the header promises, having checked that it is possible and not too much."""
    rows, columns, allocated = (
        whole_number(header, name, 0) for name in ("Rows", "Columns", "BitsAllocated")
    )
    if min(rows, columns, allocated) < 1:
        raise UndecodablePixelsError(
            "states no rows, columns or bits, so it is no image; send the image itself"
        )
    samples = whole_number(header, "SamplesPerPixel", 1)
    stored = whole_number(header, "BitsStored", allocated)
    frames = whole_number(header, "NumberOfFrames", 1)
    if stored > allocated or samples not in {1, 3} or frames < 1:
        raise UndecodablePixelsError(
            f"{frames} frames of {samples} samples of {stored} in {allocated} bits contradict PS3.3 C.7.6.3"
        )
    pixels = rows * columns * samples
    if ceil(pixels * allocated / 8) > MAX_FRAME_BYTES:
        raise UndecodablePixelsError(
            f"promises {rows} x {columns} pixels; {MAX_FRAME_BYTES} bytes are the limit"
        )
    if text(header, "PhotometricInterpretation") == "YBR_FULL_422":
        pixels = rows * columns * 2  # two pixels share their colour (PS3.3 C.7.6.3.1.2)
    return _Layout(
        rows=rows, columns=columns, frames=frames, stored_bytes=ceil(frames * pixels * allocated / 8)
    )


def _decode(path: Path, header: Dataset, frame: int, layout: _Layout) -> NDArray[Any]:
    syntax = UID(header.file_meta.TransferSyntaxUID)
    if syntax.is_encapsulated:
        return _decode_compressed(_with_pixels(path), syntax, frame, layout)
    if syntax == DeflatedExplicitVRLittleEndian:
        dataset = _with_pixels(path)
        _check_length(len(dataset.PixelData), layout)
        return pixel_array(dataset, index=frame)
    _check_length(_native_length(path, syntax), layout)
    return pixel_array(path, index=frame)  # reads this frame alone


def _with_pixels(path: Path) -> Dataset:
    dataset = dcmread(path)
    if "PixelData" not in dataset:  # pydicom also drops pixel data that ends before its delimiter
        raise UndecodablePixelsError("its pixel data is absent or cut off; send it again")
    return dataset


def _decode_compressed(dataset: Dataset, syntax: UID, frame: int, layout: _Layout) -> NDArray[Any]:
    if syntax not in DECODERS:
        raise UndecodablePixelsError(f"transfer syntax {syntax.name} is not supported; send it uncompressed")
    stated = stated_size(get_frame(dataset.PixelData, frame, number_of_frames=layout.frames))
    if stated not in {None, (layout.rows, layout.columns)}:
        raise UndecodablePixelsError(
            f"the header says {(layout.rows, layout.columns)} pixels, the codestream {stated}; send it again"
        )
    first, *others = DECODERS[syntax]
    try:
        return pixel_array(dataset, index=frame, decoding_plugin=first)
    except BROKEN_INPUT:
        for other in others:
            with suppress(*BROKEN_INPUT):
                return pixel_array(dataset, index=frame, decoding_plugin=other)
        raise


def _check_length(length: int, layout: _Layout) -> None:
    """Accept padding, which real devices add, but neither missing bytes nor a whole further frame."""
    if length < layout.stored_bytes:
        raise UndecodablePixelsError(
            f"truncated: {length} of {layout.stored_bytes} bytes are there; send it again"
        )
    if length - layout.stored_bytes >= max(layout.stored_bytes // layout.frames, 16):
        raise UndecodablePixelsError(
            f"{length} bytes of pixel data where the header promises {layout.stored_bytes}; send it again"
        )


def _native_length(path: Path, syntax: UID) -> int:
    """Return how many bytes of uncompressed pixel data are really in the file."""
    with path.open("rb") as file:
        dcmread(file, stop_before_pixels=True)
        tag_at = file.tell()
        element = file.read(12)
    if len(element) < 12:
        raise UndecodablePixelsError("has no pixel data; send the image itself")
    head = 8 if syntax == ImplicitVRLittleEndian else 12  # PS3.5 7.1.2 and 7.1.3
    (length,) = struct.unpack("<I" if syntax.is_little_endian else ">I", element[head - 4 : head])
    return min(int(length), path.stat().st_size - tag_at - head)
