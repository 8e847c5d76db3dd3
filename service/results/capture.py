"""The secondary capture of a triage result: the image with boxes, what disagrees, and "not for diagnosis".

It is for viewers that show nothing else: everything is burnt into the pixels (PS3.3 C.7.6.1.1.5). Words stand
on bands above and below the image, never over it. It runs in a child process, since an image may be hostile.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from highdicom.sc import SCImage
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from models.dicom import read_header, text
from models.pixels import render_for_display
from models.stored import layout_of
from overread.observation import ImageRegion
from service.pictures.decoder import Decoder
from service.results.evidence import Evidence
from service.results.identifiers import uid_of
from service.results.report import describe_equipment, series_uid, stamp, version_of_result
from service.results.statements import Statement
from service.store.results import Form, Subject

SERIES_NUMBER = 9102
NOT_FOR_DIAGNOSIS = "NOT FOR DIAGNOSIS"
NOTHING_LEFT = "An earlier result is withdrawn: image and report agree."
_SIDE_MAX = 1280  # of the image within the capture
_SIDE_MIN = 640  # a smaller one is enlarged, so that the words beside it can be read
_LINES_MAX = 9
_BOXED_MAX = 3  # findings whose boxes are drawn; more would hide the image, and are in the report
_WHITE, _BLACK, _GREY = 255, 0, 170


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """The words of a capture."""

    title: str
    lines: tuple[str, ...]  # numbered as the boxes are


def caption_of(statements: Sequence[Statement]) -> Caption:
    """Return what is written beside the image."""
    lines = [
        f"{number}  {item.words}" if item.words else f"{number}  {item.finding.name}"
        for number, item in enumerate(statements, 1)
    ]
    if len(lines) > _LINES_MAX:
        lines = [
            *lines[: _LINES_MAX - 1],
            f"and {len(lines) - _LINES_MAX + 1} more, in the structured report",
        ]
    return Caption(
        title=f"overread: image and report compared - {NOT_FOR_DIAGNOSIS}",
        lines=tuple(lines) or (NOTHING_LEFT,),
    )


def place_of(statements: Sequence[Statement], evidence: Evidence) -> tuple[str, int]:
    """Return the image and frame of the strongest disagreement that has a place."""
    for item in statements:
        for region in item.regions:
            if region.sop_instance_uid in evidence.headers:
                return region.sop_instance_uid, region.frame
    image = next((item.image for item in statements if item.image in evidence.headers), None)
    return image or next(iter(evidence.headers)), 0


def boxes_on(statements: Sequence[Statement], image: str, frame: int) -> tuple[tuple[int, ImageRegion], ...]:
    """Return the boxes of the strongest disagreements on one frame, each with the number of its line."""
    return tuple(
        (number, region)
        for number, item in enumerate(statements[:_BOXED_MAX], 1)
        for region in item.regions
        if (region.sop_instance_uid, region.frame) == (image, frame)
    )


def draw_capture(
    _: Decoder, path: Path, *, frame: int, boxes: tuple[tuple[int, ImageRegion], ...], caption: Caption
) -> tuple[int, int, bytes]:
    """Return rows, columns and grey values of 8 bits of the capture. Runs in a child process.

    Raises:
        InvalidDicomError: the header cannot be read.
        UndecodablePixelsError: its pixels cannot be decoded.
    """
    layout = layout_of(read_header(path))
    shown = render_for_display(path, frame=frame, max_side=_SIDE_MAX)
    picture = Image.fromarray(shown).convert("L")
    grown = max(_SIDE_MIN / max(picture.size), 1.0)
    if grown > 1:
        size = round(picture.width * grown), round(picture.height * grown)
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    across, down = picture.width / layout.columns, picture.height / layout.rows
    for number, region in boxes:
        _draw_box(picture, region, str(number), across=across, down=down)
    captioned = _with_caption(picture, caption)
    return captioned.height, captioned.width, captioned.tobytes()


def make_capture(
    subject: Subject, evidence: Evidence, image: str, pixels: tuple[int, int, bytes], *, release: str
) -> Dataset:
    """Return the object of a capture that was drawn of one of the images."""
    rows, columns, values = pixels
    source = evidence.headers[image]
    capture = SCImage(
        pixel_array=np.frombuffer(values, np.uint8).reshape(rows, columns),
        photometric_interpretation="MONOCHROME2",
        bits_allocated=8,
        coordinate_system="PATIENT",
        study_instance_uid=subject.study.study_instance_uid,
        series_instance_uid=series_uid(subject, Form.SC),
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid_of("result", Form.SC, *version_of_result(subject)),
        instance_number=max(subject.occasion.occasion_id % 2**31, 1),
        manufacturer="overread",
        patient_id=source.PatientID,
        patient_name=source.PatientName,
        patient_birth_date=source.PatientBirthDate,
        patient_sex=source.PatientSex,
        accession_number=source.AccessionNumber,
        study_id=source.StudyID,
        study_date=source.StudyDate,
        study_time=source.StudyTime,
        referring_physician_name=source.ReferringPhysicianName,
        patient_orientation=("L", "F"),  # asked for here; that of the image follows
        specific_character_set="ISO_IR 192",
    )
    describe_equipment(capture, release)
    stamp(capture, subject)
    capture.DateOfSecondaryCapture = capture.ContentDate
    capture.TimeOfSecondaryCapture = capture.ContentTime
    capture.PatientOrientation = source.get("PatientOrientation")
    capture.BurnedInAnnotation = "YES"
    capture.ImageType = ["DERIVED", "SECONDARY"]
    capture.DerivationDescription = f"boxes and words of a second read; {NOT_FOR_DIAGNOSIS.lower()}"
    capture.ImageComments = NOT_FOR_DIAGNOSIS
    capture.SeriesDescription = f"overread: {NOT_FOR_DIAGNOSIS.lower()}"
    capture.SourceImageSequence = [_source(source)]
    capture.Laterality = text(source, "Laterality")
    return capture


def _source(header: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    purpose = Dataset()
    code = codes.DCM.SourceImageForImageProcessingOperation
    purpose.CodeValue, purpose.CodingSchemeDesignator, purpose.CodeMeaning = (
        code.value,
        code.scheme_designator,
        code.meaning,
    )
    item.PurposeOfReferenceCodeSequence = [purpose]
    return item


def _draw_box(picture: Image.Image, region: ImageRegion, number: str, *, across: float, down: float) -> None:
    pen = ImageDraw.Draw(picture)
    line = max(round(max(picture.size) / 400), 2)
    left, right = round(region.column_min * across), round(region.column_max * across)
    top, bottom = round(region.row_min * down), round(region.row_max * down)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    # Black around white is seen on every grey.
    pen.rectangle((left - line, top - line, right + line, bottom + line), outline=_BLACK, width=line)
    pen.rectangle((left, top, right, bottom), outline=_WHITE, width=line)
    font = _font(picture)
    pen.text(
        (left + 2 * line, max(top + line, 0)), number, fill=_WHITE, font=font, stroke_width=2, stroke_fill=0
    )


def _with_caption(picture: Image.Image, caption: Caption) -> Image.Image:
    """Return the picture between a band with the title and one with the lines."""
    font = _font(picture)
    height = round(font.size * 1.4)
    letters = max(int(picture.width / (font.size * 0.56)), 20)
    title = textwrap.wrap(caption.title, letters)
    lines = [
        part for line in caption.lines for part in textwrap.wrap(line, letters, subsequent_indent="    ")
    ]
    above, below = height * len(title) + height // 2, height * len(lines) + height // 2
    whole = Image.new("L", (picture.width, above + picture.height + below), _BLACK)
    whole.paste(picture, (0, above))
    pen = ImageDraw.Draw(whole)
    for number, line in enumerate(title):
        pen.text((8, number * height + height // 4), line, fill=_WHITE, font=font)
    for number, line in enumerate(lines):
        at = (8, above + picture.height + number * height + height // 4)
        pen.text(at, line, fill=_GREY + 60, font=font)
    return whole


def _font(picture: Image.Image) -> ImageFont.FreeTypeFont:
    """Return Pillow's own font in a size that can be read at any zoom that shows the whole picture."""
    font = ImageFont.load_default(max(round(picture.width / 48), 14))
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType")
    return font
