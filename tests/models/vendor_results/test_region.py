"""Graphics of SR documents as boxes."""

import pytest

from models.vendor_results.region import box_of
from models.vendor_results.tree import Item

SIZE = (200, 300)  # rows, columns


def graphic(kind: str, *points: tuple[float, float]) -> Item:
    return Item(
        kind="SCOORD",
        concept=None,
        value=None,
        number=None,
        unit="",
        graphic=kind,
        points=points,
        image=None,
        children=(),
    )


@pytest.mark.parametrize(
    ("drawn", "box"),
    [
        (graphic("POLYLINE", (10, 20), (60, 20), (60, 80)), (10, 20, 60, 80)),
        (graphic("MULTIPOINT", (10, 20), (60, 80)), (10, 20, 60, 80)),
        (graphic("CIRCLE", (100, 100), (130, 140)), (50, 50, 150, 150)),
        (graphic("ELLIPSE", (50, 100), (150, 100), (100, 80), (100, 120)), (50, 80, 150, 120)),
        # The same ellipse turned by 45 degrees: half extents sqrt((50**2 + 20**2) / 2).
        (
            graphic(
                "ELLIPSE",
                (100 - 35.3553, 100 - 35.3553),
                (100 + 35.3553, 100 + 35.3553),
                (100 + 14.1421, 100 - 14.1421),
                (100 - 14.1421, 100 + 14.1421),
            ),
            (61.92, 61.92, 138.08, 138.08),
        ),
        (graphic("POLYLINE", (-5, -5), (400, 500)), (0, 0, 300, 200)),
    ],
)
def test_a_graphic_is_boxed_and_cut_to_the_image(drawn, box) -> None:
    region = box_of(drawn, SIZE, "2.25.1", 3)

    assert region is not None
    assert (region.sop_instance_uid, region.frame) == ("2.25.1", 3)
    found = (region.column_min, region.row_min, region.column_max, region.row_max)
    assert found == pytest.approx(box, abs=0.01)


@pytest.mark.parametrize(
    "drawn",
    [
        graphic("POINT", (10, 20)),
        graphic("POLYLINE", (10, 20), (10, 80)),
        graphic("POLYLINE", (310, 20), (350, 80)),
        graphic("CIRCLE", (10, 20)),
        graphic("SPLINE", (10, 20), (30, 40)),
    ],
)
def test_what_has_no_extent_on_the_image_gives_no_box(drawn) -> None:
    assert box_of(drawn, SIZE, "2.25.1", 0) is None
