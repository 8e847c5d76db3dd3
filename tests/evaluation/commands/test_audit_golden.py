"""`overread audit scorecard`, `golden-rate` and `golden-gate`, from a file to the status of the process."""

import json

import numpy as np

from overread.command import main


def golden(path, *, helpful: bool, seed: int = 4):
    random = np.random.default_rng(seed)
    lines = []
    for number, there in enumerate((random.random(240) < 0.4).tolist()):
        score = random.beta(3, 2) if there and helpful else random.beta(2, 3)
        lines.append(
            json.dumps(
                {
                    "case": f"c{number}",
                    "patient": f"p{number}",
                    "observations": [],
                    "detections": [
                        {
                            "detector": "some",
                            "version": "1" if helpful else "2",
                            "scores": {"mass": float(score)},
                        }
                    ],
                    "adjudications": [{"finding": "mass", "kind": "POSSIBLE_MISS", "confirmed": there}],
                }
            )
        )
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_worse_release_ends_with_status_1_and_the_same_one_with_0(tmp_path, capsys) -> None:
    tables = {}
    for name, helpful in (("good", True), ("bad", False)):
        cohort = golden(tmp_path / f"{name}.jsonl", helpful=helpful)
        tables[name] = str(tmp_path / f"{name}.csv")
        assert main(["audit", "golden-rate", str(cohort), "--out", tables[name]]) == 0
    said = capsys.readouterr().out
    assert "some 1: mass, 240 cases" in said
    assert "order of the list: confirmed_discrepancy, 240 cases" in said

    assert main(["audit", "golden-gate", tables["good"], tables["good"], "--resamples", "200"]) == 0
    assert "margin 0.02: NOT WORSE" in capsys.readouterr().out
    assert main(["audit", "golden-gate", tables["good"], tables["bad"], "--resamples", "200"]) == 1
    said = capsys.readouterr().out
    assert "margin 0.02: WORSE" in said
    assert "some 1 -> some 2: mean AUC: worse" in said


def test_a_margin_of_nothing_is_refused(tmp_path, capsys) -> None:
    assert main(["audit", "golden-gate", "a.csv", "b.csv", "--margin", "0"]) != 0
    assert "margin must be above 0" in capsys.readouterr().err


def test_a_scorecard_of_a_cohort_is_one_command(tmp_path, capsys) -> None:
    cohort = golden(tmp_path / "golden.jsonl", helpful=True)
    out = tmp_path / "card"

    assert main(["audit", "scorecard", str(cohort), "--out", str(out), "--resamples", "50"]) == 0
    assert "240 cases of 240 patients" in capsys.readouterr().out
    assert "AUC" in (out / "tables" / "figures.csv").read_text()
    assert (out / "scorecard.html").is_file()
