"""Forms of the judging part: what a browser sends, as values of the domain."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from overread.discrepancy import DiscrepancyKind
from overread.errors import InputError
from overread.finding import Actionable
from overread.observation import ImageRegion, Laterality
from overread.second_read import (
    AddedFinding,
    FlagVerdict,
    Judgement,
    OwnRead,
    Radpeer,
    RejectionCause,
    StatedFinding,
    Verdict,
)

Form = Mapping[str, str]
E = TypeVar("E", bound=StrEnum)
_FLAGS_MAX = 200
_ROWS_MAX = 20
_UID_MAX = 64
_FRAME_DIGITS = 7
_NUMBER_MAX = 1e6


def own_read_of(form: Form) -> OwnRead:
    """Return the own read that a form sends; a row without a finding says nothing.

    Raises:
        InputError: a field cannot be what it is; the message names it.
    """
    return OwnRead(findings=_rows(form), comment=_text(form, "comment"))


def judgement_of(form: Form) -> Judgement:
    """Return the judgement that a form sends; a discrepancy without a verdict was not looked at.

    Raises:
        InputError: a field cannot be what it is; the message names it.
    """
    verdicts = [_verdict(form, number) for number in range(1, _FLAGS_MAX + 1)]
    return Judgement(
        verdicts=tuple(item for item in verdicts if item is not None),
        added=tuple(
            AddedFinding(stated=item, kind=_choice(form, f"kind-{number}", DiscrepancyKind) or _MISS)
            for number, item in _numbered_rows(form)
        ),
        radpeer=_choice(form, "radpeer", Radpeer),
        acr_category=_choice(form, "acr", Actionable),
        comment=_text(form, "comment"),
        learning_point=_text(form, "learning"),
        tells_author=bool(_text(form, "tells_author")),
        asks_for_addendum=bool(_text(form, "asks_for_addendum")),
    )


_MISS = DiscrepancyKind.POSSIBLE_MISS


def _verdict(form: Form, number: int) -> FlagVerdict | None:
    verdict = _choice(form, f"verdict-{number}", Verdict)
    if verdict is None:
        return None
    kind, _, finding = _text(form, f"flag-{number}").partition(":")
    rejected = verdict is Verdict.NOT_CONFIRMED
    return FlagVerdict(
        finding=finding,
        kind=_named(f"flag-{number}", kind, DiscrepancyKind),
        verdict=verdict,
        cause=_choice(form, f"cause-{number}", RejectionCause) if rejected else None,
        corrected=None if rejected else _corrected(form, number, finding),
    )


def _corrected(form: Form, number: int, flagged: str) -> StatedFinding | None:
    """Return what was corrected; None where every field is as it was shown."""
    finding = _text(form, f"corrected-{number}")
    stated = _stated(form, finding or flagged, f"of-{number}")
    return stated if finding or stated != StatedFinding(finding=flagged) else None


def _rows(form: Form) -> tuple[StatedFinding, ...]:
    return tuple(item for _, item in _numbered_rows(form))


def _numbered_rows(form: Form) -> list[tuple[int, StatedFinding]]:
    return [
        (number, _stated(form, finding, str(number)))
        for number in range(1, _ROWS_MAX + 1)
        if (finding := _text(form, f"finding-{number}"))
    ]


def _stated(form: Form, finding: str, row: str) -> StatedFinding:
    size = _text(form, f"size-{row}")
    return StatedFinding(
        finding=finding,
        laterality=_choice(form, f"side-{row}", Laterality) or Laterality.UNSPECIFIED,
        region=_region(form, row),
        size_mm=_number(f"size-{row}", size) if size else None,
    )


def _region(form: Form, row: str) -> ImageRegion | None:
    """Return the box `left top right bottom`, in pixels of the image as stored."""
    words = _text(form, f"box-{row}").replace(",", " ").split()
    if not words:
        return None
    image, _, frame = (_text(form, f"image-{row}") or _text(form, "image")).partition(" ")
    numbers = [_number(f"box-{row}", word) for word in words]
    if len(numbers) != 4 or not (0 <= numbers[0] < numbers[2] and 0 <= numbers[1] < numbers[3]):
        raise InputError("a box is left, top, right and bottom in pixels, such as 100 120 180 200")
    if not image or len(image) > _UID_MAX:
        raise InputError("a box needs an image to be on")
    return ImageRegion(
        sop_instance_uid=image,
        frame=int(frame) if frame.isascii() and frame.isdigit() and len(frame) < _FRAME_DIGITS else 0,
        column_min=numbers[0],
        row_min=numbers[1],
        column_max=numbers[2],
        row_max=numbers[3],
    )


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise InputError(f"{name} is not a number") from None
    if not abs(number) <= _NUMBER_MAX:  # which NaN is not either
        raise InputError(f"{name} is not a number that can be meant")
    return number


def _choice(form: Form, name: str, kind: type[E]) -> E | None:
    value = _text(form, name)
    return _named(name, value, kind) if value else None


def _named(name: str, value: str, kind: type[E]) -> E:
    try:
        return kind(value)
    except ValueError:
        raise InputError(f"{name} is none of its choices") from None


def _text(form: Form, name: str) -> str:
    return form.get(name, "").strip()
