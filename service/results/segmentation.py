"""The segmentation of a triage result: a segment for each disagreement that has a place (PS3.3 A.51).

It is BINARY. A detector's boxes are given as the pixels within them; where it has a heat map too, as the
pixels within the boxes whose evidence reaches the share of the strongest by which those boxes were drawn
(`models.localisation.BOX_LEVEL`). FRACTIONAL would state for each pixel how probable it is that the finding
is there (PS3.3 C.8.20.2.3). No detector states that: a heat map says where the evidence lies, on a scale
of its own within each image.
"""

from collections.abc import Iterator, Sequence
from math import ceil

import numpy as np
from highdicom import AlgorithmIdentificationSequence, PlanePositionSequence
from highdicom.color import CIELabColor
from highdicom.enum import CoordinateSystemNames
from highdicom.seg import (
    SegmentAlgorithmTypeValues,
    Segmentation,
    SegmentationTypeValues,
    SegmentDescription,
)
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from models.dicom import numbers, pixel_spacing_mm, whole_number
from models.display_frame import frame_header
from models.localisation import BOX_LEVEL
from overread.observation import HeatMap, ImageRegion
from service.results import codes as ours
from service.results.identifiers import uid_of
from service.results.places import Marked, Places, is_multi_frame
from service.results.report import (
    MANUFACTURER,
    MODEL,
    concept_of,
    describe_equipment,
    series_uid,
    sites_of,
    stamp,
    tracked_as,
    version_of_result,
)
from service.results.statements import Statement
from service.store.results import Form, Subject

SERIES_NUMBER = 9105
VOXELS_MAX = 1 << 27  # of all segments on all frames; what is weaker than what fills them is left out
_COLOURS = ("red", "deepskyblue", "gold", "limegreen", "magenta")  # the strongest disagreement first
_LABEL_LENGTH = 64  # VR LO

Mask = NDArray[np.bool_]
Planes = tuple[tuple[Dataset, int], ...]
"""Frames by image and number, counted from 0."""


def make_segmentation(subject: Subject, places: Places, *, release: str) -> Dataset | None:
    """Return the segmentation; None where even one segment would have too many pixels, or no algorithm.

    Args:
        subject: what it is about.
        places: of the disagreements, on images that are alike.
        release: version of overread.
    """
    planes, first = places.planes, places.headers[0]
    size = whole_number(first, "Rows", 0) * whole_number(first, "Columns", 0) * len(planes)
    stated = [item for item in places.marked if item.statement.detector is not None]
    segments = stated[: VOXELS_MAX // max(size, 1)]
    planes = _planes_with(planes, segments)
    if not segments:
        return None
    made = Segmentation(
        source_images=list(places.headers) if is_multi_frame(first) else [header for header, _ in planes],
        pixel_array=_pixels(planes, segments),
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(number, item, subject) for number, item in enumerate(segments, 1)],
        series_instance_uid=series_uid(subject, Form.SEG),
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid_of("result", Form.SEG, *version_of_result(subject)),
        instance_number=max(subject.occasion.occasion_id % 2**31, 1),
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL,
        software_versions=release,
        device_serial_number="0",
        plane_positions=_positions(planes) if is_multi_frame(first) else None,
        content_label="OVERREAD",
        content_description="where image and report disagree; not for diagnosis",
        specific_character_set="ISO_IR 192",
    )
    describe_equipment(made, release)
    stamp(made, subject)
    made.SeriesDescription = "overread: where image and report disagree"
    made.CodingSchemeIdentificationSequence = [ours.scheme_identification()]
    if "FrameOfReferenceUID" not in made:
        made.PatientOrientation = first.get("PatientOrientation")  # type 2C: how it lies in the patient
        shared = made.SharedFunctionalGroupsSequence[0]
        if pixel_spacing_mm(first) is None:  # of no size, as some say that do not know it
            shared.pop("PixelMeasuresSequence", None)
    _name_dimensions(made, subject)
    if is_multi_frame(first):
        _refer_to(made, {frame + 1 for _, frame in planes})
    return made


def mask_of(regions: tuple[ImageRegion, ...], heat_map: HeatMap | None, *, rows: int, columns: int) -> Mask:
    """Return the pixels of a disagreement on one frame: (rows, columns), within the boxes.

    Args:
        regions: the boxes, all on that frame.
        heat_map: of the same frame; None where there is none. A box without evidence of it is taken whole.
        rows: of the image.
        columns: of the image.
    """
    mask = np.zeros((rows, columns), np.bool_)
    strong = None if heat_map is None else _strong(heat_map, rows=rows, columns=columns)
    for region in regions:
        down = _range(region.row_min, region.row_max, rows)
        across = _range(region.column_min, region.column_max, columns)
        if strong is not None and strong[down, across].any():
            mask[down, across] |= strong[down, across]
        else:
            mask[down, across] = True
    return mask


def _planes_with(planes: Planes, segments: Sequence[Marked]) -> Planes:
    return tuple(
        (header, frame)
        for header, frame in planes
        if any(item.on(header.SOPInstanceUID, frame) for item in segments)
    )


