"""Table of the archive: what the reads say of all its cases, by several estimators, the naive one beside."""

import numpy as np
from numpy.typing import NDArray

from evaluation.audit.audited_cases import AuditedCases
from evaluation.audit.result_folder import Cell, Table
from overread.audit.archive import ArchiveFigure, Reading, archive_figures

_COLUMNS = ("figure", "estimator", "value", "low", "high", "reads", "found", "remark")


def reading_of(cases: AuditedCases, flagged: NDArray[np.bool_]) -> Reading:
    """Return what second reads found of the cases that are on the list."""
    arrays = cases.arrays
    rows = arrays.ordered
    return Reading(
        read=arrays.read[rows],
        found=arrays.found[rows],
        flagged=flagged[rows],
        probability=cases.selection[rows],
    )


def archive_table(reading: Reading) -> Table:
    """Return the rates of the archive, empty where nobody read a case."""
    return Table(
        name="archive",
        meaning="Discrepancies of all cases, estimated from those that were read, each weighed by how many "
        "cases it stands for; and the naive figures of those read, which are not of the archive",
        columns=_COLUMNS,
        rows=[_row(item) for item in archive_figures(reading)],
    )


def _row(item: ArchiveFigure) -> tuple[Cell, ...]:
    numbers: tuple[Cell, ...] = (None,) * 3
    if item.estimate is not None:
        numbers = (item.estimate.value, item.estimate.low, item.estimate.high)
    return (item.figure, item.estimator, *numbers, item.reads, item.found, item.remark)
