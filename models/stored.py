"""Places of the frames of a DICOM image in its file, so that one of them is read without the others."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from models.dicom import BROKEN_INPUT, text, whole_number
from models.elements import PIXEL_ELEMENTS
from overread.errors import UndecodablePixelsError

FRAMES_MAX = 1_000_000
FRAGMENTS_MAX = 1_000_000  # of compressed pixel data
MAX_FRAME_BYTES = 1 << 29  # of one decoded frame; the largest radiographs and mammograms take an eighth of it
_ITEM, _DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"  # PS3.5 annex A.4
_UNDEFINED_LENGTH = 0xFFFFFFFF
# With what a compressed image starts: JPEG and JPEG-LS, JPEG 2000, and its file format.
_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Layout of the pixel data, as the header promises it."""

    rows: int
    columns: int
    frames: int
    frame_bits: int  # of one frame, uncompressed

    @property
    def stored_bytes(self) -> int:
        """Bytes of all frames, uncompressed."""
        return ceil(self.frames * self.frame_bits / 8)


def layout_of(header: Dataset) -> Layout:
    """Return what the header promises, having checked that it is possible and not too much.

    Raises:
        UndecodablePixelsError: it is no image, contradicts itself, or is larger than `MAX_FRAME_BYTES`.
    """
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
    if frames > FRAMES_MAX:
        raise UndecodablePixelsError(f"promises {frames} frames; {FRAMES_MAX} are the limit")
    pixels = rows * columns * samples
    if ceil(pixels * allocated / 8) > MAX_FRAME_BYTES:
        raise UndecodablePixelsError(
            f"promises {rows} x {columns} pixels; {MAX_FRAME_BYTES} bytes are the limit"
        )
    if text(header, "PhotometricInterpretation") == "YBR_FULL_422":
        pixels = rows * columns * 2  # two pixels share their colour (PS3.3 C.7.6.3.1.2)
    return Layout(rows=rows, columns=columns, frames=frames, frame_bits=pixels * allocated)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFrames:
    """The frames of one object, each of which can be read alone. Frames are counted from 0."""

    layout: Layout
    path: Path
    start: int  # of the pixel data in the file
    length: int  # of the pixel data; of compressed ones up to their end
    fragments: tuple[tuple[tuple[int, int], ...], ...] | None = field(repr=False)  # None: not compressed
    inflated: bytes | None = field(default=None, repr=False)  # of a deflated object

    def read(self, frame: int) -> bytes:
        """Return the bytes of one frame as they are stored: a compressed image, or pixels.

        Raises:
            UndecodablePixelsError: there is no such frame, or it is not whole.
        """
        if not 0 <= frame < self.layout.frames:
            raise UndecodablePixelsError(
                f"there is no frame {frame}; it has {self.layout.frames}, counted from 0"
            )
        if self.fragments is not None:
            with self.path.open("rb") as file:
                return b"".join(_read_at(file, start, length) for start, length in self.fragments[frame])
        first, bits = divmod(frame * self.layout.frame_bits, 8)
        last = ceil((frame + 1) * self.layout.frame_bits / 8)
        if self.inflated is not None:
            content = self.inflated[first:last]
        else:
            with self.path.open("rb") as file:
                content = _read_at(file, self.start + first, last - first)
        return _shifted(content, bits, self.layout.frame_bits) if self.layout.frame_bits % 8 else content


def locate_frames(path: Path, header: Dataset) -> StoredFrames:
    """Return where the frames of a file lie.

    Args:
        path: a DICOM file.
        header: of it, as `models.dicom.read_header` gives it.

    Raises:
        UndecodablePixelsError: the pixel data is absent, truncated or contradicts the header, or the frames
            cannot be told apart.
    """
    layout = layout_of(header)
    syntax = UID(header.file_meta.TransferSyntaxUID)
    if syntax == DeflatedExplicitVRLittleEndian:
        inflated = bytes(with_pixels(path).PixelData)
        check_length(len(inflated), layout)
        return StoredFrames(
            layout=layout, path=path, start=0, length=len(inflated), fragments=None, inflated=inflated
        )
    try:
        with path.open("rb") as file:
            start, length = _pixel_element(file, syntax)
            if not syntax.is_encapsulated:
                there = min(length, path.stat().st_size - start)
                check_length(there, layout)
                return StoredFrames(layout=layout, path=path, start=start, length=there, fragments=None)
            if length != _UNDEFINED_LENGTH:
                raise UndecodablePixelsError("its compressed pixel data is not encapsulated; send it again")
            offsets, fragments, end = _fragments(file, start)
            frames = _by_frame(file, offsets, fragments, layout.frames)
    except BROKEN_INPUT as error:
        raise UndecodablePixelsError("its pixel data is absent or cut off; send it again") from error
    return StoredFrames(layout=layout, path=path, start=start, length=end - start, fragments=frames)


