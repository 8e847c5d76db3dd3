import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from evaluation.reading.__main__ import main
from evaluation.reading.attributes import SEVERITY, SIDE, ZONE, attribute_agreement, reader_values
from evaluation.reading.baseline import KeywordReader
from evaluation.reading.codes import LABELS, MORE_LABELS
from evaluation.reading.contexts import concept_span, context_counts
from evaluation.reading.ctrate import CT_LABELS, ct_agreement, ct_keyword_counts, labelled_reports
from evaluation.reading.intervals import estimate, f1, macro_f1, micro_f1, share
from evaluation.reading.labelling import agreement, reader_presences
from evaluation.reading.material import (
    CodedReport,
    ContextItem,
    coded_reports,
    context_items,
    labelled_sentences,
)
from evaluation.reading.part import Part, part_of
from evaluation.reading.styles import HALVES, StyledReport, score, styled_reports
from overread.errors import NotFoundError
from overread.finding import load_vocabulary
from overread.observation import Laterality, Presence
from overread.report import load_reader

XML = """<?xml version="1.0"?><eCitation><MeSH>{codes}</MeSH><Abstract>{texts}</Abstract></eCitation>"""


def coded(text: str, *codes: str, number: str = "1") -> CodedReport:
    return CodedReport(number=number, text=text, codes=tuple(tuple(code.split("/")) for code in codes))


def archive(folder: Path, reports: dict[str, tuple[dict[str, str], list[str]]]) -> Path:
    """Write reports in the layout of Open-I and return the data folder."""
    (folder / "openi").mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / "openi" / "NLMCXR_reports.tgz", "w:gz") as tar:
        for number, (texts, codes) in reports.items():
            data = XML.format(
                codes="".join(f"<major>{code}</major>" for code in codes),
                texts="".join(f'<AbstractText Label="{n}">{t}</AbstractText>' for n, t in texts.items()),
            ).encode()
            member = tarfile.TarInfo(f"ecgen-radiology/{number}.xml")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return folder


def test_the_parts_never_change() -> None:
    held_back = [n for n in range(1, 41) if part_of(str(n)) is Part.HELD_BACK]
    assert held_back == [11, 13, 14, 20, 33, 37, 39]
    share_held = sum(part_of(str(n)) is Part.HELD_BACK for n in range(10_000)) / 10_000
    assert share_held == pytest.approx(0.2, abs=0.02)


def test_f1_is_twice_the_hits_over_all_that_is_coded_and_read() -> None:
    counts = np.array([[8, 2, 2], [0, 0, 0], [1, 1, 0]])

    assert f1(counts) == pytest.approx([16 / 20, 1.0, 2 / 3])
    assert macro_f1(counts) == pytest.approx((0.8 + 1 + 2 / 3) / 3)
    assert micro_f1(counts) == pytest.approx(18 / 23)


def test_an_interval_holds_its_figure_and_narrows_with_more_units() -> None:
    few, many = (np.array([[1, 0], [0, 1], [1, 0], [1, 0]] * times) for times in (5, 100))

    estimates = [estimate(counts, share) for counts in (few, many)]

    assert [e.value for e in estimates] == [0.75, 0.75]
    assert all(e.low < 0.75 < e.high for e in estimates)
    assert estimates[1].high - estimates[1].low < estimates[0].high - estimates[0].low
    assert estimate(few, share) == estimates[0]


@pytest.mark.parametrize(
    ("text", "codes", "expected"),
    [
        ("FINDINGS: Right effusion.", ["Pleural Effusion/right"], (1, 0, 0)),
        ("FINDINGS: Right effusion.", ["normal"], (0, 1, 0)),
        ("FINDINGS: No effusion.", ["Pleural Effusion/right"], (0, 0, 1)),
        ("FINDINGS: No effusion.", ["normal"], (0, 0, 0)),
        ("FINDINGS: Possible effusion.", ["Pleural Effusion/right"], (0, 0, 0)),
        ("FINDINGS: Right effusion has resolved.", ["normal"], (0, 0, 0)),
    ],
    ids=["both", "only read", "only coded", "neither", "hedged", "resolved"],
)
def test_a_report_is_counted_once_per_finding(
    text: str, codes: list[str], expected: tuple[int, int, int]
) -> None:
    column = [label.name for label in LABELS].index("effusion")

    found = agreement([coded(text, *codes)], LABELS, reader_presences(load_reader(), LABELS))

    assert tuple(found.counts[0, column]) == expected


