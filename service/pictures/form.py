"""Form of a stored image, and what its decoding may cost, by its header alone.

The header is walked over and not built by a library, so that no header makes an HTTP process take memory.
"""

import mmap
import re
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from pydicom.datadict import tag_for_keyword
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from models.elements import open_data_set
from overread.errors import InvalidDicomError

_UNSIGNED = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated")
_TAGS = {keyword: int(tag_for_keyword(keyword) or 0) for keyword in (*_UNSIGNED, "NumberOfFrames")}
_WANTED = frozenset(_TAGS.values())
_US_BYTES = 2
_NUMBER = re.compile(rb"[0-9]{1,9}")
# Bytes that decoding takes; `python -m benchmarks.pictures --memory` prints what it took.
_FIXED_BYTES = 32 << 20  # whatever the image
_PER_PIXEL = 20  # grey values as 32-bit floats, and what a window makes of them
_TIMES_STORED = 2  # as it is stored, and a copy in another form
_TIMES_COMPRESSED = 3  # the compressed frame, or the inflated object


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageForm:
    """What the header promises; nothing of it is checked but that it is numbers."""

    rows: int  # 0 where the object is no image
    columns: int  # the same
    frames: int
    pixel_bytes: int  # of one pixel, all samples
    packed_bytes: int  # of what is read whole for one frame, in its packed form; 0 where nothing is
    needs_decoding: bool  # its pixels cannot be taken from the file as they are

    @property
    def frame_bytes(self) -> int:
        """Size of one frame that is not compressed."""
        return self.rows * self.columns * self.pixel_bytes

    @property
    def memory_bytes(self) -> int:
        """Return what decoding and drawing one frame may take at most."""
        pixels = self.rows * self.columns
        return (
            _FIXED_BYTES
            + pixels * _PER_PIXEL
            + self.frame_bytes * _TIMES_STORED
            + self.packed_bytes * _TIMES_COMPRESSED
        )


def read_form(path: Path) -> ImageForm:
    """Return the form of the image in a DICOM file.

    Raises:
        InvalidDicomError: it is no DICOM file, or is truncated or malformed.
    """
    size = path.stat().st_size
    if size == 0:
        raise InvalidDicomError("the stored object is empty")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        data_set = open_data_set(mapped)
        values, has_pixels = data_set.walk().read_data_set(data_set.start, _WANTED)
        found = {keyword: values.get(tag, b"") for keyword, tag in _TAGS.items()}
        rows, columns, samples, bits = (_unsigned(found[keyword], data_set.order) for keyword in _UNSIGNED)
    is_image = has_pixels and rows > 0 and columns > 0
    frames = _integer(found["NumberOfFrames"]) or 1
    syntax = UID(data_set.transfer_syntax_uid)
    is_deflated = syntax == DeflatedExplicitVRLittleEndian
    is_whole = is_deflated or not is_image
    is_packed = is_deflated or not syntax.is_transfer_syntax or syntax.is_encapsulated
    return ImageForm(
        rows=rows if is_image else 0,
        columns=columns if is_image else 0,
        frames=frames,
        pixel_bytes=(samples or 1) * ceil((bits or 16) / 8),
        packed_bytes=data_set.size // (1 if is_whole else frames) if is_whole or is_packed else 0,
        needs_decoding=is_packed or syntax == ExplicitVRBigEndian,
    )


def _unsigned(value: bytes, order: str) -> int:
    """Return the number of an element of VR US (PS3.5 table 6.2-1), 0 if it is absent or malformed."""
    return int.from_bytes(value, "big" if order == ">" else "little") if len(value) == _US_BYTES else 0


def _integer(value: bytes) -> int:
    """Return the number of an element of VR IS, the same."""
    digits = value.strip(b" \0")
    return int(digits) if _NUMBER.fullmatch(digits) else 0
