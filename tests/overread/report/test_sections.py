import pytest

from overread.observation import Section
from overread.report import load_reader


def sections(text: str) -> list[tuple[Section, str]]:
    return [
        (section, text[span.start : span.end].strip()) for section, span in load_reader().read(text).sections
    ]


def test_text_without_headings_is_one_lead() -> None:
    assert sections("Lungs clear. No effusion.") == [(Section.LEAD, "Lungs clear. No effusion.")]


@pytest.mark.parametrize(
    "text",
    [
        "INDICATION: Cough.\nFINDINGS: Lungs clear.\nIMPRESSION: Normal.",
        "Indication: Cough. Findings: Lungs clear. Impression: Normal.",
        "INDICATION\nCough.\nFINDINGS\nLungs clear.\nIMPRESSION\nNormal.",
        "indication : Cough.\n\n** FINDINGS ** :\nLungs clear.\n\nimpression:\nNormal.",
    ],
    ids=["headings on lines", "one paragraph", "without colons", "odd spacing"],
)
def test_headings_are_found_however_they_are_set(text: str) -> None:
    assert sections(text) == [
        (Section.INDICATION, "Cough."),
        (Section.FINDINGS, "Lungs clear."),
        (Section.IMPRESSION, "Normal."),
    ]


def test_a_heading_may_follow_text_without_a_full_stop() -> None:
    text = "CLINICAL HISTORY: cough COMPARISON: none FINDINGS: Lungs clear"

    assert [section for section, _ in sections(text)] == [
        Section.INDICATION,
        Section.COMPARISON,
        Section.FINDINGS,
    ]


def test_a_word_before_a_colon_is_no_heading_unless_the_rules_name_it() -> None:
    assert sections("Lines and tubes: none. Lungs clear.") == [
        (Section.LEAD, "Lines and tubes: none. Lungs clear.")
    ]


@pytest.mark.parametrize(
    ("heading", "section"),
    [
        ("ADDENDUM", Section.ADDENDUM),
        ("TECHNIQUE", Section.TECHNIQUE),
        ("RECOMMENDATION", Section.RECOMMENDATION),
        ("CONCLUSION", Section.IMPRESSION),
        ("Electronically signed by", Section.SIGNATURE),
    ],
)
def test_each_kind_of_section_is_known(heading: str, section: Section) -> None:
    assert sections(f"FINDINGS: Lungs clear.\n{heading}: text.")[-1] == (section, "text.")
