import csv
from pathlib import Path

import pytest

from evaluation.audit.result_folder import read_table
from overread.cohort import read_cohort
from overread.command import EXIT_FAILED, EXIT_OK, main

REPORTS = [
    {
        "case": "1",
        "patient": "a",
        "text": "There is a mass.",
        "month": "2026-01",
        "age_years": "61",
        "order": "2",
    },
    {"case": "2", "patient": "b", "text": "No mass.", "month": "", "age_years": "", "order": ""},
    {"case": "3", "patient": "c", "text": "Clear lungs.", "month": "", "age_years": "", "order": ""},
]
SCORES = [
    {"case": "2", "mass": "0.8", "effusion": "0.1", "status": "scored", "present": "mass"},
    {"case": "1", "mass": "0.7", "effusion": "", "status": "scored", "present": "mass"},
    {"case": "3", "mass": "", "effusion": "", "status": "unreadable", "present": ""},
]


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    return path


def made(folder: Path, reports=REPORTS, scores=SCORES) -> int:
    given = [
        "--reports",
        str(write(folder / "r.csv", reports)),
        "--scores",
        str(write(folder / "s.csv", scores)),
    ]
    out = ["--detector", "cad", "--detector-version", "7", "--out", str(folder / "c.jsonl")]
    return main(["cohort", "from-tables", *given, *out])


def test_reports_and_stored_results_become_cases(tmp_path) -> None:
    assert made(tmp_path) == EXIT_OK

    first, second, third = read_cohort(tmp_path / "c.jsonl")
    assert (first.patient, first.text, first.month, first.age_years, first.order) == (
        "a", "There is a mass.", "2026-01", 61.0, 2,
    )  # fmt: skip
    assert second.detections[0].probabilities == {"mass": 0.8, "effusion": 0.1}
    assert (second.detections[0].detector, second.detections[0].version) == ("cad", "7")
    assert second.detections[0].present == frozenset({"mass"})
    assert first.detections[0].scores == {"mass": 0.7}
    assert third.detections == ()


def test_they_can_be_audited_with_the_report_read(tmp_path) -> None:
    many = [
        (
            {**REPORTS[n % 2], "case": str(n), "patient": str(n)},
            {**SCORES[n % 2], "case": str(n), "effusion": "0.1", "present": "mass"},
        )
        for n in range(40)
    ]
    assert made(tmp_path, [pair[0] for pair in many], [pair[1] for pair in many]) == EXIT_OK
    assert main(["audit", "run", str(tmp_path / "c.jsonl"), "--out", str(tmp_path / "out")]) == EXIT_OK

    rows = {
        (row["finding"], row["figure"]): row
        for row in read_table(tmp_path / "out", "rates")
        if row["dimension"] == "all"
    }
    assert (rows["mass", "stated"]["hits"], rows["mass", "seen_not_reported"]["hits"]) == ("20", "20")


@pytest.mark.parametrize(
    ("reports", "scores", "message"),
    [
        ([{"case": "1", "text": "x"}], SCORES, "column 'patient' is missing"),
        (REPORTS, [{**SCORES[0], "case": "9"}], "no report of case 9"),
        (REPORTS, [{**SCORES[0], "mass": "1.7"}], "s.csv, line 2"),
        ([{**REPORTS[0], "month": "May"}], [SCORES[1]], "r.csv, line 2"),
        ([{**REPORTS[0], "order": "first"}], [SCORES[1]], "r.csv, line 2"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, capsys, reports, scores, message) -> None:
    assert made(tmp_path, reports, scores) == EXIT_FAILED
    assert message in capsys.readouterr().err
    assert not (tmp_path / "c.jsonl").exists()
