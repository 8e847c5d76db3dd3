"""`overread audit drift`, from a cohort file to the status of the process."""

import csv
import json

import numpy as np
import pytest

from overread.command import main

SENTENCES = ("There is a left pleural effusion.", "No pleural effusion.", "The lungs are clear.")


def cohort(path, *, changed: bool, seed: int = 6):
    random = np.random.default_rng(seed)
    lines = []
    for number in range(300):
        in_window = number >= 200
        view = "AP" if (changed and in_window) or random.random() < 0.3 else "PA"
        text = " ".join(random.choice(SENTENCES, size=random.integers(1, 4)))
        lines.append(
            json.dumps(
                {
                    "case": f"c{number}",
                    "patient": f"p{number}",
                    "month": "2026-07" if in_window else f"2026-0{1 + number % 6}",
                    "view": view,
                    "text": f"Findings: {text}",
                    "detections": [
                        {"detector": "some", "scores": {"effusion": float(random.random())}, "present": []}
                    ],
                }
            )
        )
    path.write_text("\n".join(lines) + "\n")
    return str(path)


ASKED = ("--reference", "2026-01", "2026-06", "--window", "2026-07", "2026-07", "--exchanges", "499")


def test_a_changed_mix_of_views_alarms_in_its_channel_alone(tmp_path, capsys) -> None:
    path = cohort(tmp_path / "c.jsonl", changed=True)

    assert main(["audit", "drift", path, *ASKED, "--out", str(tmp_path / "drift")]) == 1
    said = capsys.readouterr().out
    assert "100 cases of the window, 200 of the reference" in said
    assert "input: ALARM" in said
    assert "scores: no alarm" in said
    assert "report language: no alarm" in said
    with (tmp_path / "drift" / "tables" / "drift.csv").open(newline="") as file:
        rows = {row["column"]: row for row in csv.DictReader(file)}
    assert rows["view AP"]["alarm"] == "True"
    assert float(rows["view AP"]["window"]) == 1.0
    assert rows["words"]["channel"] == "report language"
    assert {"score effusion", "stated effusion", "denied effusion"} <= set(rows)
    assert json.loads((tmp_path / "drift" / "result.json").read_text())["alarms"] == ["input"]


def test_where_nothing_changed_the_status_is_0(tmp_path, capsys) -> None:
    path = cohort(tmp_path / "c.jsonl", changed=False)

    assert main(["audit", "drift", path, *ASKED]) == 0
    assert "ALARM" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--reference", "2026-01", "2026-07", "--window", "2026-07", "2026-08"), "do not overlap"),
        (("--reference", "2026-05", "2026-01", "--window", "2026-07", "2026-08"), "do not overlap"),
        (("--reference", "2027-01", "2027-02", "--window", "2026-07", "2026-07"), "holds no case"),
    ],
)
def test_windows_that_say_nothing_are_refused(tmp_path, capsys, asked, said) -> None:
    path = cohort(tmp_path / "c.jsonl", changed=False)

    assert main(["audit", "drift", path, *asked]) != 0
    assert said in capsys.readouterr().err
