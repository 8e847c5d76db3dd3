"""Stacks: the images of a study by series, in the order in which they are leafed through."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from service.pictures.describing import ImageDescription

_LAST = 1 << 62  # place of what has no number


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One series."""

    series_instance_uid: str
    number: int | None
    modality: str
    description: str
    images: tuple[ImageDescription, ...]


def stacks_of(images: Iterable[ImageDescription]) -> tuple[Stack, ...]:
    """Return the series by their number, each in the order of space, else of the instance numbers.

    The order of space is taken where all images of the series are parallel and say where they lie.
    """
    by_series: dict[str, list[ImageDescription]] = {}
    for image in images:
        by_series.setdefault(image.series_instance_uid, []).append(image)
    stacks = [_stack(uid, of_series) for uid, of_series in by_series.items()]
    return tuple(sorted(stacks, key=lambda stack: (_placed(stack.number), stack.series_instance_uid)))


def _stack(uid: str, images: Sequence[ImageDescription]) -> Stack:
    in_space = all(image.positions_mm for image in images) and len({image.plane for image in images}) == 1
    ordered = sorted(
        images,
        key=lambda image: (
            -image.positions_mm[0] if in_space else 0.0,  # from the head down, as they are read
            _placed(image.instance_number),
            image.sop_instance_uid,
        ),
    )
    first = ordered[0]
    return Stack(
        series_instance_uid=uid,
        number=first.series_number,
        modality=first.modality,
        description=first.series_description,
        images=tuple(ordered),
    )


def _placed(number: int | None) -> int:
    return _LAST if number is None else number
