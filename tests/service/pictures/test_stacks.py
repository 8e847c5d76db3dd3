"""The order in which the images of a study are leafed through."""

from dataclasses import replace

from service.pictures.describing import ImageDescription
from service.pictures.stacks import stacks_of

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
IMAGE = ImageDescription(
    sop_instance_uid="1.1",
    series_instance_uid="1",
    modality="CT",
    series_number=2,
    series_description="Axial",
    instance_number=1,
    view="",
    frames=1,
    rows=8,
    columns=8,
    aspect=1.0,
    spacing=None,
    regions=(),
    edges=None,
    positions_mm=(),
    plane=(),
    frame_ms=None,
)


def image(uid: str, number: int | None, place: float | None = None, **changes: object) -> ImageDescription:
    places = () if place is None else (place,)
    given = {"sop_instance_uid": uid, "instance_number": number, "positions_mm": places, "plane": AXIAL}
    return replace(IMAGE, **(given | changes))  # type: ignore[arg-type]


def order(*images: ImageDescription) -> list[str]:
    return [item.sop_instance_uid for stack in stacks_of(images) for item in stack.images]


def test_slices_go_from_the_head_down_whatever_their_numbers() -> None:
    assert order(image("a", 1, -30), image("b", 2, 10), image("c", 3, -10)) == ["b", "c", "a"]


def test_without_a_place_of_every_image_the_numbers_count_and_what_has_none_is_last() -> None:
    assert order(image("a", None, 5), image("b", 10), image("c", 9, 1)) == ["c", "b", "a"]


def test_images_of_different_planes_are_not_ordered_in_space() -> None:
    tilted = image("b", 2, 99, plane=(1.0, 0.0, 0.0, 0.0, 0.9, 0.1))

    assert order(image("a", 1, 1), tilted) == ["a", "b"]


def test_series_go_by_their_number() -> None:
    late = image("x", 1, series_instance_uid="0", series_number=7)
    first = image("y", 1, series_instance_uid="9", series_number=1)

    stacks = stacks_of([late, first])

    assert [(stack.number, len(stack.images)) for stack in stacks] == [(1, 1), (7, 1)]
