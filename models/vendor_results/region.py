"""Graphics of a product (PS3.3 C.18.6) as boxes in the stored pixels of the study's images."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from models.vendor_results.tree import Item
from overread.observation import ImageRegion

Sizes = Mapping[str, tuple[int, int]]  # SOP Instance UID -> rows, columns
Points = tuple[tuple[float, float], ...]  # column, row; 0, 0 is the outer corner of the first pixel


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointed:
    """Target of a content item."""

    regions: tuple[ImageRegion, ...]
    images: tuple[str, ...]  # every image of the study that is referred to
    remarks: tuple[str, ...]


def regions_of(around: Item, images: Sizes) -> Pointed:
    """Return the boxes and images that an item and all below it refer to, as far as the study has them."""
    regions: list[ImageRegion] = []
    remarks: list[str] = []
    for item in around.walk():
        if item.kind == "SCOORD3D":
            remarks.append("coordinates in the patient's space are not read")
        if item.kind != "SCOORD":
            continue
        for source in (child.image for child in item.below("IMAGE")):
            if source is not None and source.sop_instance_uid in images:
                region = box_of(item, images[source.sop_instance_uid], source.sop_instance_uid, source.frame)
                regions += [region] if region is not None else []
    referred = [item.image.sop_instance_uid for item in around.walk() if item.image is not None]
    remarks += [
        f"it refers to image {image}, which the study lacks" for image in referred if image not in images
    ]
    return Pointed(
        regions=tuple(dict.fromkeys(regions)),
        images=tuple(dict.fromkeys(image for image in referred if image in images)),
        remarks=tuple(dict.fromkeys(remarks)),
    )


def box_of(item: Item, size: tuple[int, int], sop_instance_uid: str, frame: int) -> ImageRegion | None:
    """Return the box around a graphic, cut to the image; None where it has no extent, as a point has."""
    extent = _extent(item.graphic, item.points)
    if extent is None:
        return None
    rows, columns = size
    left, top, right, bottom = extent
    left, right = max(left, 0.0), min(right, float(columns))
    top, bottom = max(top, 0.0), min(bottom, float(rows))
    if not (left < right and top < bottom):
        return None
    return ImageRegion(
        sop_instance_uid=sop_instance_uid,
        frame=frame,
        column_min=left,
        row_min=top,
        column_max=right,
        row_max=bottom,
    )


def _extent(graphic: str, points: Points) -> tuple[float, float, float, float] | None:
    """Return left, top, right, bottom of a graphic (PS3.3 C.18.6.1.2); None where its points do not fit."""
    if graphic == "CIRCLE" and len(points) == 2:  # centre and a point on the circle
        (column, row), edge = points[0], math.dist(points[0], points[1])
        return column - edge, row - edge, column + edge, row + edge
    if graphic == "ELLIPSE" and len(points) == 4:  # ends of the major axis, then of the minor
        return _around_ellipse(points)
    if graphic in {"POLYLINE", "MULTIPOINT"} and len(points) >= 2:
        columns, rows = zip(*points, strict=True)
        return min(columns), min(rows), max(columns), max(rows)
    return None


def _around_ellipse(points: Points) -> tuple[float, float, float, float]:
    """Return the box around an ellipse at any angle: half extents are the norm of both half axes."""
    (a, b, c, d) = points
    column, row = (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
    half_columns = math.hypot((b[0] - a[0]) / 2, (d[0] - c[0]) / 2)
    half_rows = math.hypot((b[1] - a[1]) / 2, (d[1] - c[1]) / 2)
    return column - half_columns, row - half_rows, column + half_columns, row + half_rows
