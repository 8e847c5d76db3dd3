import csv
import gzip

import pytest

from evaluation.order import main
from evaluation.panel import COLUMNS, READS_FILE, SCORES_FILE, TARGETS
from overread.errors import InvalidFileError
from overread.priority import default_policy


def write(folder, rows: list[tuple[str, str, dict[str, float]]], confirmed: dict[str, str]) -> None:
    """Write images with report findings and scores, and what a panel confirms, in the public layout."""
    data = folder / "chexnet_reads"
    data.mkdir()
    with gzip.open(data / SCORES_FILE, "wt", newline="") as file:
        table = csv.DictWriter(file, ["image", "patient_id", "report_findings", *COLUMNS])
        table.writeheader()
        for number, (image, findings, scores) in enumerate(rows):
            probabilities = dict.fromkeys(COLUMNS, 0.01) | scores
            table.writerow(
                {"image": image, "patient_id": number, "report_findings": findings, **probabilities}
            )
    with (data / READS_FILE).open("w", newline="") as file:
        reads = csv.DictWriter(file, ["image", *(target.column for target in TARGETS)])
        reads.writeheader()
        for image, column in confirmed.items():
            reads.writerow(
                {"image": image, **{t.column: "YES" if t.column == column else "NO" for t in TARGETS}}
            )


def test_each_order_is_measured_on_the_studies_that_a_panel_read(tmp_path, capsys) -> None:
    write(
        tmp_path,
        [
            ("missed", "No Finding", {"Mass": 0.9}),
            ("stated", "Mass", {"Mass": 0.9}),
            ("normal", "No Finding", {}),
            ("elsewhere", "Mass|Nodule|Pneumothorax|Infiltration", {}),
            ("elsewhere too", "Consolidation|Pneumonia|Edema|Atelectasis", {}),
        ],
        {"missed": "Nodule or mass", "stated": "Nodule or mass", "normal": ""},
    )

    assert main(["--data", str(tmp_path)]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(
        "3 panel-read studies of 3 patients, 1 with a confirmed miss (0 Pneumothorax, 1 Nodule"
    )
    precision = {line[2:22].strip(): float(line[22:28]) for line in lines[3:6]}
    assert precision == {
        "highest raw score": 1.0,
        "raw score x weight": 1.0,
        f"overread, policy {default_policy().version}": 1.0,
    }


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(InvalidFileError, match=SCORES_FILE):
        main(["--data", str(tmp_path)])
