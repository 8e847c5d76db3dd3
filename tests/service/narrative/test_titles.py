import pytest
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from service.narrative.titles import is_report_title


@pytest.mark.parametrize(
    ("code", "words", "is_report"),
    [
        (Code("11528-7", "LN", "Radiology Report"), "", True),
        (Code("24627-2", "LN", "Informe"), "", True),  # the code says it, in whatever language
        (Code("18747-6", "LN", "CT Report"), "", True),  # of an earlier edition, by its words
        (Code("X1", "99SITE", "Chest X-ray final report"), "", True),
        (codes.DCM.BreastImagingReport, "", True),
        (codes.DCM.XRayRadiationDoseReport, "", False),
        (codes.DCM.ChestCADReport, "", False),
        (codes.DCM.ImagingMeasurementReport, "", False),
        (codes.DCM.AdultEchocardiographyProcedureReport, "", False),
        (codes.DCM.OfInterest, "Radiology Report", False),
        (Code("59284-0", "LN", "Consent Document"), "", False),
        (None, "Radiology Report", True),
        (None, "FINAL REPORT", True),
        (None, "Report of CT of the chest, with contrast", False),  # "contrast" is not on the list
        (None, "Dose Report", False),
        (None, "Lung AI report", False),
        (None, "Radiology", False),
        (None, "", False),
    ],
)
def test_a_title_says_whether_a_document_is_a_report(code: Code | None, words: str, is_report: bool) -> None:
    assert is_report_title(code, words) is is_report


def test_a_site_names_further_titles_of_its_own() -> None:
    further = ("99SITE:R1", "Thorax letter")

    assert is_report_title(Code("R1", "99site", "Letter"), further=further)
    assert is_report_title(Code("R2", "99SITE", "THORAX LETTER"), further=further)
    assert is_report_title(None, " Thorax Letter ", further=further)
    assert not is_report_title(Code("R2", "99SITE", "Letter"), further=further)
    assert not is_report_title(None, "", further=further)
