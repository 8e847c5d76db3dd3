"""Walks over a DICOM file by the lengths that it states, and builds nothing of what it passes.

A sender decides what a header holds. A library that builds objects of it can be made to fill the memory with
a million empty items, or to stop at a thousand nested ones. This walk keeps only the few values that are
asked for, goes down by a counter and not by recursion, and counts its steps.
"""

import mmap
import struct
import zlib
from collections.abc import Collection
from dataclasses import dataclass, field

from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from models.dicom import INFLATED_BYTES_MAX
from overread.errors import InvalidDicomError

STEPS_MAX = 1_000_000  # elements and items looked at, all levels together
DEPTH_MAX = 256  # sequences within sequences, those of undefined length
VALUE_BYTES_MAX = 1 << 16  # a longer value is passed over; none that is asked for is so long
_INFLATED_KEPT = 1 << 24  # as much of it as is looked at
_INFLATE_STEP = 1 << 20

TRANSFER_SYNTAX_UID = 0x00020010
_START = 128 + 4  # preamble and prefix, PS3.10 section 7.1
PIXEL_ELEMENTS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_UNDEFINED_LENGTH = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
# PS3.5 section 7.1.2: after these, two bytes are reserved and the length takes four.
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT = frozenset(
    f"{vr}".encode()
    for vr in "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()  # noqa: SIM905  # a table
)

Bytes = bytes | mmap.mmap


@dataclass(frozen=True, slots=True, kw_only=True)
class Elements:
    """The values that were asked for, and whether there is pixel data after them."""

    meta: dict[int, bytes] = field(repr=False)  # group 0002, by tag
    values: dict[int, bytes] = field(repr=False)  # of the data set, by tag
    has_pixels: bool
    data_set_at: int  # where the data set starts in the file


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSetBytes:
    """The data set of a DICOM file, inflated where it is deflated, and how to walk over it."""

    meta: dict[int, bytes] = field(repr=False)  # group 0002, by tag
    transfer_syntax_uid: str
    data: Bytes = field(repr=False)  # the file; of a deflated one the beginning of what it inflates to
    size: int  # true size of `data`, of which a deflated one may hold only the beginning
    start: int  # of the data set in `data`
    at: int  # where the data set starts in the file
    order: str  # of the bytes: "<" or ">"
    implicit: bool  # whether value representations are left out

    def walk(self) -> "Walk":
        """Return a walk over it, with steps of its own to spend."""
        return Walk(self.data, self.size, order=self.order, implicit=self.implicit)


def open_data_set(file: Bytes) -> DataSetBytes:
    """Return the data set of a DICOM file (PS3.10).

    Raises:
        InvalidDicomError: it is no DICOM file, or its deflated data set is damaged or too large.
    """
    if file[128:_START] != b"DICM":
        raise InvalidDicomError("not a DICOM file (PS3.10 section 7.1): it lacks the prefix; send it again")
    meta, at = Walk(file, len(file), order="<", implicit=False).read_meta()
    syntax = meta.get(TRANSFER_SYNTAX_UID, b"").rstrip(b"\0 ").decode("latin-1")
    data: Bytes = file
    size, start = len(file), at
    if syntax == DeflatedExplicitVRLittleEndian:
        data, size = _inflated(file, at)
        start = 0
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    implicit = _is_implicit(data, start, declared=syntax == ImplicitVRLittleEndian)
    return DataSetBytes(
        meta=meta,
        transfer_syntax_uid=syntax,
        data=data,
        size=size,
        start=start,
        at=at,
        order=order,
        implicit=implicit,
    )


def read_elements(file: Bytes, wanted: Collection[int]) -> Elements:
    """Return the wanted elements of a DICOM file (PS3.10), all of whose stated lengths lie within it.

    Raises:
        InvalidDicomError: it is no DICOM file, or is truncated, or malformed, or far beyond any real object.
    """
    data_set = open_data_set(file)
    values, has_pixels = data_set.walk().read_data_set(data_set.start, frozenset(wanted))
    return Elements(meta=data_set.meta, values=values, has_pixels=has_pixels, data_set_at=data_set.at)


def _is_implicit(data: Bytes, start: int, *, declared: bool) -> bool:
    """Return whether value representations are left out, as the first element shows."""
    shown = bytes(data[start + 4 : start + 6])
    if declared:
        return shown not in _LONG and shown not in _SHORT
    return not (shown.isalpha() and shown.isupper()) and len(shown) == 2


