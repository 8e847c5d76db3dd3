"""Scorecard of detectors, readers and the report reader: from ratings to the tables of a result."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.audit.cohort_ratings import cohort_ratings
from evaluation.audit.froc_table import froc_table, read_marks
from evaluation.audit.multireader_table import multireader_table
from evaluation.audit.ratings import Ratings, read_ratings
from evaluation.audit.result_folder import file_hash, has_parquet, write_result, write_tables
from evaluation.audit.scorecard_tables import (
    Drawing,
    curves_table,
    figures_table,
    reliability_table,
    subgroups_table,
)
from evaluation.rank_cohort import Progress
from overread import __version__
from overread.errors import InvalidFileError
from overread.priority import Policy

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """What is scored, and how."""

    ratings: Path | None  # table of ratings (.csv) or cohort file (.jsonl, .parquet)
    marks: Path | None  # table of marks; None: no free response
    detector: str | None  # of a cohort file; None: that of the first scored case
    policy: Policy
    drawing: Drawing
    command: str = ""  # that repeats it


def score(scorecard: Scorecard, folder: Path, progress: Progress) -> dict[str, Any]:
    """Write the tables of a scorecard into a folder, and return what result.json holds.

    Raises:
        InvalidFileError: a table is malformed, or a file cannot be read or written.
    """
    sets = load_ratings(scorecard.ratings, scorecard.policy, scorecard.detector, progress)
    marks = read_marks(scorecard.marks) if scorecard.marks else {}
    if not sets and not marks:
        raise InvalidFileError("there is nothing to score: give ratings, marks or both")
    progress("score", len(sets))
    drawing = scorecard.drawing
    tables = [
        figures_table(sets, drawing),
        multireader_table(sets),
        subgroups_table(sets),
        reliability_table(sets),
        curves_table(sets, drawing),
        froc_table(marks, drawing),
    ]
    sources = [path for path in (scorecard.ratings, scorecard.marks) if path]
    record = {
        "format": FORMAT,
        "overread": __version__,
        "command": scorecard.command,
        "policy": scorecard.policy.version,
        "seed": drawing.seed,
        "resamples": drawing.resamples,
        "parquet": has_parquet(),
        "sources": {path.name: file_hash(path) for path in sources},
        "cases": len({case for item in sets for case in item.cases}),
        "patients": len(np.unique(np.concatenate([item.patients for item in sets]))) if sets else 0,
        "tables": write_tables(folder, [table for table in tables if table.rows]),
    }
    write_result(folder, record)
    return record


def load_ratings(
    path: Path | None, policy: Policy, detector: str | None, progress: Progress
) -> Sequence[Ratings]:
    """Return the ratings of a table, or of a cohort file by its name.

    Raises:
        InvalidFileError: the file cannot be read or is malformed.
    """
    if path is None:
        return []
    if path.suffix == ".csv":
        return read_ratings(path)
    return cohort_ratings(path, policy.tables.triggers, detector, progress)