def test_a_hedged_cell_is_left_out_and_told() -> None:
    found = agreement(
        [coded("FINDINGS: Possible effusion.", "normal")], LABELS, reader_presences(load_reader(), LABELS)
    )

    assert (found.counts.sum(), found.hedged) == (0, 1)


def test_a_hedged_cell_may_be_counted_as_stated() -> None:
    reports = [coded("FINDINGS: Possible effusion.", "Pleural Effusion", number="1")]

    found = agreement(reports, LABELS, reader_presences(load_reader(), LABELS), hedged_is_stated=True)

    assert found.counts.sum(axis=(0, 1)).tolist() == [1, 0, 0]


def test_disagreements_name_report_and_finding() -> None:
    report = coded("FINDINGS: Scoliosis.", "normal", number="77")

    (cell,) = agreement([report], LABELS, reader_presences(load_reader(), LABELS)).disagreements

    assert (cell.number, cell.label, cell.coded) == ("77", "scoliosis", False)


def test_there_are_24_findings_and_all_are_in_the_vocabulary() -> None:
    assert len(LABELS) == 24
    stated = set().union(*(label.findings for label in (*LABELS, *MORE_LABELS)))
    assert stated <= set(load_vocabulary())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FINDINGS: Right effusion.", {Presence.PRESENT}),
        ("FINDINGS: No mass or effusion.", {Presence.ABSENT}),
        ("FINDINGS: Possible effusion.", {Presence.UNCERTAIN}),
        ("INDICATION: effusion", None),
    ],
)
def test_the_baseline_is_a_keyword_list_with_negation(text: str, expected: set[Presence] | None) -> None:
    assert KeywordReader().presences(text).get("effusion") == expected


def test_sides_zones_and_severities_are_compared_where_they_are_coded() -> None:
    report = coded(
        "FINDINGS: Mild left base atelectasis.", "Pulmonary Atelectasis/base/left/mild", "Scoliosis/right"
    )
    other = coded("FINDINGS: Mild right apical atelectasis.", "Pulmonary Atelectasis/base/left/severe")

    for attribute in (SIDE, ZONE, SEVERITY):
        assert attribute_agreement(
            [report], reader_values(load_reader(), attribute), attribute
        ).counts.tolist() == [[1, 0]]
        plain = KeywordReader().values(attribute.name)
        assert attribute_agreement([report], plain, attribute).counts.tolist() == [[1, 0]]
        assert attribute_agreement(
            [other], reader_values(load_reader(), attribute), attribute
        ).counts.tolist() == [[0, 1]]


def test_the_concept_in_capitals_is_meant() -> None:
    item = ContextItem(
        concept="edema",
        sentence="No edema, but later EDEMA.",
        negated=False,
        historical=False,
        other=False,
        part=Part.DEVELOPMENT,
    )

    span = concept_span(item)
    negation, _ = context_counts([item], load_reader())

    assert span is not None
    assert span.start == item.sentence.index("EDEMA")
    assert negation.sum() == 0


def test_reports_are_read_in_the_layout_of_their_source(tmp_path: Path) -> None:
    data = archive(
        tmp_path,
        {
            "1": ({"FINDINGS": "Lungs clear.", "IMPRESSION": ""}, ["normal"]),
            "2": ({"FINDINGS": "Effusion."}, ["Pleural Effusion/right", "Scoliosis"]),
            "3": ({"FINDINGS": "Effusion."}, ["No Indexing"]),
            "4": ({"FINDINGS": ""}, ["normal"]),
        },
    )

    reports = list(coded_reports(data))

    assert [report.number for report in reports] == ["1", "2"]
    assert reports[0].text == "FINDINGS: Lungs clear."
    assert reports[1].codes == (("Pleural Effusion", "right"), ("Scoliosis",))


def test_sentences_and_context_are_read_in_the_layout_of_their_source(tmp_path: Path) -> None:
    (tmp_path / "openi").mkdir()
    (tmp_path / "context").mkdir()
    csv = 'label,sentence\ns,Right effusion\nh,"Clear, normal"\n'
    (tmp_path / "openi" / "sentences_normal_abnormal.csv").write_text(csv, encoding="utf-8")
    row = "1\t\tcough\tNo COUGH.\tNegated\tRecent\tPatient\nbroken\n"
    (tmp_path / "context" / "rsAnnotations-1-120-random.txt").write_text(row, encoding="latin-1")

    assert [(s.label, s.text) for s in labelled_sentences(tmp_path)] == [
        ("s", "Right effusion"),
        ("h", "Clear, normal"),
    ]
    (item,) = context_items(tmp_path)
    assert (item.concept, item.negated, item.historical, item.other) == ("cough", True, False, False)


