"""`overread cohort` and `overread rank`, as a person calls them."""

import csv
import json
import re
from pathlib import Path

import pytest

from overread.command import EXIT_FAILED, main
from tests.evaluation.published import simulated_rows, write_scores


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    scores = write_scores(folder / "scores.csv.gz", simulated_rows(400))
    assert main(["cohort", "from-nih", "--scores", str(scores), "--out", str(folder / "cohort.jsonl")]) == 0
    return folder / "cohort.jsonl"


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def ranked(cohort: Path, folder: Path, *options: str) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    rows, cases = folder / "rows.csv", folder / "cases.csv"
    assert main(["rank", str(cohort), "--out", str(rows), "--cases", str(cases), *options]) == 0
    return table(rows), table(cases)


def test_every_case_is_listed_once_highest_priority_first(cohort, tmp_path) -> None:
    _, cases = ranked(cohort, tmp_path, "--fit", str(cohort))

    priorities = [float(case["priority"]) for case in cases]
    assert len({case["case"] for case in cases}) == len(cases) == 800
    assert priorities == sorted(priorities, reverse=True)
    assert 0 < priorities[0] <= 100


def test_a_pair_is_there_unless_the_report_states_the_finding(cohort, tmp_path) -> None:
    rows, _ = ranked(cohort, tmp_path, "--calibrated")

    misses = {(row["case"], row["finding"]) for row in rows if row["kind"] == "POSSIBLE_MISS"}
    stated = {image for image, findings, _ in simulated_rows(400) if "Mass" in findings}
    for image, _, _ in simulated_rows(400):
        for finding in ("mass", "lung_lesion"):
            assert ((image, finding) in misses) is (image not in stated)
        assert (image, "nodule") in misses
        assert (image, "pneumothorax") in misses
    joint = {
        (row["case"], row["joint_of"])
        for row in rows
        if row["finding"] == "lung_lesion" and row["kind"] == "POSSIBLE_MISS"
    }
    assert joint == {(image, "mass|nodule") for image, _, _ in simulated_rows(400) if image not in stated}
    assert all(0 < float(row["probability"]) < 1 for row in rows)


def test_a_fit_learns_what_the_sites_reports_state(cohort, tmp_path) -> None:
    rows, _ = ranked(cohort, tmp_path, "--fit", str(cohort), "--save-fit", str(tmp_path / "fit.json"))

    scores = {image: given["Mass"] for image, _, given in simulated_rows(400)}
    lesions = [row for row in rows if (row["finding"], row["kind"]) == ("mass", "POSSIBLE_MISS")]
    high = [float(row["probability"]) for row in lesions if scores[row["case"]] > 0.8]
    low = [float(row["probability"]) for row in lesions if scores[row["case"]] < 0.2]
    assert sum(high) / len(high) > 5 * sum(low) / len(low)
    again, _ = ranked(cohort, tmp_path, "--model", str(tmp_path / "fit.json"))
    assert again == rows


def test_cases_have_a_probability_beside_their_priority(cohort, tmp_path) -> None:
    _, cases = ranked(cohort, tmp_path)

    assert all(0 <= float(case["probability"]) < 1 for case in cases)
    likeliest = sorted(cases, key=lambda case: -float(case["probability"]))
    assert [case["case"] for case in cases] != [case["case"] for case in likeliest]


def test_what_is_known_of_a_detector_comes_with_overread_and_is_learned_where_it_does_not(
    cohort, tmp_path, capsys
) -> None:
    ranked(cohort, tmp_path)
    assert re.search(r"chexnet-reproduction and \d{5} past reports", capsys.readouterr().out)
    other = tmp_path / "other.jsonl"
    text = cohort.read_text(encoding="utf-8").replace('"chexnet-reproduction"', '"unheard-of"')
    records = [json.loads(line) for line in text.splitlines()[:60]]
    for record in records:
        for detection in record["detections"]:
            del detection["probabilities"], detection["prevalences"]
    other.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")

    _, cases = ranked(other, tmp_path)

    assert "60 cases ordered by unheard-of and the reports of these cases" in capsys.readouterr().out
    assert len({case["priority"] for case in cases}) > 50
    assert main(["rank", str(other), "--calibrated"]) == EXIT_FAILED
    assert "leave --calibrated out" in capsys.readouterr().err


def test_adjudications_of_past_cases_correct_the_order_and_those_of_the_cohort_itself_never_do(
    cohort, tmp_path
) -> None:
    records = [json.loads(line) for line in cohort.read_text(encoding="utf-8").splitlines()]
    for record in records:
        record["adjudications"] = [{"finding": "mass", "kind": "POSSIBLE_MISS", "confirmed": False}]
    judged = tmp_path / "judged.jsonl"
    judged.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")

    def masses(*arguments) -> float:
        rows, _ = ranked(*arguments)
        chances = [float(row["probability"]) for row in rows if row["finding"] == "mass"]
        return sum(chances) / len(chances)

    before = masses(cohort, tmp_path)
    assert masses(judged, tmp_path) == before
    assert masses(cohort, tmp_path, "--fit", str(judged)) < 0.2 * before


def test_processes_and_parquet_change_nothing(cohort, tmp_path) -> None:
    parquet = tmp_path / "cohort.parquet"
    assert main(["cohort", "convert", str(cohort), "--out", str(parquet)]) == 0

    one = ranked(cohort, tmp_path, "--processes", "1", "--fit", str(cohort))
    two = ranked(cohort, tmp_path, "--processes", "2", "--fit", str(parquet))
    three = ranked(parquet, tmp_path, "--fit", str(cohort))

    assert one == two == three


def test_a_case_that_comes_twice_is_refused(cohort, tmp_path, capsys) -> None:
    lines = cohort.read_text(encoding="utf-8").splitlines()
    twice = tmp_path / "twice.jsonl"
    twice.write_text("\n".join([*lines, lines[0]]), encoding="utf-8")

    assert main(["rank", str(twice), "--cases", str(tmp_path / "cases.csv")]) == EXIT_FAILED
    assert main(["cohort", "check", str(twice)]) == EXIT_FAILED
    assert "00000000_000.png comes twice" in capsys.readouterr().err


def test_a_malformed_line_is_named_and_nothing_is_written(cohort, tmp_path, capsys) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text(cohort.read_text(encoding="utf-8") + '{"case": 3}\n', encoding="utf-8")

    assert main(["rank", str(broken), "--cases", str(tmp_path / "cases.csv")]) == EXIT_FAILED
    assert "broken.jsonl, line 801" in capsys.readouterr().err
    assert not (tmp_path / "cases.csv").exists()


def test_check_says_what_a_cohort_holds(cohort, capsys) -> None:
    assert main(["cohort", "check", str(cohort)]) == 0
    said = capsys.readouterr().out
    assert "800 cases of 400 patients" in said
    assert "scored by chexnet-reproduction: 800" in said
