"""Whether a model is meant for an image: decided from the header, with the reason in words.

An image that does not say what it shows is not applicable either: a score for a wrist looks like any other.
"""

import re

from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    SecondaryCaptureImageStorage,
)

from models.dicom import BROKEN_INPUT, text, whole_number
from models.manifest import IntendedUse

SMALLEST_SIDE = 200  # pixels; a thumbnail hides nodules
LONGEST_SHAPE = 1.8  # long side to short side; a chest film is at most 1.3

_RADIOGRAPHS = {ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation}
_SHAPES_OF_CLASS = {
    SecondaryCaptureImageStorage: "a secondary capture",
    DigitalXRayImageStorageForProcessing: "raw detector data (For Processing)",
}
_DESCRIPTIONS = (
    "SeriesDescription",
    "ProtocolName",
    "StudyDescription",
    "AcquisitionDeviceProcessingDescription",
)
_FRONTAL_WORDS = {"pa", "ap", "frontal", "portable", "supine", "posteroanterior", "anteroposterior"}
_OTHER_VIEW_WORDS = {"lateral", "lat", "oblique", "decubitus", "lordotic", "apical"}
_OPPOSITES = {"L": "R", "R": "L", "H": "F", "F": "H", "A": "P", "P": "A"}
_FRONTAL_ROWS = {"L", "R"}  # a frontal image runs across the patient; a lateral one from front to back


def reason_not_applicable(header: Dataset, use: IntendedUse) -> str | None:
    """Return why the model must not be used on this image, or None where it may."""
    return (
        _wrong_kind(header, use)
        or _wrong_body_part(header, use)
        or _wrong_view(header, use)
        or _wrong_patient(header, use)
        or _wrong_shape(header)
    )


def quarter_turns(header: Dataset) -> int:
    """Return the counter-clockwise quarter turns that bring the head to the top, by Patient Orientation.

    Patient Orientation (PS3.3 C.7.6.1.1.1) names the directions of rows and columns; 0 where it is absent.
    """
    return _turned_upright(_orientation(header))[0]


def is_mirrored(header: Dataset) -> bool:
    """Whether the upright image has the patient's right on its right, against the custom for a frontal view.

    Without Patient Orientation the custom holds.
    """
    return _turned_upright(_orientation(header))[1][:1] == ("R",)


def _wrong_kind(header: Dataset, use: IntendedUse) -> str | None:
    storage = UID(text(header, "SOPClassUID"))
    if whole_number(header, "Rows", 0) < 1:
        return f"is no image but {storage.name or 'an object without pixels'}"
    modality = text(header, "Modality")
    if modality not in use.modalities:
        return f"has modality {modality or 'unknown'}; the model is meant for {' and '.join(use.modalities)}"
    if storage not in _RADIOGRAPHS:
        return f"is {_SHAPES_OF_CLASS.get(storage, storage.name)}, not a radiograph for presentation"
    if "LOCALIZER" in text(header, "ImageType").upper():
        return "is a localizer"
    frames = whole_number(header, "NumberOfFrames", 1)
    return f"has {frames} frames; the model is meant for single radiographs" if frames != 1 else None


def _wrong_body_part(header: Dataset, use: IntendedUse) -> str | None:
    stated = text(header, "BodyPartExamined")
    if stated:
        right = _words(stated) & set(use.body_parts)
        return None if right else f"shows {stated}; the model is meant for {use.body_parts[0]}"
    described = " ".join(text(header, keyword) for keyword in _DESCRIPTIONS)
    if _words(f"{described} {_meanings(header, 'AnatomicRegionSequence')}") & set(use.body_parts):
        return None
    return f"does not say which body part it shows; the model is meant for {use.body_parts[0]}"


def _wrong_view(header: Dataset, use: IntendedUse) -> str | None:
    """Ask, in this order: View Position, the coded view, the orientation, the descriptions."""
    meant = f"the model is meant for {' and '.join(use.views)} views"
    position = text(header, "ViewPosition").upper()
    if position:
        return None if position in use.views else f"has view position {position}; {meant}"
    coded = _meanings(header, "ViewCodeSequence")
    rows = _turned_upright(_orientation(header))[1][:1]
    if coded:
        return None if _says_frontal(coded) else f"has view {coded!r}; {meant}"
    if rows:
        return (
            None if set(rows) <= _FRONTAL_ROWS else f"is no frontal view by its patient orientation; {meant}"
        )
    if any(_says_frontal(text(header, keyword)) for keyword in _DESCRIPTIONS):
        return None
    return f"does not say that it is a frontal view; {meant}"


def _wrong_patient(header: Dataset, use: IntendedUse) -> str | None:
    age = re.fullmatch(r"(\d{1,3})([DWMY])", text(header, "PatientAge"))  # PS3.5 6.2, AS
    if not age:
        return None
    years = int(age[1]) / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[age[2]]
    if years >= use.minimum_age_years:
        return None
    return f"is of a patient of {age[0]}; the model is meant for {use.minimum_age_years:g} years and more"


def _wrong_shape(header: Dataset) -> str | None:
    rows, columns = whole_number(header, "Rows", 0), whole_number(header, "Columns", 0)
    if min(rows, columns) < SMALLEST_SIDE:
        return f"has only {rows} x {columns} pixels; {SMALLEST_SIDE} a side are needed"
    if max(rows, columns) > LONGEST_SHAPE * min(rows, columns):
        return f"has {rows} x {columns} pixels, which is not the shape of a chest radiograph"
    if _turned_upright(_orientation(header))[1][1:] not in {(), ("F",)}:
        return f"has patient orientation {text(header, 'PatientOrientation')}, which no frontal view has"
    return None


def _orientation(header: Dataset) -> tuple[str, ...]:
    """Return the main direction of rows and of columns, such as ("L", "F"); empty where it is not stated."""
    parts = text(header, "PatientOrientation").upper().split("\\")
    return tuple(part[0] for part in parts) if len(parts) == 2 and all(parts) else ()


def _turned_upright(orientation: tuple[str, ...]) -> tuple[int, tuple[str, ...]]:
    """Return how many quarter turns let the columns run to the feet, and the orientation after them."""
    turned = orientation
    for turns in range(4):
        if turned[1:] == ("F",):
            return turns, turned
        turned = (turned[1], _OPPOSITES.get(turned[0], "")) if turned else ()
    return 0, orientation


def _says_frontal(description: str) -> bool:
    words = _words(description.replace("-", ""))
    return bool(words & _FRONTAL_WORDS) and not words & _OTHER_VIEW_WORDS


def _words(description: str) -> set[str]:
    return set(re.findall(r"[a-z]+", description.lower()))


def _meanings(header: Dataset, keyword: str) -> str:
    """Return the code meanings of a sequence in one line; empty where it is absent or broken."""
    try:
        return " ".join(text(item, "CodeMeaning") for item in header.get(keyword) or ())
    except BROKEN_INPUT:
        return ""
