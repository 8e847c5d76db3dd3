"""Places of the disagreements on images that are alike: what one segmentation, or presentation state, shows.

Both are about images of one series, size and orientation; of a multi-frame object, or of images without a
frame of reference, about one. So they show what lies on the images like the one of the strongest
disagreement with a place. The structured report has the other places too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from models.dicom import numbers, text, whole_number
from overread.observation import ImageRegion
from service.results.evidence import Evidence
from service.results.statements import Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """Places of one disagreement on images that are alike; one at least."""

    number: int  # of its statement, from 0
    statement: Statement
    regions: tuple[tuple[int, ImageRegion], ...]  # each with its number among those of the structured report

    def on(self, image: str, frame: int) -> tuple[tuple[int, ImageRegion], ...]:
        """Return the places on one frame of an image."""
        return tuple(
            (place, region)
            for place, region in self.regions
            if (region.sop_instance_uid, region.frame) == (image, frame)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Disagreements on images that are alike; one disagreement at least, and one image."""

    marked: tuple[Marked, ...]  # the strongest first
    headers: tuple[Dataset, ...]  # of the images on which one of them lies

    @property
    def planes(self) -> tuple[tuple[Dataset, int], ...]:
        """The frames on which one of them lies, by image and number, counted from 0."""
        wanted = {
            (region.sop_instance_uid, region.frame) for item in self.marked for _, region in item.regions
        }
        return tuple(
            (header, frame)
            for header in self.headers
            for frame in sorted(frame for image, frame in wanted if image == header.SOPInstanceUID)
        )


def places_of(statements: Sequence[Statement], evidence: Evidence) -> Places | None:
    """Return the places on images like that of the strongest disagreement that has one; None without any."""
    every = [
        Marked(number=number, statement=item, regions=regions)
        for number, item in enumerate(statements)
        if (regions := _regions(item, evidence))
    ]
    if not every:
        return None
    first = evidence.headers[every[0].regions[0][1].sop_instance_uid]
    alike = {uid: header for uid, header in evidence.headers.items() if _likeness(header) == _likeness(first)}
    marked = [
        Marked(number=item.number, statement=item.statement, regions=regions)
        for item in every
        if (regions := tuple(pair for pair in item.regions if pair[1].sop_instance_uid in alike))
    ]
    shown = {region.sop_instance_uid for item in marked for _, region in item.regions}
    return Places(
        marked=tuple(marked), headers=tuple(header for uid, header in alike.items() if uid in shown)
    )


def is_multi_frame(header: Dataset) -> bool:
    """Whether an object is of a multi-frame IOD, or has several frames."""
    return "SharedFunctionalGroupsSequence" in header or whole_number(header, "NumberOfFrames", 1) > 1


def _regions(item: Statement, evidence: Evidence) -> tuple[tuple[int, ImageRegion], ...]:
    """Return the places on images that are there, numbered as in the structured report."""
    there = (region for region in item.regions if region.sop_instance_uid in evidence.headers)
    return tuple(enumerate(there))


def _likeness(header: Dataset) -> tuple[object, ...]:
    """Return what images have in common that one object may be about; of an image alone its own UID."""
    position = numbers(header, "ImagePositionPatient")
    if is_multi_frame(header) or len(position) != 3 or not text(header, "FrameOfReferenceUID"):
        return (header.SOPInstanceUID,)
    return (
        text(header, "SeriesInstanceUID"),
        text(header, "FrameOfReferenceUID"),
        *(whole_number(header, keyword, 0) for keyword in ("Rows", "Columns")),
        *(numbers(header, keyword) for keyword in ("ImageOrientationPatient", "PixelSpacing")),
        *(numbers(header, keyword) for keyword in ("RescaleSlope", "RescaleIntercept")),
    )
