"""Published NIH chest radiograph scores as a cohort.

Layout of the reproduce-chexnet project: `image, patient_id, age, sex, view, report_findings`, then a column
of probabilities for each of the 14 labels of ChestX-ray14. The labels were mined from the original reports
(Wang et al., CVPR 2017): a finding is stated or not mentioned, none is denied. Panel reads are those of
Majkowska et al., Radiology 2020;294:421-431.
"""

import csv
import gzip
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from overread.cohort import Adjudication, CohortCase, CohortDetection
from overread.discrepancy import DiscrepancyKind
from overread.errors import InvalidFileError, words_of
from overread.observation import Observation, Presence

DETECTOR = "chexnet-reproduction"
"""Name of the detector in the cohort: jrzech/reproduce-chexnet, 2018."""

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
"""Column of the scores file -> id in the finding vocabulary."""

PANEL = {"Pneumothorax": "pneumothorax", "Nodule or mass": "lung_lesion", "Airspace opacity": "opacity"}
"""Column of the panel's reads -> family in the finding vocabulary; fracture has no score."""

MEMBERS = {
    "pneumothorax": frozenset({"pneumothorax"}),
    "lung_lesion": frozenset({"nodule", "mass"}),
    "opacity": frozenset({"consolidation", "opacity", "pneumonia", "edema", "atelectasis"}),
}
"""Class that the panel judged -> outputs of the detector that are kinds of it."""

_IMAGE = re.compile(r"(?P<patient>\d+)_(?P<order>\d+)\.\w+")


def read_nih(scores: Path, reads: Path | None = None) -> Iterator[CohortCase]:
    """Yield the studies as cases.

    Args:
        scores: the scores file, plain or gzipped.
        reads: panel reads; where given, what the panel read has adjudications and the rest is context only.

    Raises:
        InvalidFileError: a file is missing or not in its published layout; the message names the line.
    """
    panel = _panel(reads) if reads is not None else None
    prevalences = _prevalences(scores)
    with _rows(scores) as rows:
        for number, row in enumerate(rows, start=2):
            try:
                yield _case(row, prevalences, panel)
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                raise InvalidFileError(f"{scores.name}, line {number}: {error!r}") from error


def _prevalences(scores: Path) -> Mapping[str, float]:
    """Return the share of the reports that state each finding; the calibration cohort is the file itself."""
    counts, total = dict.fromkeys(COLUMNS.values(), 0), 0
    with _rows(scores) as rows:
        for row in rows:
            total += 1
            for finding in _reported(row):
                counts[finding] += 1
    return {finding: count / total for finding, count in counts.items() if count}


def _panel(reads: Path) -> Mapping[str, Mapping[str, bool]]:
    with _rows(reads) as rows:
        try:
            return {
                row["image"]: {family: row[column] == "YES" for column, family in PANEL.items()}
                for row in rows
            }
        except KeyError as error:
            raise InvalidFileError(f"{reads.name} lacks the column {error}") from error


def _case(
    row: Mapping[str, str], prevalences: Mapping[str, float], panel: Mapping[str, Mapping[str, bool]] | None
) -> CohortCase:
    name = _IMAGE.fullmatch(row["image"])
    if name is None:
        raise ValueError(f"{row['image']!r} is not named PATIENT_ORDER")
    scores = {finding: float(row[column]) for column, finding in COLUMNS.items()}
    reported = _reported(row)
    read = None if panel is None else panel.get(row["image"])
    return CohortCase(
        case=row["image"],
        patient=name["patient"],
        order=int(name["order"]),
        context_only=panel is not None and read is None,
        age_years=float(row["age"]) if row["age"] else None,
        sex=row["sex"] or None,
        view=row["view"] or None,
        observations=tuple(
            Observation(finding=finding, presence=Presence.PRESENT) for finding in sorted(reported)
        ),
        detections=(
            CohortDetection(
                detector=DETECTOR,
                version="2018",
                scores=scores,
                probabilities=scores,
                prevalences=prevalences,
            ),
        ),
        adjudications=() if read is None else _adjudications(read, reported),
    )


def _adjudications(read: Mapping[str, bool], reported: frozenset[str]) -> tuple[Adjudication, ...]:
    return tuple(
        Adjudication(
            finding=family,
            kind=DiscrepancyKind.POSSIBLE_OVERCALL if stated else DiscrepancyKind.POSSIBLE_MISS,
            confirmed=is_there is not stated,
        )
        for family, is_there in read.items()
        for stated in [not reported.isdisjoint(MEMBERS[family])]
    )


def _reported(row: Mapping[str, str]) -> frozenset[str]:
    return frozenset(COLUMNS[name] for name in row["report_findings"].split("|") if name in COLUMNS)


@contextmanager
def _rows(path: Path) -> Iterator[Iterator[dict[str, str]]]:
    try:
        with _opened(path) as file:
            yield csv.DictReader(file)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFileError(f"cannot read {path}: {words_of(error)}") from error


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")
