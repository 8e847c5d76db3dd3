"""The presentation state of a triage result: boxes and words on the images, as GSPS (PS3.3 A.33.1).

The window is that in which the desk shows the image. Boxes and words stand in a graphic layer of their own,
which viewers can put out of sight.
"""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from highdicom import (
    PresentationLUTShapeValues,
    PresentationLUTTransformation,
    ReferencedImageSequence,
    VOILUTFunctionValues,
)
from highdicom.pr import (
    AnnotationUnitsValues,
    GraphicAnnotation,
    GraphicLayer,
    GraphicObject,
    GraphicTypeValues,
    GrayscaleSoftcopyPresentationState,
    SoftcopyVOILUTTransformation,
    TextObject,
)
from pydicom.dataset import Dataset
from pydicom.valuerep import format_number_as_ds

from models.decoding import decode_frame
from models.dicom import numbers, text, whole_number
from models.display_frame import display_frame, frame_header
from models.pixels import photometric_of
from overread.observation import ImageRegion
from service.pictures.decoder import Decoder
from service.results.identifiers import uid_of
from service.results.places import Marked, Places
from service.results.report import (
    MANUFACTURER,
    MODEL,
    describe_equipment,
    series_uid,
    stamp,
    tracked_as,
    version_of_result,
)
from service.store.results import Form, Subject

SERIES_NUMBER = 9106
LAYER = "OVERREAD"
_LINE_LENGTH = 48
_LINES_MAX = 6  # more would hide the image, and are in the report


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownWindow:
    """Window in which the desk shows an image, as PS3.3 C.11.2.1.2 states one."""

    centre: float
    width: float
    sigmoid: bool


def is_grey(header: Dataset) -> bool:
    """Whether an image has one sample a pixel and no palette: a grayscale state is of such images alone."""
    return whole_number(header, "SamplesPerPixel", 1) == 1 and photometric_of(header).startswith("MONOCHROME")


def shown_window(decoder: Decoder, path: Path, *, frame: int) -> ShownWindow | None:
    """Return the window in which the desk shows a frame, counted from 0; None where it is a table.

    Runs in a child process.

    Raises:
        InvalidDicomError: the header cannot be read.
        UndecodablePixelsError: its pixels cannot be decoded.
    """
    image = decoder.open(path)
    stored = decode_frame(path, image.header, frame, located=image.frames)
    shown = display_frame(stored, frame_header(image.header, frame))
    if shown.table is not None or not shown.windows:
        return None
    window = shown.windows[0].window
    width, centre = window.white - window.black, (window.white + window.black) / 2
    if shown.sigmoid:
        return ShownWindow(centre=centre, width=width, sigmoid=True)
    return ShownWindow(centre=centre + 0.5, width=width + 1, sigmoid=False)


def make_presentation(
    subject: Subject, places: Places, windows: Mapping[str, ShownWindow | None], *, release: str
) -> Dataset:
    """Return the presentation state.

    Args:
        subject: what it is about.
        places: of the disagreements, on images that are alike, and grey.
        windows: of each of the images; where one has none, those of the headers hold for all.
        release: version of overread.
    """
    layer = GraphicLayer(layer_name=LAYER, order=1, description="overread: not for diagnosis")
    inverted = photometric_of(places.headers[0]) == "MONOCHROME1"
    shape = PresentationLUTShapeValues.INVERSE if inverted else PresentationLUTShapeValues.IDENTITY
    made = GrayscaleSoftcopyPresentationState(
        referenced_images=places.headers,
        series_instance_uid=series_uid(subject, Form.GSPS),
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid_of("result", Form.GSPS, *version_of_result(subject)),
        instance_number=max(subject.occasion.occasion_id % 2**31, 1),
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL,
        software_versions=release,
        device_serial_number="0",
        content_label=LAYER,
        content_description="where image and report disagree; not for diagnosis",
        graphic_layers=[layer],
        graphic_annotations=[_annotation(plane, places, layer, subject) for plane in places.planes],
        voi_lut_transformations=_transformations(places, windows),
        presentation_lut_transformation=PresentationLUTTransformation(presentation_lut_shape=shape),
        specific_character_set="ISO_IR 192",
    )
    describe_equipment(made, release)
    stamp(made, subject)
    made.PresentationCreationDate, made.PresentationCreationTime = made.ContentDate, made.ContentTime
    del made.ContentDate, made.ContentTime  # of images and documents
    made.Laterality = text(places.headers[0], "Laterality")
    made.SeriesDescription = "overread: where image and report disagree"
    _keep_shape(made, places.headers[0])
    return made


