"""Walks over a DICOM file by the lengths that it states, and builds nothing of what it passes.

A sender decides what a header holds. A library that builds objects of it can be made to fill the memory with
a million empty items, or to stop at a thousand nested ones. This walk keeps only the few values that are
asked for, goes down by a counter and not by recursion, and counts its steps and every item, whether the
length of a sequence is stated or not. What passes it, a library can be given.
"""

import mmap
import struct
import zlib
from collections.abc import Collection
from dataclasses import dataclass, field

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from overread.errors import InvalidDicomError

STEPS_MAX = 1_000_000  # elements, items and fragments, all levels together
ITEMS_MAX = 200_000  # items of sequences, all levels together; pydicom takes 60 us and 1.3 kB for each
DEPTH_MAX = 256  # sequences within sequences
INFLATED_BYTES_MAX = 1 << 28  # of a deflated object, PS3.5 annex A.5
VALUE_BYTES_MAX = 1 << 16  # a longer value is passed over; none that is asked for is so long
_INFLATED_KEPT = 1 << 24  # as much of it as is looked at
_INFLATE_STEP = 1 << 20

TRANSFER_SYNTAX_UID = 0x00020010
_START = 128 + 4  # preamble and prefix, PS3.10 section 7.1
PIXEL_ELEMENTS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_UNDEFINED_LENGTH = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
# PS3.5 section 7.1.2: after these, two bytes are reserved and the length takes four.
_FRAGMENTED = frozenset({b"OB", b"OW"})  # of undefined length these hold fragments, no items (annex A.4)
_MARK_BYTES = 8  # tag and length of an item, or of an end
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

    def walk(self, *, items_max: int = ITEMS_MAX) -> "Walk":
        """Return a walk over it, with steps and items of its own to spend."""
        return Walk(self.data, self.size, order=self.order, implicit=self.implicit, items_max=items_max)


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


class _DamageError(InvalidDicomError):
    """What stands here is not what the standard says, or runs over the end of what it is part of."""


@dataclass(slots=True, kw_only=True)
class _Level:
    """A sequence or item that a walk is in."""

    in_item: bool  # else in a sequence
    implicit: bool  # of the elements within
    end: int | None  # None: a mark ends it
    limit: int  # end of the innermost level around it, itself included, that states one
    is_private: bool = False
    has_fragments: bool = False  # instead of items


