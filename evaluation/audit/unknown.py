"""What the data of an audit cannot say, why, and what would carry it."""

from collections.abc import Sequence

import numpy as np

from evaluation.audit.audited_cases import AuditedCases
from evaluation.audit.rate_tables import LEAST_MONTHS, LEAST_PATIENTS
from evaluation.audit.result_folder import Table
from overread.case_arrays import NOBODY_LOOKED

_HALF_WIDTH = 0.01  # of a rate that one would want to know


def unknown_of(cases: AuditedCases, tables: Sequence[Table]) -> list[str]:
    """Return sentences about the figures that are not there, and what would carry each."""
    arrays = cases.arrays
    found = []
    if not arrays.has_point[arrays.ordered].any():
        found.append(
            "Disagreement of report and detector: no detection names an operating point (`present`), so that "
            "nobody knows what the detector calls present. Give one, or use the order of the list."
        )
    read = (arrays.missed != NOBODY_LOOKED).any(axis=1) | (arrays.overcalled != NOBODY_LOOKED).any(axis=1)
    read &= arrays.ordered
    if not read.any():
        found.append(
            "Confirmed discrepancies: no case was read by a second reader. About "
            f"{_reads_wanted(0.02)} reads drawn by `overread audit sample` would carry a rate of 2 % to plus "
            f"or minus {_HALF_WIDTH:.0%}."
        )
    elif np.isnan(cases.selection[read]).any():
        found.append(
            f"Discrepancies of the archive: {int(read.sum())} cases were read, but not all say with which "
            "probability they were chosen (`selection_probability`). Their share is of the cases that were "
            "read, which are not like the others. `overread audit sample` draws cases that speak for all."
        )
    absent = [
        name
        for name, dimension in cases.dimensions.items()
        if not (dimension.codes[arrays.ordered] >= 0).any()
    ]
    if absent:
        found.append(f"Rates by {', '.join(absent).replace('_', ' ')}: no case says.")
    if not next(table for table in tables if table.name == "months").rows:
        found.append(
            f"A trend: it takes at least {LEAST_MONTHS} months of {LEAST_PATIENTS} patients or more."
        )
    return found


def _reads_wanted(share: float) -> int:
    """Return how many reads at random bring the interval of a share to plus or minus `_HALF_WIDTH`."""
    return round(1.96**2 * share * (1 - share) / _HALF_WIDTH**2)
