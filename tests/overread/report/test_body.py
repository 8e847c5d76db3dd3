"""Findings that stand under the heading of something else, and labels of forms."""

import pytest

from overread.observation import Presence, Section
from overread.report import load_reader


def stated(text: str) -> set[str]:
    return {o.finding for o in load_reader().read(text).observations if o.presence is Presence.PRESENT}


@pytest.mark.parametrize(
    "heading",
    [
        "COMPARISON: None",
        "COMPARISON: 3/4/2020",
        "INDICATION: Cough",
        "HISTORY: Fever",
        "TECHNIQUE: Two views",
        "EXAM: Chest",
    ],
)
@pytest.mark.parametrize("parting", [". ", "\n", ".\n\n"])
def test_a_report_without_a_heading_for_findings_is_read_all_the_same(heading: str, parting: str) -> None:
    text = f"{heading}{parting}The heart is enlarged. Small left effusion."

    reading = load_reader().read(text)

    assert {"cardiomegaly", "effusion"} <= {o.finding for o in reading.observations}
    assert {o.section for o in reading.observations} == {Section.FINDINGS}


@pytest.mark.parametrize(
    "text",
    [
        "INDICATION: Cough. Rule out pneumonia.\nIMPRESSION: Scoliosis.",
        "HISTORY: 60-year-old with emphysema. History of lung mass. IMPRESSION: Scoliosis.",
        "COMPARISON: CT with nodule of 3/4/2019. IMPRESSION: Scoliosis.",
        "TECHNIQUE: CT with 3 mm slices. Contrast to evaluate for embolism. IMPRESSION: Scoliosis.",
        "INDICATION: Pneumonia.\n\nFINDINGS: Scoliosis.",
    ],
)
def test_what_a_heading_is_about_stays_under_it(text: str) -> None:
    assert stated(text) == {"scoliosis"}


def test_a_reading_says_how_much_of_the_text_it_took_for_findings() -> None:
    whole = load_reader().read("The heart is enlarged.")
    half = load_reader().read("INDICATION: Cough and fever.\nFINDINGS: The heart is large.")

    assert whole.text_read_share == 1
    assert half.text_read_share is not None
    assert 0.4 < half.text_read_share < 0.6


def test_a_report_in_another_language_is_unread_and_not_normal() -> None:
    assert load_reader().read("Das Herz ist normal gross.").is_unread
    assert not load_reader().read("The heart is normal.").is_unread


def test_a_final_read_replaces_the_preliminary_one() -> None:
    text = "PRELIMINARY REPORT: No pneumothorax. Effusion.\nFINAL REPORT: Small left pneumothorax."

    assert stated(text) == {"pneumothorax"}
    assert stated("PRELIMINARY REPORT: Left pneumothorax.") == {"pneumothorax"}


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("Impression - right lower lobe pneumonia", "pneumonia"),
        ("HEART:\nEnlarged.", "cardiomegaly"),
        ("Heart: stable. Enlarged.", "cardiomegaly"),
        ("Hila: Prominent on the right", "hilar_enlargement"),
        ("Cardiomediastinal silhouette: Enlarged", "cardiomegaly"),
    ],
)
def test_the_label_of_a_form_is_the_subject_of_its_value(text: str, finding: str) -> None:
    assert finding in stated(text)


def test_lines_of_a_form_are_apart_whatever_their_case() -> None:
    observations = load_reader().read("lungs: clear\nheart: enlarged\nbones: no fracture").observations

    assert [o.finding for o in observations if o.presence is Presence.PRESENT] == ["cardiomegaly"]
    assert "nodule" in {o.finding for o in observations if o.presence is Presence.ABSENT}