class Walk:
    """A walk over one data set; `size` is its true size where `data` holds only its beginning."""

    def __init__(
        self, data: Bytes, size: int, *, order: str, implicit: bool, items_max: int = ITEMS_MAX
    ) -> None:
        """Better call `DataSetBytes.walk`."""
        self._data = data
        self._size = size
        self._implicit = implicit
        self._tag = struct.Struct(f"{order}HH")
        self._tag_and_length = struct.Struct(f"{order}HHL")
        self._short = struct.Struct(f"{order}H")
        self._long = struct.Struct(f"{order}L")
        self._steps_left = STEPS_MAX
        self._items_max = self._items_left = items_max

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
            elif self._holds_items(position, tag, value_at, end, implicit=self._implicit):
                self.pass_sequence(value_at, implicit_within, end, is_private=_is_private(tag))
            elif tag in wanted and end - value_at <= VALUE_BYTES_MAX:
                values[tag] = bytes(self._data[value_at:end])
            position = end
        return values, False

    def pass_header(self, position: int) -> int:
        """Return where the pixel data starts, or the end where there is none; all before it is counted.

        Damage ends it, where what is left is too short for more items than are left: a library may say what
        it makes of that.
        """
        try:
            while position < self._size and self.tag_at(position) not in PIXEL_ELEMENTS:
                tag, value_at, end, implicit_within = self.element(position, self._implicit)
                if end is None or self._holds_items(position, tag, value_at, end, implicit=self._implicit):
                    end = self.pass_sequence(value_at, implicit_within, end, is_private=_is_private(tag))
                position = end
        except _DamageError:
            if (self._size - position) // _MARK_BYTES > self._items_left:
                raise
            return self._size
        return position

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

    def pass_sequence(
        self, position: int, implicit: bool, end: int | None = None, *, is_private: bool = False
    ) -> int:
        """Return the position after a sequence (PS3.5 section 7.5), every item within it counted.

        Damage within what states its length costs that alone: real devices write odd things there, which
        were passed over by their length. A library may take all that is left of it for items, so it is
        counted as if it were; of private elements it is not, which nobody asks a library for.

        Args:
            position: of its first item.
            implicit: whether the elements of its items state no representation.
            end: of the sequence; None where a mark says so.
            is_private: whether the element is private.
        """
        limit = self._size if end is None else end
        levels = [_Level(in_item=False, implicit=implicit, end=end, limit=limit, is_private=is_private)]
        while levels:
            if len(levels) > 2 * DEPTH_MAX:
                raise InvalidDicomError(f"sequences are nested more than {DEPTH_MAX} deep")
            try:
                position = self._pass_one(position, levels)
            except _DamageError:
                stated = [number for number, level in enumerate(levels) if level.end is not None]
                if not stated:
                    raise
                level = levels[stated[-1]]
                del levels[stated[-1] :]
                if not level.is_private:
                    self._spend_items((level.limit - position) // _MARK_BYTES)
                position = level.limit
        return position

    def _pass_one(self, position: int, levels: list[_Level]) -> int:
        """Return where to go on after one element, item or end, with its levels opened or closed."""
        level = levels[-1]
        if level.end is not None and position >= level.end:
            levels.pop()
            return level.end
        if position + _MARK_BYTES > level.limit:
            raise self._end_reached()
        tag = self.tag_at(position)
        if tag == (ITEM_END if level.in_item else SEQUENCE_END):
            self._step()
            levels.pop()
            position += _MARK_BYTES
            if level.end is None:
                return position
            self._spend_items((level.end - position) // _MARK_BYTES)  # a library may go on here
            return level.end
        if level.in_item:
            return self._pass_in_item(position, levels)
        if tag != ITEM:
            raise _DamageError("a sequence of the header is malformed; send the object again")
        self._spend_items(1)
        _, value_at, end, _ = self.element(position, implicit=True)  # items have no representation
        if level.has_fragments and end is not None:
            return end
        self._open(levels, end, in_item=True, implicit=level.implicit, is_private=level.is_private)
        return value_at

    def _pass_in_item(self, position: int, levels: list[_Level]) -> int:
        """Return where to go on after one element of an item."""
        level = levels[-1]
        tag, value_at, end, implicit = self.element(position, level.implicit)
        if end is not None and not self._holds_items(position, tag, value_at, end, implicit=level.implicit):
            if end > level.limit:
                raise self._end_reached()
            return end
        representation = b"" if level.implicit else self._data[position + 4 : position + 6]
        self._open(
            levels,
            end,
            in_item=False,
            implicit=implicit,
            is_private=level.is_private or _is_private(tag),
            has_fragments=end is None and (tag in PIXEL_ELEMENTS or representation in _FRAGMENTED),
        )
        return value_at

    def _open(self, levels: list[_Level], end: int | None, **kind: bool) -> None:
        around = levels[-1].limit
        if end is not None and end > around:
            raise self._end_reached()
        levels.append(_Level(end=end, limit=around if end is None else end, **kind))

    def _holds_items(self, position: int, tag: int, value_at: int, end: int, *, implicit: bool) -> bool:
        """Whether an element of stated length is a sequence, or what a library takes for one."""
        if end - value_at < _MARK_BYTES:
            return False
        representation = b"UN" if implicit else self._data[position + 4 : position + 6]
        if representation != b"UN":
            return representation == b"SQ"
        is_known = dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"
        return is_known or self.tag_at(value_at) == ITEM

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

    def _spend_items(self, count: int) -> None:
        self._items_left -= count
        if self._items_left < 0:
            raise InvalidDicomError(f"the object has more than {self._items_max} items of sequences")

    def _end_reached(self) -> _DamageError:
        if len(self._data) < self._size:  # only the beginning of what was inflated is looked at
            return _DamageError(f"the header is longer than {_INFLATED_KEPT} bytes")
        return _truncated("in its header")


def _is_private(tag: int) -> bool:
    return bool(tag >> 16 & 1)


def _truncated(where: str) -> _DamageError:
    return _DamageError(f"the file is truncated {where}; send it again")
