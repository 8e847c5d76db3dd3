"""`python -m evaluation.carryover` and `evaluation.sensitivity` on small files in the published layouts."""

import csv
import re

import numpy as np
import pytest

from evaluation.carryover.__main__ import main
from evaluation.chexpert import FINDINGS, REPORTED
from evaluation.sensitivity import Count, pooled
from evaluation.sensitivity import main as print_sensitivity
from overread.command import EXIT_OK
from overread.errors import InvalidFileError
from tests.evaluation.published import simulated_rows, write_reads, write_scores

SENSITIVITY = dict(zip(FINDINGS, (0.3, 0.8, 0.5, 0.2, 0.8), strict=True))
SCALES = dict(zip(FINDINGS, (0.1, 0.9, 0.4, 0.3, 0.95), strict=True))


def write_table(path, columns, rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["Study", *columns])
        table.writerows(rows)


@pytest.fixture
def data(tmp_path):
    """Studies whose reports leave out by finding what a detector with a scale for each finding sees."""
    chexnet = tmp_path / "chexnet_reads"
    chexnet.mkdir()
    rows = simulated_rows(400)
    write_scores(chexnet / "detector_scores.csv.gz", rows)
    seen = {
        image: ({"Nodule or mass"} if scores["Mass"] > 0.7 else set())
        | ({"Airspace opacity"} if scores["Infiltration"] > 0.6 else set())
        for image, _, scores in rows[:80]
    }
    write_reads(chexnet / "expert_reads.csv", seen)
    rng = np.random.default_rng(5)
    studies = [f"test/patient{number}/study1" for number in range(300)]
    there = rng.random((300, 5)) < 0.25
    said = there & (rng.random((300, 5)) < np.array(list(SENSITIVITY.values())))
    scores = np.clip((0.35 * there + 0.65 * rng.random((300, 5))) * np.array(list(SCALES.values())), 0, 1)
    others = [name for name in REPORTED if name not in FINDINGS]
    folder = tmp_path / "chexpert_reads"
    truth = [[study, *row.astype(int), *[0] * len(others)] for study, row in zip(studies, there, strict=True)]
    labels = [
        [study, *["1.0" if it_is else "" for it_is in row], *[""] * len(others)]
        for study, row in zip(studies, said, strict=True)
    ]
    write_table(folder / "groundtruth.csv", [*FINDINGS, *others], truth)
    write_table(folder / "labeler" / "chexpert_labels.csv", [*FINDINGS, *others], labels)
    outputs = [[study, *row] for study, row in zip(studies, scores.tolist(), strict=True)]
    write_table(folder / "models" / "one_predictions.csv", list(FINDINGS), outputs)
    return tmp_path


def figures(said: str) -> dict[str, dict[str, tuple[float, float]]]:
    """Return raw score and overread by set and figure."""
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for line in said.splitlines():
        if not line.startswith(" "):
            found[line.split(":")[0]] = current = {}
        elif values := re.findall(r"(\d\.\d{3}) \[", line):
            current[line[:32].strip()] = (float(values[0]), float(values[1]))
    return found


def test_the_order_is_not_worse_than_the_raw_score_on_any_set(data, capsys) -> None:
    assert main(["--data", str(data), "--resamples", "10"]) == EXIT_OK

    found = figures(capsys.readouterr().out)
    assert len(found) == 4
    for name, values in found.items():
        raw, ours = values["pairs, average precision"]
        assert ours >= raw - 0.01, name
    alone, second = (values for name, values in found.items() if name.startswith("Stanford"))
    assert alone["pairs, average precision"][1] > alone["pairs, average precision"][0] + 0.1
    assert second["pairs, average precision"][1] > alone["pairs, average precision"][1]


def test_the_model_that_comes_with_overread_is_written_from_the_reports_of_unread_patients(
    data, tmp_path
) -> None:
    written = tmp_path / "model.json"

    main(["--data", str(data), "--resamples", "2", "--save-chexnet", str(written)])

    assert '"studies": 720' in written.read_text(encoding="utf-8")


def test_a_folder_without_any_set_is_refused(tmp_path) -> None:
    with pytest.raises(InvalidFileError, match="none of the sets"):
        main(["--data", str(tmp_path)])


def test_sensitivity_is_counted_by_source_and_held_at_one_half(data, capsys) -> None:
    assert print_sensitivity(["--data", str(data)]) == EXIT_OK

    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()[1:]}
    assert float(lines["atelectasis"].split()[-1]) < 0.5 < float(lines["effusion"].split()[-1])
    assert lines["hernia"].split()[-1] == "0.50"
    assert pooled([Count(100, 100)]) == 0.5
    # log odds of (40 + 4) / (0 + 4), one set and half a set at none, and half of that
    assert pooled([Count(40, 0)]) == pytest.approx(1 / (1 + 11 ** (-0.5 / 1.5)))
