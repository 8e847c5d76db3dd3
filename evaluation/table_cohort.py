"""A cohort from two tables: reports, and what a detector said of their images.

reports  case, patient, text; and where known order, age_years, sex, view, modality, body_part, site, scanner,
         shift, month, first_reader
scores   case, one column a finding with its calibrated probability in [0, 1] (empty where there is none); and
         where the detector has an operating point `present`, the findings at or above it, separated by spaces
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from overread.cohort import CIRCUMSTANCES, CohortCase, CohortDetection, case_of
from overread.errors import InvalidFileError, words_of
from overread.finding import Vocabulary

_TEXTS = ("case", "patient", "text", "sex", "view", *CIRCUMSTANCES)
_LARGEST_FIELD = 10_000_000  # characters: a report is one field


def table_cases(
    reports: Path, scores: Path, *, detector: str, version: str, vocabulary: Vocabulary
) -> Iterator[CohortCase]:
    """Yield the cases of which there is a report, with the detector's word where there is one.

    Args:
        reports: CSV.
        scores: CSV.
        detector: name that the detections get.
        version: of the detector, may be empty.
        vocabulary: whose findings the columns of scores are.

    Raises:
        InvalidFileError: a file cannot be read, a column is missing or a cell malformed; the message names
            the line. Scores of a case without a report are an error too: they belong to something else.
    """
    said = dict(_detections(scores, detector, version, vocabulary))
    for number, row in _rows(reports, ("case", "patient", "text")):
        try:
            case = case_of(_record(row))
        except (InvalidFileError, ValueError) as error:
            raise InvalidFileError(f"{reports.name}, line {number}: {error}") from error
        detection = said.pop(case.case, None)
        yield replace(case, detections=() if detection is None else (detection,))
    if said:
        raise InvalidFileError(f"{scores.name}: there is no report of case {min(said)}")


def _record(row: Mapping[str, str]) -> dict[str, Any]:
    record: dict[str, Any] = {name: row[name] for name in _TEXTS if row.get(name)}
    if row.get("order"):
        record["order"] = int(row["order"])
    if row.get("age_years"):
        record["age_years"] = float(row["age_years"])
    return record


def _detections(
    path: Path, detector: str, version: str, vocabulary: Vocabulary
) -> Iterator[tuple[str, CohortDetection]]:
    for number, row in _rows(path, ("case",)):
        findings = [name for name in row if name in vocabulary and row[name]]
        try:
            values = {name: float(row[name]) for name in findings}
            record: dict[str, Any] = {"detector": detector, "scores": values, "probabilities": values}
            if version:
                record["version"] = version
            if row.get("present") is not None:
                record["present"] = row["present"].split()
            case = case_of({"case": row["case"], "patient": "-", "detections": [record]})
        except (InvalidFileError, ValueError) as error:
            raise InvalidFileError(f"{path.name}, line {number}: {error}") from error
        if values:
            yield row["case"], case.detections[0]


def _rows(path: Path, wanted: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    before = csv.field_size_limit(_LARGEST_FIELD)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = set(wanted) - set(reader.fieldnames or ())
            if missing:
                raise InvalidFileError(f"{path.name}: the column {min(missing)!r} is missing")
            for row in reader:
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidFileError(f"cannot read {path}: {words_of(error)}") from error
    finally:
        csv.field_size_limit(before)
