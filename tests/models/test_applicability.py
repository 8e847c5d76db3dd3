"""A model is used for what it is meant for, and says why where it is not."""

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    SecondaryCaptureImageStorage,
)

from models.applicability import is_mirrored, quarter_turns, reason_not_applicable
from models.dicom import read_header
from models.manifest import IntendedUse
from tests.models.test_decoding import real

USE = IntendedUse(
    statement="tests",
    modalities=("CR", "DX"),
    body_parts=("chest", "thorax"),
    views=("PA", "AP"),
    minimum_age_years=16,
)


def header(**changes: object) -> Dataset:
    """Return a header that the model is meant for, with changes; None leaves an attribute out."""
    stated = {
        "SOPClassUID": DigitalXRayImageStorageForPresentation,
        "Modality": "DX",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "Rows": 2000,
        "Columns": 1800,
        **changes,
    }
    dataset = Dataset()
    for keyword, value in stated.items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def coded(meaning: str) -> list[Dataset]:
    item = Dataset()
    item.CodeMeaning = meaning
    return [item]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ViewPosition": "AP"},
        {"Modality": "CR"},
        {"BodyPartExamined": None, "StudyDescription": "XR CHEST 2 VIEWS"},
        {"BodyPartExamined": "", "SeriesDescription": "Thorax p.a."},
        {"BodyPartExamined": None, "AnatomicRegionSequence": coded("Chest")},
        {"BodyPartExamined": "PORT CHEST"},
        {"ViewPosition": None, "ViewCodeSequence": coded("postero-anterior")},
        {"ViewPosition": "", "PatientOrientation": ["L", "F"]},
        {"ViewPosition": "", "SeriesDescription": "Chest AP"},
        {"ViewPosition": None, "StudyDescription": "PORTABLE CHEST"},
        {"ViewPosition": None, "PatientOrientation": ["F", "R"]},
        {"PatientOrientation": ["L", "H"]},
        {"PatientAge": "016Y"},
        {"PatientAge": ""},
    ],
)
def test_a_frontal_chest_radiograph_is_recognised(changes) -> None:
    assert reason_not_applicable(header(**changes), USE) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Modality": "CT", "SOPClassUID": CTImageStorage}, "modality CT"),
        ({"SOPClassUID": SecondaryCaptureImageStorage}, "a secondary capture"),
        ({"SOPClassUID": DigitalXRayImageStorageForProcessing}, "raw detector data"),
        ({"Rows": None}, "is no image"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"NumberOfFrames": 12}, "12 frames"),
        ({"BodyPartExamined": "HAND"}, "shows HAND"),
        ({"BodyPartExamined": "HAND", "StudyDescription": "CHEST"}, "shows HAND"),
        ({"BodyPartExamined": None}, "does not say which body part"),
        ({"BodyPartExamined": None, "StudyDescription": "T-SPINE"}, "does not say which body part"),
        ({"ViewPosition": "LL"}, "view position LL"),
        ({"ViewPosition": None}, "does not say that it is a frontal view"),
        ({"ViewPosition": None, "ViewCodeSequence": coded("left lateral")}, "left lateral"),
        ({"ViewPosition": None, "ViewCodeSequence": coded("postero-anterior oblique")}, "oblique"),
        (
            {"ViewPosition": None, "PatientOrientation": ["P", "F"]},
            "no frontal view by its patient orientation",
        ),
        (
            {"ViewPosition": None, "StudyDescription": "CHEST PA AND LATERAL"},
            "does not say that it is a frontal",
        ),
        ({"PatientAge": "015Y"}, "patient of 015Y"),
        ({"PatientAge": "003M"}, "patient of 003M"),
        ({"Rows": 150}, "150 x 1800"),
        ({"Rows": 4000}, "not the shape"),
        ({"PatientOrientation": ["L", "P"]}, "which no frontal view has"),
        ({"ViewPosition": None, "PatientOrientation": ["F", "A"]}, "no frontal view by its patient"),
    ],
)
def test_anything_else_is_not_applicable_with_its_reason(changes, reason) -> None:
    assert reason in (reason_not_applicable(header(**changes), USE) or "applicable")


def test_real_headers_are_told_apart() -> None:
    reasons = {
        name: reason_not_applicable(read_header(real(f"{name}.dcm")), USE)
        for name in ("RG1_UNCR", "RG3_UNCR", "CT_small", "reportsi", "SC_rgb", "liver")
    }
    assert reasons.pop("RG1_UNCR") is None
    assert "shows EXTREMITY" in str(reasons["RG3_UNCR"])
    assert "is no image but Basic Text SR" in str(reasons["reportsi"])
    assert all(reasons.values())


@pytest.mark.parametrize(("rows", "mirrored"), [("L", False), ("R", True), (None, False)])
def test_the_custom_of_sides_holds_unless_the_header_says_otherwise(rows, mirrored) -> None:
    assert is_mirrored(header(PatientOrientation=[rows, "F"] if rows else None)) is mirrored


@pytest.mark.parametrize(
    ("orientation", "turns", "mirrored"),
    [
        (None, 0, False),
        (["L", "F"], 0, False),
        (["L", "FL"], 0, False),
        (["H", "L"], 1, False),  # stored a quarter clockwise: the head is at the right
        (["R", "H"], 2, False),
        (["F", "R"], 3, False),
        (["R", "F"], 0, True),
        (["F", "L"], 3, True),
        (["L", "H"], 2, True),  # upside down without being turned: mirrored, too
    ],
)
def test_turns_and_mirroring_follow_from_the_patient_orientation(orientation, turns, mirrored) -> None:
    stated = header(PatientOrientation=orientation)
    assert quarter_turns(stated) == turns
    assert is_mirrored(stated) is mirrored
