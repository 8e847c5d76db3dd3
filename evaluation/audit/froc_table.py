"""Table of a scorecard: free response, from marks that a detector or a reader placed.

A table of marks is a CSV file with `case`, `patient`, `finding`, `score` and `lesion`, where known `test` and
`reader`. A row with score and lesion is a mark that hits it, without a lesion a false mark; without a score
it says that the lesion is there, without either that the case is. Every lesion and case comes once or more.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.audit.ratings import Observer
from evaluation.audit.result_folder import Cell, Table
from evaluation.audit.scorecard_tables import Drawing
from overread.detection_curves import FALSE_MARKS, NO_LESION, Marks, lesions_found_at
from overread.errors import InvalidFileError, words_of
from overread.spreadsheet import from_cell
from overread.statistics import patient_samples

_COLUMNS = (
    "finding",
    "test",
    "reader",
    "cases",
    "patients",
    "lesions",
    "figure",
    "false_marks_a_case",
    "value",
    "low",
    "high",
)
SUMMARY, POINT = "mean_sensitivity", "sensitivity"


@dataclass(slots=True, kw_only=True)
class MarkedCases:
    """Marks of one observer, as they come from a table."""

    patients: dict[str, str] = field(default_factory=dict)  # by case
    lesions: dict[tuple[str, str], int] = field(default_factory=dict)  # number by case and name
    marks: list[tuple[str, float, int]] = field(default_factory=list)  # case, score, lesion

    def add(self, row: Mapping[str, str]) -> None:
        """Take in one row.

        Raises:
            ValueError: it is malformed, or a case has two patients.
        """
        case, patient = from_cell(row["case"]), from_cell(row["patient"])
        if not case or not patient or self.patients.setdefault(case, patient) != patient:
            raise ValueError("a case has one name and one patient")
        lesion = NO_LESION
        if name := from_cell(row["lesion"]):
            lesion = self.lesions.setdefault((case, name), len(self.lesions))
        if row["score"]:
            score = float(row["score"])
            if not np.isfinite(score):
                raise ValueError("no such score")
            self.marks.append((case, score, lesion))

    def arrays(self) -> Marks:
        """Return them as arrays."""
        numbers = {case: number for number, case in enumerate(self.patients)}
        return Marks(
            scores=np.array([score for _, score, _ in self.marks], dtype=np.float64),
            case=np.array([numbers[case] for case, _, _ in self.marks], dtype=np.intp),
            lesion=np.array([lesion for _, _, lesion in self.marks], dtype=np.intp),
            lesion_case=np.array([numbers[case] for case, _ in self.lesions], dtype=np.intp),
            cases=len(numbers),
        )


def read_marks(path: Path) -> dict[Observer, MarkedCases]:
    """Return the marks of a table by observer.

    Raises:
        InvalidFileError: it cannot be read or a row is malformed; the message names its line.
    """
    found: dict[Observer, MarkedCases] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                try:
                    observer = Observer(
                        finding=from_cell(row["finding"]),
                        test=from_cell(row.get("test") or "scores"),
                        reader=from_cell(row.get("reader") or ""),
                    )
                    found.setdefault(observer, MarkedCases()).add(row)
                except (AttributeError, KeyError, TypeError, ValueError) as error:
                    raise InvalidFileError(
                        f"{path.name}, line {number}: needs case, patient, finding, score and lesion"
                    ) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidFileError(f"cannot read {path}: {words_of(error)}") from error
    return found


def froc_table(found: Mapping[Observer, MarkedCases], drawing: Drawing) -> Table:
    """Return sensitivity by false marks a case, and its mean at seven of them."""
    return Table(
        name="froc",
        meaning="Share of lesions that are hit with at most so many false marks a case, and the mean over "
        f"{', '.join(f'{value:g}' for value in FALSE_MARKS)} of them; intervals by bootstrap of patients",
        columns=_COLUMNS,
        rows=[row for observer, marked in found.items() for row in _rows(observer, marked, drawing)],
    )


def _rows(observer: Observer, marked: MarkedCases, drawing: Drawing) -> Iterator[tuple[Cell, ...]]:
    marks, grid = marked.arrays(), np.array(FALSE_MARKS)
    if not marked.lesions:
        return
    patients = list(marked.patients.values())
    head = (observer.finding, observer.test, observer.reader, marks.cases, len(set(patients)))
    values = lesions_found_at(grid, marks)
    drawn = _drawn(marks, patients, grid, drawing)
    low, high = np.percentile(np.column_stack([drawn, drawn.mean(axis=1)]), (2.5, 97.5), axis=0)
    lesions = len(marks.lesion_case)
    yield (*head, lesions, SUMMARY, None, float(values.mean()), float(low[-1]), float(high[-1]))
    for place, at in enumerate(FALSE_MARKS):
        yield (*head, lesions, POINT, at, float(values[place]), float(low[place]), float(high[place]))


def _drawn(
    marks: Marks, patients: list[str], grid: NDArray[np.float64], drawing: Drawing
) -> NDArray[np.float64]:
    def defined() -> Iterator[NDArray[np.float64]]:
        for rows in patient_samples(patients, seed=drawing.seed):
            weights = np.bincount(rows, minlength=marks.cases).astype(np.float64)
            if weights[marks.lesion_case].any():
                yield lesions_found_at(grid, marks, weights)

    return np.array(list(islice(defined(), drawing.resamples)))
