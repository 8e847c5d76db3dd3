import pytest

from overread.observation import ContradictionKind
from overread.report import load_reader
from overread.report.patient import find_patient_contradictions


def kinds(text: str) -> list[tuple[ContradictionKind, str]]:
    return [(item.kind, item.subject) for item in load_reader().read(text).contradictions]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "FINDINGS: No pneumothorax. IMPRESSION: Small pneumothorax.",
            [(ContradictionKind.PRESENCE, "pneumothorax")],
        ),
        ("FINDINGS: Right effusion. IMPRESSION: No effusion.", [(ContradictionKind.PRESENCE, "effusion")]),
        ("FINDINGS: Right effusion. IMPRESSION: Left effusion.", [(ContradictionKind.SIDE, "effusion")]),
        ("FINDINGS: 5 mm left nodule. IMPRESSION: 15 mm left nodule.", [(ContradictionKind.SIZE, "nodule")]),
        ("FINDINGS: Right effusion. IMPRESSION: Right effusion.", []),
        ("FINDINGS: Bilateral effusions. IMPRESSION: Right effusion.", []),
        ("FINDINGS: 5 mm left nodule. IMPRESSION: 6 mm left nodule.", []),
        ("FINDINGS: Lungs are otherwise clear. IMPRESSION: Left nodule.", []),
        ("FINDINGS: Right pneumothorax has resolved. IMPRESSION: No pneumothorax.", []),
        ("FINDINGS: Possible effusion. IMPRESSION: No effusion.", []),
        (
            "FINDINGS: Right consolidation. IMPRESSION: Left pneumonia.",
            [(ContradictionKind.SIDE, "consolidation")],
        ),
        (
            "FINDINGS: Lungs are clear. IMPRESSION: Left pneumonia.",
            [(ContradictionKind.PRESENCE, "pneumonia")],
        ),
        (
            "FINDINGS: No effusion. Moderate effusion. IMPRESSION: Effusion.",
            [(ContradictionKind.PRESENCE, "effusion")],
        ),
        (
            "FINDINGS: Left pneumothorax. Scoliosis. IMPRESSION: Scoliosis.",
            [(ContradictionKind.OMISSION, "pneumothorax")],
        ),
        ("FINDINGS: Left pneumothorax. IMPRESSION: As above.", []),
        ("FINDINGS: 4 mm nodule. Scoliosis. IMPRESSION: Scoliosis.", []),
    ],
)
def test_findings_and_impression_are_held_against_each_other(
    text: str, expected: list[tuple[ContradictionKind, str]]
) -> None:
    assert kinds(text) == expected


def test_a_contradiction_leads_to_both_places() -> None:
    text = "FINDINGS: Right effusion. IMPRESSION: Left effusion."

    (found,) = load_reader().read(text).contradictions

    assert found.second is not None
    assert (found.first.start, found.second.start) == (text.index("effusion"), text.rindex("effusion"))
    assert "right" in found.reason
    assert "left" in found.reason


@pytest.mark.parametrize(
    ("text", "sex", "age_years", "expected"),
    [
        ("FINDINGS: The uterus is enlarged.", "M", None, [ContradictionKind.SEX]),
        ("FINDINGS: The uterus is enlarged.", "F", None, []),
        ("FINDINGS: The prostate is enlarged.", "F", None, [ContradictionKind.SEX]),
        ("FINDINGS: Normal thymus.", None, 70.0, [ContradictionKind.AGE]),
        ("FINDINGS: Normal thymus.", None, 2.0, []),
        ("INDICATION: 54 F with cough. FINDINGS: Lungs clear.", "M", None, [ContradictionKind.SEX]),
        ("FINDINGS: 8 F pigtail catheter on the left.", "M", None, []),
        ("Mr Jones was seen. Lungs clear.", "F", None, [ContradictionKind.SEX]),
        ("INDICATION: 71-year-old with cough. FINDINGS: Lungs clear.", None, 34.0, [ContradictionKind.AGE]),
        ("INDICATION: 71-year-old with cough. FINDINGS: Lungs clear.", None, 71.0, []),
        ("FINDINGS: Degenerative changes of the spine.", None, 4.0, [ContradictionKind.AGE]),
        ("FINDINGS: CT 3 years ago. Lungs clear.", None, 60.0, []),
        ("INDICATION: Mother has cancer of the uterus. FINDINGS: Lungs clear.", "M", None, []),
    ],
)
def test_sex_and_age_are_checked_when_asked(
    text: str, sex: str | None, age_years: float | None, expected: list[ContradictionKind]
) -> None:
    reading = load_reader().read(text)

    found = find_patient_contradictions(text, reading, sex=sex, age_years=age_years)

    assert [item.kind for item in found] == expected
