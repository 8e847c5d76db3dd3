"""Pixels as Explicit VR Little Endian has them (PS3.5 annex A.2), made in a child process."""

import io
import struct
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydicom import dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian

from models.decoding import decode_frame
from models.dicom import BROKEN_INPUT, read_header, text
from models.stored import StoredFrames
from overread.errors import UndecodablePixelsError
from service.pictures.decoder import Decoder, OpenImage

_LONGEST = 0xFFFFFFFE  # of a value, PS3.5 section 7.1.2
_BATCH_BYTES = 1 << 24  # of frames that are decoded in one call


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainObject:
    """A stored object in Explicit VR Little Endian, without its pixels, and where those come from."""

    header: bytes = field(repr=False)  # with the head of the pixel data, where there is any
    length: int = 0  # of the pixel data
    stored_at: int | None = None  # where it lies in the file as it is; None: it is read in batches
    batches: tuple[range, ...] = ()  # of frames, or of bytes where the whole object was inflated


def locate(decoder: Decoder, path: Path, *, with_places: bool) -> StoredFrames:
    """Return what frames an image has and, where asked for, where the compressed ones lie in the file.

    Raises:
        InvalidDicomError: the header cannot be read.
        UndecodablePixelsError: its frames cannot be told apart.
    """
    frames = decoder.open(path).frames
    return replace(frames, inflated=None, fragments=frames.fragments if with_places else None)


def describe_plain(decoder: Decoder, path: Path) -> PlainObject:
    """Return what stands before the pixels of an object, and where those come from.

    Raises:
        InvalidDicomError: the header cannot be read.
        UndecodablePixelsError: its frames cannot be told apart, or it cannot be written in this way.
    """
    header = read_header(path)
    if "Rows" not in header or "BitsAllocated" not in header:
        return PlainObject(header=_written(header))
    frames = decoder.open(path).frames
    length = _plain_bytes(header, frames)
    if length > _LONGEST:
        raise UndecodablePixelsError(f"its pixels would take {length} bytes, more than a value can have")
    representation = b"OB" if int(header.BitsAllocated) <= 8 else b"OW"
    head = struct.pack("<HH2sHL", 0x7FE0, 0x0010, representation, 0, length + length % 2)
    if frames.inflated is not None:
        whole, step = frames.layout.stored_bytes, _BATCH_BYTES
    else:
        whole, step = frames.layout.frames, max(_BATCH_BYTES * frames.layout.frames // max(length, 1), 1)
    is_stored = frames.inflated is None and not _needs_decoding(header)
    return PlainObject(
        header=_written(_described_plain(header)) + head,
        length=length,
        stored_at=frames.start if is_stored else None,
        batches=() if is_stored else tuple(range(at, min(at + step, whole)) for at in range(0, whole, step)),
    )


def read_plain(decoder: Decoder, path: Path, batch: range) -> bytes:
    """Return a batch of the pixel data of an object that `describe_plain` described.

    Raises:
        UndecodablePixelsError: it cannot be decoded.
    """
    image = decoder.open(path)
    if image.frames.inflated is not None:
        return image.frames.inflated[batch.start : batch.stop]
    return b"".join(_plain_frame(image, frame) for frame in batch)


def read_frame(decoder: Decoder, path: Path, frame: int) -> bytes:
    """Return one frame as Explicit VR Little Endian has it.

    Raises:
        UndecodablePixelsError: it cannot be decoded.
    """
    return _plain_frame(decoder.open(path), frame)


def _plain_frame(image: OpenImage, frame: int) -> bytes:
    if not _needs_decoding(image.header):
        return image.frames.read(frame)
    pixels = decode_frame(image.path, image.header, frame, located=image.frames)
    if pixels.dtype.itemsize * 8 != int(image.header.BitsAllocated):
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


def _described_plain(header: Dataset) -> Dataset:
    """Return the header, changed to what decoding makes of colours (PS3.5 section 8.2)."""
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