def _inflated(file: Bytes, start: int) -> tuple[bytes, int]:
    """Return the beginning of a deflated data set and the size of the whole of it."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    kept, size, position, rest = bytearray(), 0, start, b""
    try:
        while not inflater.eof and (rest or position < len(file)):
            if not rest:
                rest = file[position : position + _INFLATE_STEP]
                position += len(rest)
            piece = inflater.decompress(rest, _INFLATE_STEP)
            rest = inflater.unconsumed_tail
            size += len(piece)
            kept += piece[: _INFLATED_KEPT - len(kept)]
            if size > INFLATED_BYTES_MAX:
                raise InvalidDicomError(f"the object inflates to more than {INFLATED_BYTES_MAX} bytes")
    except zlib.error:
        raise InvalidDicomError("the deflated data set is damaged; send it again") from None
    if not inflater.eof:
        raise InvalidDicomError("the deflated data set is truncated; send it again")
    return bytes(kept), size


class Walk:
    """A walk over one data set; `size` is its true size where `data` holds only its beginning."""

    def __init__(self, data: Bytes, size: int, *, order: str, implicit: bool) -> None:
        """Better call `DataSetBytes.walk`."""
        self._data = data
        self._size = size
        self._implicit = implicit
        self._tag = struct.Struct(f"{order}HH")
        self._tag_and_length = struct.Struct(f"{order}HHL")
        self._short = struct.Struct(f"{order}H")
        self._long = struct.Struct(f"{order}L")
        self._steps_left = STEPS_MAX

    def read_meta(self) -> tuple[dict[int, bytes], int]:
        """Return the file meta information and where it ends."""
        meta: dict[int, bytes] = {}
        position = _START
        while position < self._size and self.tag_at(position) >> 16 == 0x0002:
            tag, value_at, end, _ = self.element(position, self._implicit)
            if end is None:
                raise InvalidDicomError("the file meta information is malformed; send the object again")
            if end - value_at <= VALUE_BYTES_MAX:
                meta[tag] = bytes(self._data[value_at:end])
            position = end
        return meta, position

    def read_data_set(self, position: int, wanted: frozenset[int]) -> tuple[dict[int, bytes], bool]:
        """Return the wanted values before the pixel data, and whether there is pixel data."""
        values: dict[int, bytes] = {}
        while position < self._size:
            tag, value_at, end, implicit_within = self.element(position, self._implicit)
            if tag in PIXEL_ELEMENTS:
                self._pass_pixels(value_at, end)
                return values, True
            if end is None:
                end = self.pass_sequence(value_at, implicit_within)
            elif tag in wanted and end - value_at <= VALUE_BYTES_MAX:
                values[tag] = bytes(self._data[value_at:end])
            position = end
        return values, False

    def element(self, position: int, implicit: bool) -> tuple[int, int, int | None, bool]:
        """Return tag, start and end of the value (None: undefined length), and whether it is implicit within.

        PS3.5 section 7.1; an unknown value (UN) of undefined length holds implicit elements, section 6.2.2.
        """
        self._step()
        try:
            if implicit:
                group, element, length = self._tag_and_length.unpack_from(self._data, position)
                value_at, implicit_within = position + 8, True
            else:
                group, element = self._tag.unpack_from(self._data, position)
                representation = self._data[position + 4 : position + 6]
                implicit_within = representation == b"UN"
                if representation in _LONG:
                    (length,) = self._long.unpack_from(self._data, position + 8)
                    value_at = position + 12
                else:
                    (length,) = self._short.unpack_from(self._data, position + 6)
                    value_at = position + 8
        except struct.error:
            raise self._end_reached() from None
        tag = (group << 16) | element
        if length == _UNDEFINED_LENGTH:
            return tag, value_at, None, implicit_within
        if value_at + length > self._size:
            raise _truncated("in its pixel data" if tag in PIXEL_ELEMENTS else "in its header")
        return tag, value_at, value_at + length, implicit_within

    def pass_sequence(self, position: int, implicit: bool) -> int:
        """Return the position after a sequence of undefined length (PS3.5 section 7.5)."""
        within = [(False, implicit)]  # of each open level: is it an item, or a sequence; is it implicit
        while within:
            if len(within) > 2 * DEPTH_MAX:
                raise InvalidDicomError(f"sequences are nested more than {DEPTH_MAX} deep")
            in_item, implicit = within[-1]
            tag = self.tag_at(position)
            if tag == (ITEM_END if in_item else SEQUENCE_END):
                self._step()
                within.pop()
                position += 8
            elif in_item:
                _, position, end, implicit = self.element(position, implicit)
                if end is None:
                    within.append((False, implicit))
                else:
                    position = end
            elif tag == ITEM:
                _, position, end, _ = self.element(position, implicit=True)  # items have no representation
                if end is None:
                    within.append((True, implicit))
                else:
                    position = end
            else:
                raise InvalidDicomError("a sequence of the header is malformed; send the object again")
        return position

    def _pass_pixels(self, position: int, end: int | None) -> None:
        """Return if the pixel data is all there: its length, or its fragments (PS3.5 annex A.4)."""
        if end is not None:
            return
        while position + 8 <= self._size and self.tag_at(position) == ITEM:
            _, _, fragment_end, _ = self.element(position, implicit=True)
            if fragment_end is None:
                raise InvalidDicomError("a fragment of the pixel data has no length; send the object again")
            position = fragment_end

    def tag_at(self, position: int) -> int:
        """Return the tag that stands there."""
        try:
            group, element = self._tag.unpack_from(self._data, position)
        except struct.error:
            raise self._end_reached() from None
        return int(group) << 16 | int(element)

    def _step(self) -> None:
        self._steps_left -= 1
        if self._steps_left < 0:
            raise InvalidDicomError(f"the object has more than {STEPS_MAX} elements, items and fragments")

    def _end_reached(self) -> InvalidDicomError:
        if len(self._data) < self._size:  # only the beginning of what was inflated is looked at
            return InvalidDicomError(f"the header is longer than {_INFLATED_KEPT} bytes")
        return _truncated("in its header")


def _truncated(where: str) -> InvalidDicomError:
    return InvalidDicomError(f"the file is truncated {where}; send it again")