def ct_data(tmp_path: Path, *rows: tuple[str, list[str]]) -> Path:
    names = [label.name for label in CT_LABELS]
    lines = [
        json.dumps({"id": f"r{n}", "text": text, "labels": {name: int(name in coded) for name in names}})
        for n, (text, coded) in enumerate(rows)
    ]
    (tmp_path / "ctrate").mkdir()
    (tmp_path / "ctrate" / "reports_dev.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def test_chest_ct_is_held_against_its_18_labels_and_normal_nodes_apart(tmp_path: Path) -> None:
    data = ct_data(
        tmp_path,
        ("Mosaic attenuation in both lungs.", ["Mosaic attenuation pattern"]),
        ("Mediastinal lymph nodes with a short axis of 6 mm.", ["Lymphadenopathy"]),
        ("Emphysema of both lungs.", []),
        ("Lungs are normal.", ["Consolidation"]),
    )

    found = ct_agreement(labelled_reports(data), load_reader())

    assert found.normal_nodes == 1
    assert found.counts.sum(axis=(0, 1)).tolist() == [1, 1, 1]
    assert found.all_counts.sum(axis=(0, 1)).tolist() == [1, 1, 2]
    assert found.errors[-1] == "r3\tConsolidation\tmissed"


def test_the_keyword_list_for_chest_ct_drops_sentences_with_a_denial(tmp_path: Path) -> None:
    data = ct_data(tmp_path, ("No emphysema. Bronchiectasis is seen.", ["Bronchiectasis"]))

    assert ct_keyword_counts(labelled_reports(data)).sum(axis=(0, 1)).tolist() == [1, 0, 0]


def test_the_findings_of_the_ct_labels_are_in_the_vocabulary() -> None:
    assert len(CT_LABELS) == 18
    assert set().union(*(label.findings for label in CT_LABELS)) <= set(load_vocabulary())


def test_whole_reports_are_scored_by_what_is_right_for_each() -> None:
    report = StyledReport(
        style="one",
        text="Left pneumonia. Right effusion. Possible nodule. No fracture. Emphysema.",
        present={"opacity": Laterality.LEFT, "effusion": Laterality.LEFT, "mass": Laterality.UNSPECIFIED},
        uncertain={"nodule": Laterality.UNSPECIFIED},
        denied=frozenset(),
        optional=frozenset({"emphysema"}),
    )

    scores = score(load_reader(), (report,))

    assert scores.present == [(1, 1, 2)]  # effusion; pneumonia is narrower than opacity; mass and opacity
    assert scores.uncertain == [(1, 0, 0)]
    assert scores.sides == [(0, 1)]
    assert scores.false_denials == [1]
    assert scores.unnamed == [(0, 1)]


@pytest.mark.parametrize("half", HALVES)
def test_each_half_of_the_styles_holds_enough_reports_and_the_reader_names_their_findings(half: str) -> None:
    reports = styled_reports(half)
    scores = score(load_reader(), reports)
    right, wrong, missed = np.array(scores.present).sum(axis=0)

    assert len(reports) >= 40
    assert len({report.style for report in reports}) == len(reports)
    assert right / (right + missed) >= 0.9
    assert right / (right + wrong) >= 0.95


def test_missing_data_is_named_with_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NotFoundError, match="OVERREAD_DATA"):
        list(coded_reports(tmp_path))
    assert main(["labels", "--data", str(tmp_path)]) == 1
    assert "NLMCXR" in capsys.readouterr().err


def test_the_command_prints_figures_and_never_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = {str(n): ({"FINDINGS": "Peculiar scoliosis."}, ["normal"]) for n in range(1, 30)}

    assert main(["labels", "--data", str(archive(tmp_path, texts)), "--held-back", "--disagreements"]) == 0

    printed = capsys.readouterr().out
    assert "macro F1" in printed
    assert "held-back" in printed
    assert "scoliosis\tread, not coded" in printed
    assert "Peculiar" not in printed
    held = [n for n in texts if part_of(n) is Part.HELD_BACK]
    assert not any(f"  {n}\t" in printed for n in held)


@pytest.mark.skipif(
    "OVERREAD_DATA" not in os.environ, reason="OVERREAD_DATA names no folder with the public data"
)
def test_the_reader_keeps_its_figures_on_the_public_reports() -> None:
    reports = [r for r in coded_reports(Path(os.environ["OVERREAD_DATA"])) if r.part is Part.DEVELOPMENT]

    counts = agreement(reports, LABELS, reader_presences(load_reader(), LABELS)).counts.sum(axis=0)

    assert macro_f1(counts) >= 0.95
    assert micro_f1(counts) >= 0.965
