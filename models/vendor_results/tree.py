"""The content tree of a DICOM SR document (PS3.3 C.17.3) as frozen values, references followed."""

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from models.dicom import BROKEN_INPUT, numbers, text
from overread.errors import InvalidDicomError

MAX_ITEMS = 20_000  # of one document
MAX_DEPTH = 40
_OLD_NAMES = {"SNM3": "SRT", "99SDM": "SRT"}  # retired designators of SNOMED-RT (PS3.16 8.1)
_MEANING_LENGTH = 64  # DICOM VR LO


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that a content item refers to."""

    sop_instance_uid: str
    frame: int  # counted from 0, the first of several


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One content item with all below it; a part that the item lacks is None or empty."""

    kind: str  # Value Type, such as CONTAINER, CODE, NUM, SCOORD, IMAGE
    concept: Code | None
    value: Code | None  # of CODE
    number: float | None  # of NUM
    unit: str  # of NUM, by UCUM
    graphic: str  # Graphic Type of SCOORD
    points: tuple[tuple[float, float], ...]  # of SCOORD: column, row
    image: Image | None  # of IMAGE
    children: tuple["Item", ...]

    def walk(self) -> Iterator["Item"]:
        """Yield the item and all below it, from the top."""
        yield self
        for child in self.children:
            yield from child.walk()

    def below(self, kind: str) -> Iterator["Item"]:
        """Yield the direct children of one value type."""
        return (child for child in self.children if child.kind == kind)


def read_tree(document: Dataset) -> Item:
    """Return the content of a document.

    Raises:
        InvalidDicomError: the content is broken, too large or nested too deep.
    """
    try:
        return _Builder(document).build(document, depth=0)
    except InvalidDicomError:
        raise
    except BROKEN_INPUT as error:
        raise InvalidDicomError(
            f"the content of document {text(document, 'SOPInstanceUID')} is broken: {type(error).__name__}"
        ) from error


def code_of(item: Dataset, keyword: str) -> Code | None:
    """Return the first code of a sequence, None where there is none; retired scheme names are replaced."""
    sequence = item.get(keyword)
    if not sequence:
        return None
    entry = sequence[0]
    value = text(entry, "CodeValue") or text(entry, "LongCodeValue") or text(entry, "URNCodeValue")
    scheme = text(entry, "CodingSchemeDesignator")
    meaning = text(entry, "CodeMeaning")[:_MEANING_LENGTH]
    return Code(value, _OLD_NAMES.get(scheme, scheme), meaning) if value else None


class _Builder:
    def __init__(self, document: Dataset) -> None:
        self._document = document
        self._left = MAX_ITEMS

    def build(self, item: Dataset, *, depth: int) -> Item:
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise InvalidDicomError(
                f"document {text(self._document, 'SOPInstanceUID')} has more than {MAX_ITEMS} items or "
                f"{MAX_DEPTH} levels"
            )
        children = (self._target(child) for child in item.get("ContentSequence") or ())
        number, unit = _measured(item)
        return Item(
            kind=text(item, "ValueType"),
            concept=code_of(item, "ConceptNameCodeSequence"),
            value=code_of(item, "ConceptCodeSequence"),
            number=number,
            unit=unit,
            graphic=text(item, "GraphicType"),
            points=_points(item),
            image=_image(item),
            children=tuple(self.build(child, depth=depth + 1) for child in children),
        )

    def _target(self, child: Dataset) -> Dataset:
        """Return the item that a reference (PS3.3 C.17.3.2.5) leads to, without what is below it."""
        path = [int(step) for step in numbers(child, "ReferencedContentItemIdentifier")]
        if not path:
            return child
        target = self._document
        for step in path[1:]:  # the first is the root itself
            target = target.ContentSequence[step - 1]
        bare = Dataset()
        bare.update({tag: element for tag, element in target.items() if element.tag != 0x0040A730})
        return bare


def _measured(item: Dataset) -> tuple[float | None, str]:
    for entry in item.get("MeasuredValueSequence") or ():
        values = numbers(entry, "FloatingPointValue") or numbers(entry, "NumericValue")
        unit = code_of(entry, "MeasurementUnitsCodeSequence")
        if values and math.isfinite(values[0]):
            return values[0], "" if unit is None else unit.value
    return None, ""


def _points(item: Dataset) -> tuple[tuple[float, float], ...]:
    flat = numbers(item, "GraphicData")
    return tuple(zip(flat[::2], flat[1::2], strict=False))


def _image(item: Dataset) -> Image | None:
    if text(item, "ValueType") != "IMAGE":
        return None
    for entry in item.get("ReferencedSOPSequence") or ():
        frame = 0
        with suppress(IndexError):
            frame = max(int(numbers(entry, "ReferencedFrameNumber")[0]) - 1, 0)
        return Image(sop_instance_uid=text(entry, "ReferencedSOPInstanceUID"), frame=frame)
    return None
