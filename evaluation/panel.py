"""Radiographs with three readings of the same study: original report, published detector, radiologist panel.

Layout of the NIH studies of the reproduce-chexnet project (detector probabilities and findings mined from the
original reports) and of the panel reads of Majkowska et al., Radiology 2020;294:421-431.
"""

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

from overread.errors import InvalidFileError

SCORES_FILE = "detector_scores.csv.gz"
READS_FILE = "expert_reads.csv"

# Column of the scores file -> id in the finding vocabulary.
COLUMNS = {
    "Atelectasis": "atelectasis",
    "Cardiomegaly": "cardiomegaly",
    "Effusion": "effusion",
    "Infiltration": "opacity",
    "Mass": "mass",
    "Nodule": "nodule",
    "Pneumonia": "pneumonia",
    "Pneumothorax": "pneumothorax",
    "Consolidation": "consolidation",
    "Edema": "edema",
    "Emphysema": "emphysema",
    "Fibrosis": "fibrosis",
    "Pleural_Thickening": "pleural_thickening",
    "Hernia": "hernia",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the panel labels, and which findings of report and detector speak of it."""

    column: str  # of the reads file
    findings: tuple[str, ...]
    weight: int  # clinical weight in the weighted figures


TARGETS = (
    Target(column="Pneumothorax", findings=("pneumothorax",), weight=3),
    Target(column="Nodule or mass", findings=("nodule", "mass"), weight=2),
    Target(
        column="Airspace opacity",
        findings=("consolidation", "opacity", "pneumonia", "edema", "atelectasis"),
        weight=1,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Radiograph:
    """One study with all that was said of it."""

    image: str
    patient_id: str
    reported: frozenset[str]  # finding ids mined from the original report
    probabilities: dict[str, float]  # of the detector, by finding id
    panel: dict[str, bool] | None  # by target column; None where the panel did not read it

    def missed(self, target: Target) -> bool:
        """Whether the panel saw the target and the report states none of its findings."""
        return bool(self.panel and self.panel[target.column] and self.is_open(target))

    def is_open(self, target: Target) -> bool:
        """Whether the report states none of the target's findings."""
        return self.reported.isdisjoint(target.findings)


def load_radiographs(folder: Path) -> tuple[Radiograph, ...]:
    """Return every radiograph of the scores file, with the panel's reads where there are any.

    Raises:
        InvalidFileError: a file is missing or lacks a column.
    """
    try:
        with (folder / READS_FILE).open(encoding="utf-8", newline="") as file:
            reads = {
                row["image"]: {target.column: row[target.column] == "YES" for target in TARGETS}
                for row in csv.DictReader(file)
            }
        with gzip.open(folder / SCORES_FILE, "rt", encoding="utf-8", newline="") as file:
            return tuple(_radiograph(row, reads) for row in csv.DictReader(file))
    except (OSError, KeyError, ValueError) as error:
        raise InvalidFileError(
            f"{folder} must hold {SCORES_FILE} and {READS_FILE} in their published layout: {error}"
        ) from error


def _radiograph(row: dict[str, str], reads: dict[str, dict[str, bool]]) -> Radiograph:
    reported = row["report_findings"].split("|")
    return Radiograph(
        image=row["image"],
        patient_id=row["patient_id"],
        reported=frozenset(COLUMNS[name] for name in reported if name in COLUMNS),
        probabilities={finding: float(row[column]) for column, finding in COLUMNS.items()},
        panel=reads.get(row["image"]),
    )