def _pixels(planes: Planes, segments: Sequence[Marked]) -> Mask:
    """Return the segments on all frames: (frames, rows, columns, segments)."""
    rows, columns = (whole_number(planes[0][0], keyword, 0) for keyword in ("Rows", "Columns"))
    pixels = np.zeros((len(planes), rows, columns, len(segments)), np.bool_)
    for plane, (header, frame) in enumerate(planes):
        image = header.SOPInstanceUID
        for number, item in enumerate(segments):
            regions = tuple(region for _, region in item.on(image, frame))
            heat_map = _heat_map(item.statement, image, frame)
            pixels[plane, :, :, number] = mask_of(regions, heat_map, rows=rows, columns=columns)
    return pixels


def _heat_map(item: Statement, image: str, frame: int) -> HeatMap | None:
    """Return the heat map of a disagreement, where it is of that frame."""
    seen = item.discrepancy.detector_observation
    heat_map = None if seen is None else seen.heat_map
    if heat_map is None or (heat_map.region.sop_instance_uid, heat_map.region.frame) != (image, frame):
        return None
    return heat_map


def _strong(heat_map: HeatMap, *, rows: int, columns: int) -> Mask:
    """Return where the evidence reaches `BOX_LEVEL` of the strongest, interpolated between the cells."""
    values = np.asarray(heat_map.values, np.float32)
    strong = np.zeros((rows, columns), np.bool_)
    peak = float(values.max(initial=0.0))
    if peak <= 0:
        return strong
    region = heat_map.region
    down = _range(region.row_min, region.row_max, rows)
    across = _range(region.column_min, region.column_max, columns)
    size = (across.stop - across.start, down.stop - down.start)
    fine = np.asarray(Image.fromarray(values / peak).resize(size, Image.Resampling.BILINEAR))
    strong[down, across] = fine >= BOX_LEVEL
    return strong


def _range(start: float, end: float, count: int) -> slice:
    """Return the pixels whose middle lies between two edges, one at least; edges count from the outer one."""
    first = min(max(ceil(start - 0.5), 0), count - 1)
    return slice(first, min(max(ceil(end - 0.5), first + 1), count))


def _description(number: int, item: Marked, subject: Subject) -> SegmentDescription:
    statement = item.statement
    identifier, uid = tracked_as(statement, item.number, version_of_result(subject), 0)
    described = SegmentDescription(
        segment_number=number,
        segment_label=statement.finding.name[:_LABEL_LENGTH],
        segmented_property_category=concept_of(codes.SCT.MorphologicallyAbnormalStructure),
        segmented_property_type=concept_of(ours.finding_code(statement.finding)),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=_algorithm(statement),
        tracking_uid=uid,
        tracking_id=identifier,
        display_color=CIELabColor.from_string(_COLOURS[(number - 1) % len(_COLOURS)]),
    )
    for site in sites_of(statement) or ():
        region = site.value
        described.AnatomicRegionSequence = [region]
        if (side := ours.side_code(statement.laterality)) is not None:
            region.AnatomicRegionModifierSequence = [concept_of(side)]
    return described


def _algorithm(item: Statement) -> AlgorithmIdentificationSequence:
    detector = item.detector
    if detector is None:
        raise ValueError("no algorithm saw it")
    parameters = {"operating point": str(item.operating_point)}
    if detector.sha256:
        parameters["sha256"] = detector.sha256
    return AlgorithmIdentificationSequence(
        name=detector.name[:_LABEL_LENGTH],
        family=codes.cid7162.ArtificialIntelligence,
        version=detector.version[:_LABEL_LENGTH],
        parameters=parameters,
    )


def _positions(planes: Planes) -> list[PlanePositionSequence] | None:
    """Return where the frames of a multi-frame image lie in the patient; None where it does not say."""
    found = [numbers(frame_header(header, frame), "ImagePositionPatient") for header, frame in planes]
    if not all(found):
        return None
    return [PlanePositionSequence(CoordinateSystemNames.PATIENT, position) for position in found]


def _refer_to(made: Dataset, frames: set[int]) -> None:
    """Refer to these frames alone, from 1: highdicom names all in one place, whatever their time or phase."""
    for item in made.PerFrameFunctionalGroupsSequence:
        (derivation,) = item.DerivationImageSequence
        derivation.SourceImageSequence = [
            source
            for source in derivation.SourceImageSequence
            if whole_number(source, "ReferencedFrameNumber", 1) in frames
        ]


def _name_dimensions(made: Dataset, subject: Subject) -> None:
    """Give the dimensions a UID that follows from the result; highdicom's is another at each attempt."""
    dimensions = uid_of("dimensions", Form.SEG, *version_of_result(subject))
    for item in _dimension_items(made):
        item.DimensionOrganizationUID = dimensions


def _dimension_items(made: Dataset) -> Iterator[Dataset]:
    yield from made.DimensionOrganizationSequence
    yield from made.DimensionIndexSequence
