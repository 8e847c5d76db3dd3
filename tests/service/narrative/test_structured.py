import io

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from overread.observation import Section
from overread.report.reader import load_reader
from service.narrative.structured import _HEADINGS, text_of_structured
from tests.service.intake.narratives import (
    FINDINGS,
    IMPRESSION,
    MASS,
    code_item,
    content_item,
    said,
    section,
    sr_bytes,
)

HISTORY = Code("121060", "DCM", "History")
PREVIOUS = Code("18834-2", "LN", "Previous Findings")
OLD_IMPRESSION = Code("121073", "DCM", "Impression")
NOTE = Code("1", "99SITE", "Note")
UPPER = Code("2", "99SITE", "Upper abdomen")


def text_of(*content: Dataset) -> str:
    return text_of_structured(dcmread(io.BytesIO(sr_bytes(*content))))


def number(value: str, unit: str = "mm") -> Dataset:
    measured = Dataset()
    measured.NumericValue = value
    measured.MeasurementUnitsCodeSequence = [code_item(Code(unit, "UCUM", unit))]
    return content_item("NUM", codes.SCT.Diameter, MeasuredValueSequence=[measured])


def test_sections_stand_under_their_headings_in_order() -> None:
    text = text_of(
        section(HISTORY, said("Cough.", NOTE)),
        section(FINDINGS, said(MASS), said("Heart normal.\r\nLungs clear.")),
        section(IMPRESSION, said("Mass.", OLD_IMPRESSION)),
    )

    assert text == (
        f"HISTORY:\nNote: Cough.\n\nFINDINGS:\n{MASS}\nHeart normal.\nLungs clear.\n\nIMPRESSION:\nMass."
    )


def test_what_a_section_on_earlier_studies_holds_is_no_finding_of_this_one() -> None:
    assert text_of(section(PREVIOUS, said(MASS)), section(FINDINGS, said("Clear."))) == (
        f"COMPARISON:\n{MASS}\n\nFINDINGS:\nClear."
    )


def test_without_sections_each_text_says_which_part_it_is() -> None:
    assert text_of(said(MASS), said("Mass.", OLD_IMPRESSION), said("See me.", NOTE)) == (
        f"FINDINGS:\n{MASS}\n\nIMPRESSION:\nMass.\n\nNote: See me."
    )


def test_a_section_of_the_sites_own_keeps_its_name() -> None:
    assert text_of(section(UPPER, said("Normal.", NOTE))) == "UPPER ABDOMEN:\nNote: Normal."


def test_codes_and_numbers_are_said_in_words() -> None:
    finding = content_item(
        "CODE", Code("121071", "DCM", "Finding"), ConceptCodeSequence=[code_item(codes.SCT.Mass)]
    )

    assert text_of(section(FINDINGS, finding, number("12.50"), number("3", "1"))) == (
        "FINDINGS:\nMass\nDiameter: 12.5 mm\nDiameter: 3"
    )


def test_who_observed_and_in_which_language_is_not_in_the_report() -> None:
    observer = content_item("TEXT", NOTE, relationship="HAS OBS CONTEXT", TextValue="Dr. Doe")
    language = content_item("TEXT", NOTE, relationship="HAS CONCEPT MOD", TextValue="English")
    under = content_item("TEXT", Code("121071", "DCM", "Finding"), said("below"), TextValue="above")

    assert text_of(observer, language, section(FINDINGS, under)) == "FINDINGS:\nabove\nbelow"


def test_every_heading_is_one_that_the_report_reader_knows() -> None:
    reader = load_reader()
    assert {found.section for found in reader.read(f"NONSENSE:\n{MASS}").observations} == {Section.LEAD}
    for heading in sorted(set(_HEADINGS.values())):
        sections = {found.section for found in reader.read(f"{heading}:\n{MASS}").observations}
        assert Section.LEAD not in sections, heading


@pytest.mark.parametrize("name", ["test-SR.dcm", "reportsi.dcm"])
def test_the_documents_of_other_makers_are_read(name: str) -> None:
    text = text_of_structured(dcmread(get_testdata_file(name)))

    assert ("Diameter: 3 cm" in text) or ("Enter text" in text)
