"""Statements of one SR document: measurement reports (TID 1500) and Chest CAD reports (TID 4100) of PS3.16.

A measurement report states a finding by a measurement group that names it, by an evaluation or a number
whose concept is the finding, or by both. A Chest CAD report states it by a mark (TID 4104): a broad category,
such as an abnormal opacity, and a modifier that says which. What is not understood becomes a remark.
"""

from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset

from models.dicom import BROKEN_INPUT, text
from models.vendor_results import wording as words
from models.vendor_results.claim import Claim, Results, both_sides
from models.vendor_results.region import Sizes, regions_of
from models.vendor_results.tree import Item, code_of, read_tree
from models.vendor_results.wording import Wording, describe, is_any, presence_of, side_of
from overread.errors import InvalidDicomError
from overread.observation import Laterality, Presence

_MILLIMETRES = {"mm": 1.0, "cm": 10.0}  # by UCUM
_ROOTS = (words.MEASUREMENT_REPORT, words.CHEST_CAD_REPORT)


def is_result(document: Dataset) -> bool:
    """Whether the root names a measurement report or a Chest CAD report, or cannot be read."""
    try:
        return is_any(code_of(document, "ConceptNameCodeSequence"), _ROOTS)
    except BROKEN_INPUT:
        return True  # reading it will say what is wrong


class DocumentReader:
    """Reads the documents of one product about the images of one study."""

    def __init__(self, wording: Wording, images: Sizes, score_range: tuple[float, float]) -> None:
        self._wording = wording
        self._images = images
        self._score_min, self._score_max = score_range

    def read(self, document: Dataset) -> Results:
        """Return what a document states; a broken one gives a failure."""
        name = f"document {text(document, 'SOPInstanceUID')}"
        try:
            root = read_tree(document)
        except InvalidDicomError as error:
            return Results(failure=str(error), complete=False)
        remarks: list[str] = []
        claims = tuple(self._claims(root, remarks))
        summary = [item.value for item in root.walk() if is_any(item.concept, (words.SUMMARY,))]
        complete = True
        if any(is_any(value, words.NOT_ALL_SUCCEEDED) for value in summary):
            remarks.append("not all of its algorithms succeeded, so what it does not name is not denied")
            complete = False
        failed = any(is_any(value, (words.NONE_SUCCEEDED,)) for value in summary)
        return Results(
            claims=claims,
            complete=complete,
            failure=f"{name}: none of its algorithms succeeded" if failed else None,
            remarks=tuple(f"{name}: {remark}" for remark in dict.fromkeys(remarks)),
        )

    def _claims(self, item: Item, remarks: list[str]) -> Iterator[Claim]:
        """Yield what an item states, and what those below it do where it states nothing itself."""
        if item.kind == "CONTAINER" and is_any(item.concept, (words.MEASUREMENT_GROUP,)):
            yield from self._group(item, remarks)
        elif item.kind == "CODE" and is_any(item.concept, words.MARKS):
            yield from self._mark(item, remarks)
        elif (direct := self._direct(item, item, remarks)) is not None:
            yield direct
        else:
            for child in item.children:
                yield from self._claims(child, remarks)

    def _group(self, group: Item, remarks: list[str]) -> Iterator[Claim]:
        """Yield the claims of a measurement group (TID 1410, 1411, 1501)."""
        direct = [
            claim for item in group.children if (claim := self._direct(item, group, remarks)) is not None
        ]
        named = [item.value for item in group.below("CODE") if is_any(item.concept, (words.FINDING,))]
        for value in named:
            finding = self._wording.finding(value)
            if finding is None:
                remarks.append(f"{describe(value)} is no finding that overread knows; nothing is made of it")
            else:
                presence = self._presence(group, remarks) or Presence.PRESENT
                direct.append(self._claim(finding, presence, self._score(group, remarks), group, remarks))
        if not direct and not named:
            remarks.append("a measurement group names no finding")
        yield from direct

    def _mark(self, mark: Item, remarks: list[str]) -> Iterator[Claim]:
        """Yield the claim of a Chest CAD mark (TID 4104), and of the marks that it was inferred from."""
        modifiers = [item.value for item in mark.below("CODE") if is_any(item.concept, words.MARK_MODIFIERS)]
        named = (self._wording.finding(value) for value in (*modifiers, mark.value))
        finding = next((name for name in named if name is not None), None)
        if finding is None:
            unknown = modifiers[0] if modifiers else mark.value
            remarks.append(f"{describe(unknown)} is no finding that overread knows; nothing is made of it")
        else:
            hidden = any(
                is_any(item.concept, (words.RENDERING_INTENT,))
                and is_any(item.value, (words.NOT_FOR_PRESENTATION,))
                for item in mark.below("CODE")
            )
            # A mark that is not to be shown lies below the product's own operating point.
            presence = Presence.ABSENT if hidden else Presence.PRESENT
            yield self._claim(finding, presence, self._score(mark, remarks), mark, remarks)
        for child in mark.below("CODE"):
            if is_any(child.concept, words.MARKS):
                yield from self._mark(child, remarks)

    def _direct(self, item: Item, around: Item, remarks: list[str]) -> Claim | None:
        """Return the claim of an evaluation or a number whose own concept is a finding."""
        finding = self._wording.finding(item.concept)
        if finding is None:
            return None
        if item.kind == "CODE" and (presence := presence_of(item.value)) is not None:
            return self._claim(finding, presence, None, around, remarks)
        if item.kind == "NUM" and item.number is not None:
            return self._claim(finding, None, self._scaled(item, remarks), around, remarks)
        return None

    def _claim(
        self, finding: str, presence: Presence | None, score: float | None, around: Item, remarks: list[str]
    ) -> Claim:
        found = regions_of(around, self._images)
        remarks.extend(found.remarks)
        return Claim(
            finding=finding,
            presence=presence,
            score=score,
            laterality=_side(around),
            regions=found.regions,
            images=found.images,
            size_mm=_lengths_mm(around),
        )

    def _presence(self, group: Item, remarks: list[str]) -> Presence | None:
        """Return the presence that a group states of what it names, by the concept made for it."""
        for item in group.walk():
            presence = presence_of(item.value)
            if presence is None or self._wording.finding(item.concept) is not None:
                continue
            if is_any(item.concept, (words.PRESENCE, words.FINDING)):
                return presence
            remarks.append(f"the evaluation {describe(item.concept)} is not read")
        return None

    def _score(self, around: Item, remarks: list[str]) -> float | None:
        scores = [
            scaled
            for item in around.below("NUM")
            if self._wording.is_score(item.concept) and (scaled := self._scaled(item, remarks)) is not None
        ]
        return max(scores, default=None)

    def _scaled(self, item: Item, remarks: list[str]) -> float | None:
        """Return a score in [0, 1]: a percentage as such, all else by the product's range."""
        if item.number is None:
            return None
        low, high = (0.0, 100.0) if item.unit == "%" else (self._score_min, self._score_max)
        scaled = (item.number - low) / (high - low)
        if 0 <= scaled <= 1:
            return scaled
        remarks.append(f"the score {item.number:g} of {describe(item.concept)} is outside its range")
        return None


def _lengths_mm(around: Item) -> tuple[float, ...]:
    return tuple(
        item.number * _MILLIMETRES[item.unit]
        for item in around.below("NUM")
        if item.number is not None and item.unit in _MILLIMETRES and is_any(item.concept, words.LENGTHS)
    )


def _side(around: Item) -> Laterality:
    sides: Sequence[Laterality | None] = [side_of(item.value) for item in around.walk()]
    return both_sides(side for side in sides if side is not None)
