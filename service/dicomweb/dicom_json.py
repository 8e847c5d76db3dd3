"""The DICOM JSON Model (PS3.18 annex F) of stored objects, read by a walk over their bytes.

What a header holds was decided by its sender, so this builds nothing that is not returned, goes no deeper
than a limit, and stops at a budget. Values are decoded here and not by a library, whose warnings quote them.
"""

import base64
import mmap
import struct
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from math import isfinite, isnan
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import dictionary_VR

from models.elements import (
    ITEM,
    ITEM_END,
    PIXEL_ELEMENTS,
    SEQUENCE_END,
    DataSetBytes,
    open_data_set,
)
from overread.errors import InvalidDicomError

ELEMENTS_MAX = 500_000  # of one object, all levels together; an enhanced CT of 2,000 frames has 120,000
DEPTH_MAX = 32  # sequences within sequences
INLINE_BYTES_MAX = 1024  # a longer binary value is left out, and its address given
TEXT_BYTES_MAX = 1 << 16  # the same of any other value
VALUES_BYTES_MAX = 1 << 25  # of all values that are returned of one object

SPECIFIC_CHARACTER_SET = 0x00080005
PIXEL_REPRESENTATION = 0x00280103
_DECIDING = frozenset({SPECIFIC_CHARACTER_SET, PIXEL_REPRESENTATION})  # about how others are read
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_WHOLE_TEXT = frozenset({"LT", "ST", "UR", "UT"})  # a backslash is a character of them, PS3.5 section 6.2
_ENCODED = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})  # in the Specific Character Set
_TEXT = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}) | _ENCODED
_NUMBERS = {"FD": "d", "FL": "f", "SL": "l", "SS": "h", "SV": "q", "UL": "L", "US": "H", "UV": "Q"}
_WORD_BYTES = {"OD": 8, "OF": 4, "OL": 4, "OV": 8, "OW": 2}  # of binary values that have an order of bytes
_ENDS = {ord(character) for character in "\r\n\t\f"}  # where an encoding starts anew, PS3.5 6.1.2.5.3
_NAME_PARTS = ("Alphabetic", "Ideographic", "Phonetic")

DicomJson = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkValue:
    """A value that is too long for metadata: a range of the file, or its bytes where those had to be made."""

    start: int
    end: int
    content: bytes | None = field(default=None, repr=False)


@dataclass(slots=True, kw_only=True)
class _Level:
    """One data set or item while it is read."""

    implicit: bool
    prefix: str = ""  # of the places of its elements
    depth: int = 0
    encodings: list[str] = field(default_factory=lambda: ["iso8859"])

    def item(self, place: str, number: int, implicit: bool) -> "_Level":
        """Return the level of an item of a sequence in this one."""
        return _Level(
            implicit=implicit,
            prefix=f"{place}.{number}.",
            depth=self.depth + 1,
            encodings=self.encodings,
        )


def read_json(
    path: Path, *, wanted: Collection[int] | None = None, bulk_address: Callable[[str], str] | None = None
) -> DicomJson:
    """Return the data set of a file in the DICOM JSON Model, without what follows its pixel data.

    Args:
        path: a DICOM file (PS3.10).
        wanted: the elements of the first level to return; None returns all.
        bulk_address: gives the Bulk Data URI of a value from its place, such as "00420011" or
            "00540016.0.00181272"; None leaves such values empty.

    Raises:
        InvalidDicomError: it is no DICOM file, or its header is malformed or beyond the limits.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        reader = _Reader(open_data_set(mapped), bulk_address or (lambda _: ""))
        return reader.read(None if wanted is None else frozenset(wanted))


def find_bulk(path: Path, place: str) -> BulkValue | None:
    """Return the value at a place that `read_json` gave; None where there is none before the pixel data.

    Raises:
        InvalidDicomError: it is no DICOM file, or its header is malformed or beyond the limits.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        data_set = open_data_set(mapped)
        reader = _Reader(data_set, lambda _: "", sought=place)
        reader.read(frozenset({int(place[:8], 16)}))
        if reader.found is None:
            return None
        representation, start, end = reader.found
        if data_set.data is mapped and data_set.order == "<":
            return BulkValue(start=start, end=end)
        content = _little_endian(bytes(data_set.data[start:end]), representation, data_set.order)
        return BulkValue(start=0, end=len(content), content=content)