def _annotation(
    plane: tuple[Dataset, int], places: Places, layer: GraphicLayer, subject: Subject
) -> GraphicAnnotation:
    header, frame = plane
    marks = [
        (item, place, region)
        for item in places.marked
        for place, region in item.on(header.SOPInstanceUID, frame)
    ]
    frames = [frame + 1] if whole_number(header, "NumberOfFrames", 1) > 1 else None
    return GraphicAnnotation(
        referenced_images=[header],
        graphic_layer=layer,
        referenced_frame_number=frames,
        graphic_objects=[_box(header, *mark, subject) for mark in marks],
        text_objects=[_words(header, *mark, subject) for mark in marks],
    )


def _box(header: Dataset, item: Marked, place: int, region: ImageRegion, subject: Subject) -> GraphicObject:
    left, top, right, bottom = _within(header, region)
    identifier, uid = tracked_as(item.statement, item.number, version_of_result(subject), place)
    return GraphicObject(
        graphic_type=GraphicTypeValues.POLYLINE,
        graphic_data=np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]),
        units=AnnotationUnitsValues.PIXEL,
        tracking_id=identifier,
        tracking_uid=uid,
    )


def _words(header: Dataset, item: Marked, place: int, region: ImageRegion, subject: Subject) -> TextObject:
    left, _, _, bottom = _within(header, region)
    identifier, uid = tracked_as(item.statement, item.number, version_of_result(subject), place)
    lines = textwrap.wrap(item.statement.words, _LINE_LENGTH, max_lines=_LINES_MAX, placeholder=" ...")
    return TextObject(
        text_value="\r\n".join([identifier, *lines]),
        units=AnnotationUnitsValues.PIXEL,
        anchor_point=(left, bottom),
        anchor_point_visible=False,
        tracking_id=identifier,
        tracking_uid=uid,
    )


def _within(header: Dataset, region: ImageRegion) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom within the image, from its outer corner (PS3.3 C.10.5.1.1)."""
    rows, columns = whole_number(header, "Rows", 0), whole_number(header, "Columns", 0)
    left, right = (min(max(edge, 0.0), columns) for edge in (region.column_min, region.column_max))
    top, bottom = (min(max(edge, 0.0), rows) for edge in (region.row_min, region.row_max))
    return left, top, right, bottom


def _transformations(
    places: Places, windows: Mapping[str, ShownWindow | None]
) -> list[SoftcopyVOILUTTransformation] | None:
    """Return the windows, each with the images that it holds for; None where a table holds for one."""
    by_window: dict[ShownWindow, list[Dataset]] = {}
    for header in places.headers:
        window = windows[header.SOPInstanceUID]
        if window is None:
            return None
        by_window.setdefault(window, []).append(header)
    return list(_by_window(by_window))


def _by_window(
    by_window: Mapping[ShownWindow, list[Dataset]],
) -> Iterator[SoftcopyVOILUTTransformation]:
    for window, headers in by_window.items():
        yield SoftcopyVOILUTTransformation(
            window_center=float(format_number_as_ds(window.centre)),
            window_width=float(format_number_as_ds(window.width)),
            voi_lut_function=VOILUTFunctionValues.SIGMOID if window.sigmoid else None,
            referenced_images=ReferencedImageSequence(headers) if len(by_window) > 1 else None,
        )


def _keep_shape(made: Dataset, header: Dataset) -> None:
    """State the true shape of a pixel that is not square; highdicom takes each for square (PS3.3 C.10.4)."""
    area = made.DisplayedAreaSelectionSequence[0]
    spacing = numbers(frame_header(header, 0), "PixelSpacing") or numbers(header, "ImagerPixelSpacing")
    ratio = numbers(header, "PixelAspectRatio")
    if len(spacing) == 2 and min(spacing) > 0 and spacing[0] != spacing[1]:
        del area.PresentationPixelAspectRatio
        area.PresentationPixelSpacing = [format_number_as_ds(value) for value in spacing]
    elif len(ratio) == 2 and min(ratio) > 0:
        area.PresentationPixelAspectRatio = [int(value) for value in ratio]
