"""Stored pixels of DICOM images, with every lie of a header found before memory is taken for it."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from models.codestream import SCANS_MAX, has_many_scans, stated_size
from models.dicom import BROKEN_INPUT, text
from models.stored import Layout, StoredFrames, check_length, layout_of, locate_frames, with_pixels
from overread.errors import UndecodablePixelsError

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


def decode_frame(
    path: Path, header: Dataset, frame: int = 0, *, located: StoredFrames | None = None
) -> NDArray[Any]:
    """Return the stored pixels of one frame: (rows, columns), or (rows, columns, 3) in RGB.

    Args:
        path: a DICOM file.
        header: of it.
        frame: counted from 0.
        located: what `locate_frames` found, for who reads many frames; None looks for them.

    Raises:
        UndecodablePixelsError: no such frame, or pixel data absent, truncated, contradicting the header,
            of an unknown encoding, or larger than `MAX_FRAME_BYTES`.
    """
    image = text(header, "SOPInstanceUID") or path.name
    try:
        layout = layout_of(header)
        if not 0 <= frame < layout.frames:
            raise UndecodablePixelsError(f"there is no frame {frame}; it has {layout.frames}, counted from 0")
        pixels = _decode(path, header, frame, located)
    except UndecodablePixelsError as error:
        raise UndecodablePixelsError(f"image {image}: {error}") from error
    except BROKEN_INPUT as error:
        # The texts of pydicom and the decoders repeat values of the header, which may be a patient's.
        raise UndecodablePixelsError(
            f"image {image}: cannot be decoded, send it again ({type(error).__name__})"
        ) from error
    if pixels.shape[:2] != (layout.rows, layout.columns):
        raise UndecodablePixelsError(f"image {image}: header and pixel data differ in size, send it again")
    return pixels


def _decode(path: Path, header: Dataset, frame: int, located: StoredFrames | None) -> NDArray[Any]:
    syntax = UID(header.file_meta.TransferSyntaxUID)
    if syntax == DeflatedExplicitVRLittleEndian:
        dataset = with_pixels(path)
        check_length(len(dataset.PixelData), layout_of(header))
        return pixel_array(dataset, index=frame)
    if syntax.is_encapsulated and syntax not in DECODERS:
        raise UndecodablePixelsError(f"transfer syntax {syntax.name} is not supported; send it uncompressed")
    frames = located or locate_frames(path, header)
    if syntax.is_encapsulated:
        return _decode_compressed(frames.read(frame), header, syntax, frames.layout)
    return pixel_array(path, index=frame)  # reads this frame alone


def _alone(header: Dataset, codestream: bytes) -> Dataset:
    """Return an image of one frame, with what its decoding needs of the header."""
    image = header.group_dataset(0x0028)
    image.file_meta = header.file_meta
    image.add_new("NumberOfFrames", "IS", 1)  # a new element: the header keeps its own
    image.add_new("PixelData", "OB", encapsulate([codestream], has_bot=False))
    return image


def _decode_compressed(codestream: bytes, header: Dataset, syntax: UID, layout: Layout) -> NDArray[Any]:
    stated = stated_size(codestream)
    if stated not in {None, (layout.rows, layout.columns)}:
        raise UndecodablePixelsError(
            f"the header says {(layout.rows, layout.columns)} pixels, the codestream {stated}; send it again"
        )
    if has_many_scans(codestream):
        raise UndecodablePixelsError(f"its codestream has more than {SCANS_MAX} scans; send it again")
    dataset = _alone(header, codestream)
    first, *others = DECODERS[syntax]
    try:
        return _decoded(dataset, first)
    except BROKEN_INPUT:
        for other in others:
            with suppress(*BROKEN_INPUT):
                return _decoded(dataset, other)
        raise


def _decoded(dataset: Dataset, plugin: str) -> NDArray[Any]:
    try:
        return pixel_array(dataset, decoding_plugin=plugin)
    except BaseException as error:  # a panic of a decoder in Rust is no Exception, and its class has no home
        if type(error).__name__ == "PanicException":
            raise ValueError("the decoder gave up on it") from error
        raise