def tag_key(tag: int) -> str:
    """Return the name of an element in the DICOM JSON Model: eight hexadecimal digits."""
    return f"{tag:08X}"


class _Reader:
    """Converts one data set; `found` is the representation and range of the value at the place `sought`."""

    def __init__(
        self, data_set: DataSetBytes, bulk_address: Callable[[str], str], sought: str | None = None
    ) -> None:
        self._data_set = data_set
        self._walk = data_set.walk()
        self._bulk_address = bulk_address
        self._sought = sought
        self._elements_left = ELEMENTS_MAX
        self._bytes_left = VALUES_BYTES_MAX
        self._signed = False  # Pixel Representation: what "US or SS" is
        self.found: tuple[str, int, int] | None = None

    def read(self, wanted: frozenset[int] | None) -> DicomJson:
        """Return the wanted elements of the first level; None stands for all."""
        level = _Level(implicit=self._data_set.implicit)
        needed = wanted if wanted is None else wanted | _DECIDING
        elements, _ = self._read_elements(self._data_set.start, self._data_set.size, level, needed)
        return {key: value for key, value in elements.items() if wanted is None or int(key, 16) in wanted}

    def _read_elements(
        self, position: int, end: int | None, level: _Level, wanted: frozenset[int] | None
    ) -> tuple[DicomJson, int]:
        """Return the elements of a data set or item, and where it ends; without `end` a mark says where."""
        if level.depth > DEPTH_MAX:
            raise InvalidDicomError(f"sequences are nested more than {DEPTH_MAX} deep")
        elements: DicomJson = {}
        while end is None or position < end:
            if end is None and self._walk.tag_at(position) == ITEM_END:
                return elements, position + 8
            self._spend_element()
            tag = self._walk.tag_at(position)
            if wanted is not None and tag not in wanted:
                position = self._pass(position, level)
                continue
            element, position = self._read_element(position, tag, level)
            if tag & 0xFFFF:  # the length of a group is the file's, not the data set's
                elements[tag_key(tag)] = element
        return elements, position

    def _pass(self, position: int, level: _Level) -> int:
        """Return where the next element starts; nothing is looked at after the pixel data."""
        tag, value_at, end, implicit = self._walk.element(position, level.implicit)
        if tag in PIXEL_ELEMENTS:
            return self._data_set.size
        return self._walk.pass_sequence(value_at, implicit) if end is None else end

    def _read_element(self, position: int, tag: int, level: _Level) -> tuple[DicomJson, int]:
        """Return an element, and where the next one starts."""
        _, value_at, end, implicit = self._walk.element(position, level.implicit)
        representation = self._representation(position, tag, level)
        place = level.prefix + tag_key(tag)
        if tag in PIXEL_ELEMENTS and level.depth == 0:
            return self._bulk(representation, place), self._data_set.size
        if end is None or representation == "SQ":
            return self._read_sequence((value_at, end), place, level, implicit)
        return self._read_value((value_at, end), place, level, representation), end

    def _read_sequence(
        self, places: tuple[int, int | None], place: str, level: _Level, implicit: bool
    ) -> tuple[DicomJson, int]:
        """Return a sequence (PS3.5 section 7.5), and where it ends."""
        position, end = places
        items: list[DicomJson] = []
        while end is None or position < end:
            tag = self._walk.tag_at(position)
            if end is None and tag == SEQUENCE_END:
                position += 8
                break
            if tag != ITEM:
                raise InvalidDicomError("a sequence of the header is malformed; send the object again")
            self._spend_element()
            _, value_at, item_end, _ = self._walk.element(position, implicit=True)
            within = level.item(place, len(items), implicit)
            item, position = self._read_elements(value_at, item_end, within, None)
            items.append(item)
        return ({"vr": "SQ", "Value": items} if items else {"vr": "SQ"}), position

    def _read_value(
        self, places: tuple[int, int], place: str, level: _Level, representation: str
    ) -> DicomJson:
        start, end = places
        if self._sought == place:
            self.found = representation, start, end
        if end - start > (INLINE_BYTES_MAX if representation in _BINARY else TEXT_BYTES_MAX):
            return self._bulk(representation, place)
        self._bytes_left -= end - start
        if self._bytes_left < 0:
            raise InvalidDicomError(f"the header holds more than {VALUES_BYTES_MAX} bytes of values")
        content = bytes(self._data_set.data[start:end])
        if representation in _BINARY:
            ordered = base64.b64encode(_little_endian(content, representation, self._data_set.order))
            inline = {"InlineBinary": ordered.decode()} if content else {}
            return {"vr": representation, **inline}
        values = _values(representation, content, self._data_set.order, level.encodings)
        key = place[-8:]
        if key == tag_key(SPECIFIC_CHARACTER_SET):
            level.encodings = _encodings(values)
            values = ["ISO_IR 192"]  # of the JSON text, annex F.2
        elif place == tag_key(PIXEL_REPRESENTATION):
            self._signed = values == [1]
        return {"vr": representation, "Value": values} if values else {"vr": representation}

    def _representation(self, position: int, tag: int, level: _Level) -> str:
        """Return the value representation: of the dictionary where the element does not state one."""
        if not level.implicit:
            stated = bytes(self._data_set.data[position + 4 : position + 6]).decode("latin-1")
            if stated in _TEXT or stated in _NUMBERS or stated in {"AT", "SQ"} or stated in _BINARY - {"UN"}:
                return stated
        if tag & 0x10000:  # a private element: its creator is text, of the others nobody knows
            return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
        try:
            known = dictionary_VR(tag)
        except KeyError:
            return "UN"
        if known == "US or SS":
            return "SS" if self._signed else "US"
        return "OW" if " or " in known else known

    def _bulk(self, representation: str, place: str) -> DicomJson:
        address = self._bulk_address(place)
        return {"vr": representation, "BulkDataURI": address} if address else {"vr": representation}

    def _spend_element(self) -> None:
        self._elements_left -= 1
        if self._elements_left < 0:
            raise InvalidDicomError(f"the header has more than {ELEMENTS_MAX} elements and items")