def with_pixels(path: Path) -> Dataset:
    """Return the whole object.

    Raises:
        UndecodablePixelsError: it has no pixel data.
    """
    with path.open("rb") as file:  # nothing after the pixel data: what comes before it has been counted
        dataset = read_partial(file, stop_when=_after_pixels())
    if "PixelData" not in dataset:  # pydicom also drops pixel data that ends before its delimiter
        raise UndecodablePixelsError("its pixel data is absent or cut off; send it again")
    return dataset


def _after_pixels() -> Callable[[BaseTag, str | None, int], bool]:
    passed = False

    def stop(tag: BaseTag, _: str | None, __: int) -> bool:
        nonlocal passed
        if passed:
            return True
        passed = tag in PIXEL_ELEMENTS
        return False

    return stop


def check_length(length: int, layout: Layout) -> None:
    """Accept padding, which real devices add, but neither missing bytes nor a whole further frame.

    Raises:
        UndecodablePixelsError: the length is neither.
    """
    if length < layout.stored_bytes:
        raise UndecodablePixelsError(
            f"truncated: {length} of {layout.stored_bytes} bytes are there; send it again"
        )
    if length - layout.stored_bytes >= max(layout.stored_bytes // layout.frames, 16):
        raise UndecodablePixelsError(
            f"{length} bytes of pixel data where the header promises {layout.stored_bytes}; send it again"
        )


def _pixel_element(file: BinaryIO, syntax: UID) -> tuple[int, int]:
    """Return where the value of the pixel data starts, and the length that is stated for it."""
    dcmread(file, stop_before_pixels=True)
    element = file.read(12)
    if len(element) < 12:
        raise UndecodablePixelsError("has no pixel data; send the image itself")
    head = 8 if syntax == ImplicitVRLittleEndian else 12  # PS3.5 7.1.2 and 7.1.3
    (length,) = struct.unpack("<I" if syntax.is_little_endian else ">I", element[head - 4 : head])
    return file.tell() - 12 + head, int(length)


def _fragments(file: BinaryIO, start: int) -> tuple[tuple[int, ...], list[tuple[int, int]], int]:
    """Return the basic offset table, start and length of each fragment, and where they end (annex A.4)."""
    offsets: tuple[int, ...] = ()
    found: list[tuple[int, int]] = []
    position, is_table = start, True
    while True:
        file.seek(position)
        mark = file.read(8)
        if mark[:4] == _DELIMITER:
            return offsets, found, position
        (length,) = struct.unpack("<I", mark[4:])
        if mark[:4] != _ITEM or length == _UNDEFINED_LENGTH:
            raise UndecodablePixelsError("its pixel data is cut off or malformed; send it again")
        if is_table:
            table = file.read(length // 4 * 4)
            offsets = struct.unpack(f"<{len(table) // 4}I", table)
        else:
            found.append((position + 8, length))
            if len(found) > FRAGMENTS_MAX:
                raise UndecodablePixelsError(f"its pixel data has more than {FRAGMENTS_MAX} fragments")
        position, is_table = position + 8 + length, False


def _by_frame(
    file: BinaryIO, offsets: Sequence[int], fragments: Sequence[tuple[int, int]], frames: int
) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Return the fragments of each frame: by number, by the table, or by what they start with."""
    if len(fragments) == frames:
        return tuple((fragment,) for fragment in fragments)
    if frames == 1 and fragments:
        return (tuple(fragments),)
    if len(offsets) == frames and fragments:
        first = fragments[0][0]
        starts = {offset + first for offset in offsets}
    else:
        starts = {start for start, _ in fragments if _read_at(file, start, 12).startswith(_STARTS)}
    grouped: list[list[tuple[int, int]]] = []
    for fragment in fragments:
        if fragment[0] in starts or not grouped:
            grouped.append([])
        grouped[-1].append(fragment)
    if len(grouped) != frames:
        raise UndecodablePixelsError(
            f"{frames} frames cannot be told apart in {len(fragments)} fragments; send an offset table"
        )
    return tuple(map(tuple, grouped))


def _read_at(file: BinaryIO, start: int, length: int) -> bytes:
    file.seek(start)
    return file.read(length)


def _shifted(content: bytes, bits: int, frame_bits: int) -> bytes:
    """Return a frame of single bits that starts within a byte (PS3.5 section 8.1.1)."""
    every = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")
    return np.packbits(every[bits : bits + frame_bits], bitorder="little").tobytes()
