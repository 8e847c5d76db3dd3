"""Stored objects as Explicit VR Little Endian (PS3.5 annex A.2), written frame by frame."""

import io
import struct
from collections.abc import Iterator
from pathlib import Path

from pydicom import dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from models.decoding import DECODERS, decode_frame
from models.dicom import BROKEN_INPUT, read_header, text
from models.stored import StoredFrames, locate_frames
from overread.errors import UndecodablePixelsError
from service.dicomweb.related import file_pieces

NATIVE = frozenset({ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian})
"""Transfer syntaxes whose pixel data is not compressed and lies in the file as it is."""
READABLE = NATIVE | {DeflatedExplicitVRLittleEndian} | set(DECODERS)
"""Transfer syntaxes that can be turned into Explicit VR Little Endian."""
_LONGEST = 0xFFFFFFFE  # of a value, PS3.5 section 7.1.2


def transcoded(path: Path) -> Iterator[bytes]:
    """Yield a DICOM file with the same data set in Explicit VR Little Endian.

    What follows the pixel data is left out: padding, and signatures that no longer hold.

    Raises:
        InvalidDicomError: the header cannot be read.
        UndecodablePixelsError: the pixels cannot be decoded, or would be too long uncompressed.
    """
    header = read_header(path)
    if "Rows" not in header or "BitsAllocated" not in header:
        yield _written(header)
        return
    frames = locate_frames(path, header)
    length = _plain_bytes(header, frames)
    if length > _LONGEST:
        raise UndecodablePixelsError(f"its pixels would take {length} bytes, more than a value can have")
    pixels = _pixels(path, header, frames)
    first = next(pixels)  # decoded before anything is sent, so that an error still finds a status
    yield _written(_described_plain(path))
    representation = b"OB" if int(header.BitsAllocated) <= 8 else b"OW"
    yield struct.pack("<HH2sHL", 0x7FE0, 0x0010, representation, 0, length + length % 2)
    yield first
    yield from pixels
    yield b"\0" * (length % 2)


def plain_frame(path: Path, header: Dataset, frames: StoredFrames, frame: int) -> bytes:
    """Return one frame as Explicit VR Little Endian has it.

    Raises:
        UndecodablePixelsError: it cannot be decoded.
    """
    if not _needs_decoding(header):
        return frames.read(frame)
    pixels = decode_frame(path, header, frame, located=frames)
    if pixels.dtype.itemsize * 8 != int(header.BitsAllocated):
        raise UndecodablePixelsError("its pixels have another number of bits than the header says")
    return pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()


def _needs_decoding(header: Dataset) -> bool:
    syntax = UID(header.file_meta.TransferSyntaxUID)
    return syntax.is_encapsulated or syntax == ExplicitVRBigEndian


def _plain_bytes(header: Dataset, frames: StoredFrames) -> int:
    """Return the length of the pixel data as Explicit VR Little Endian has it."""
    layout = frames.layout
    if not _needs_decoding(header):
        return layout.stored_bytes
    samples = int(header.get("SamplesPerPixel", 1))
    return layout.frames * layout.rows * layout.columns * samples * int(header.BitsAllocated) // 8


def _pixels(path: Path, header: Dataset, frames: StoredFrames) -> Iterator[bytes]:
    if _needs_decoding(header):
        for frame in range(frames.layout.frames):
            yield plain_frame(path, header, frames, frame)
    elif frames.inflated is not None:
        yield frames.inflated[: frames.layout.stored_bytes]
    else:
        yield from file_pieces(path, frames.start, frames.start + frames.layout.stored_bytes)


def _described_plain(path: Path) -> Dataset:
    """Return a header of its own that says what decoding makes of colours (PS3.5 section 8.2)."""
    header = read_header(path)
    if _needs_decoding(header) and int(header.get("SamplesPerPixel", 1)) == 3:
        header.PlanarConfiguration = 0
        if text(header, "PhotometricInterpretation").startswith("YBR"):
            header.PhotometricInterpretation = "RGB"
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in header:
            del header[keyword]
    return header


def _written(header: Dataset) -> bytes:
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    try:
        dcmwrite(buffer, header, enforce_file_format=True)
    except BROKEN_INPUT as error:
        raise UndecodablePixelsError("its header cannot be written in another transfer syntax") from error
    return buffer.getvalue()