def _encodings(terms: list[Any]) -> list[str]:
    """Return the Python encodings of the values of Specific Character Set; an unknown one is Latin-1."""
    with suppress(LookupError, ValueError):
        return list(convert_encodings([str(term or "") for term in terms])) or ["iso8859"]
    return ["iso8859"]


def _values(representation: str, content: bytes, order: str, encodings: list[str]) -> list[Any]:
    """Return the values as annex F.2.3 maps them; an empty one among others is None."""
    if representation in _NUMBERS:
        return _numbers(content, order + _NUMBERS[representation])
    if representation == "AT":
        halves = [*struct.iter_unpack(f"{order}HH", content[: len(content) // 4 * 4])]
        return [f"{group:04X}{element:04X}" for group, element in halves]
    text = _decoded(content, encodings) if representation in _ENCODED else content.decode("latin-1")
    if representation in _WHOLE_TEXT:
        whole = text.rstrip("\0 ")
        return [whole] if whole else []
    stripped = [value.strip("\0 ") for value in text.split("\\")]
    if not any(stripped):
        return []
    return [_value(representation, value) if value else None for value in stripped]


def _numbers(content: bytes, form: str) -> list[float | int | str]:
    size = struct.calcsize(form)
    whole = content[: len(content) // size * size]
    return [_json_number(value) for (value,) in struct.iter_unpack(form, whole)]


def _json_number(value: float) -> float | int | str:
    """Return a number, or as text what JSON has no number for (annex F.2.3)."""
    if isfinite(value):
        return value
    return "NaN" if isnan(value) else str(value)


def _decoded(content: bytes, encodings: list[str]) -> str:
    if b"\x1b" in content:  # PS3.5 6.1.2.5.3
        with suppress(UnicodeError, LookupError):
            return decode_bytes(content, encodings, _ENDS)
    try:
        return content.decode(encodings[0], errors="replace")
    except LookupError:
        return content.decode("latin-1")


def _value(representation: str, text: str) -> Any:
    if representation == "PN":
        return {name: part for name, part in zip(_NAME_PARTS, text.split("="), strict=False) if part}
    if representation in {"DS", "IS"}:
        with suppress(ValueError):
            number = int(text) if representation == "IS" else float(text)
            return number if isfinite(number) else text
    return text


def _little_endian(content: bytes, representation: str, order: str) -> bytes:
    """Return a binary value in the order of bytes that annex F.2.7 asks for."""
    size = _WORD_BYTES.get(representation, 1)
    if order == "<" or size == 1 or len(content) % size:
        return content
    return np.frombuffer(content, f">u{size}").astype(f"<u{size}").tobytes()
