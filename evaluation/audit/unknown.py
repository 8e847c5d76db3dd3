"""What the data of an audit cannot say, why, and what would carry it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.audit.audited_cases import DIMENSIONS, AuditedCases
from evaluation.audit.result_folder import Table
from overread.audit.archive import Reading, with_known_chance
from overread.audit.clustered import LEAST_PATIENTS
from overread.audit.months import LEAST_MONTHS
from overread.audit.weighting import expected_reads

_HALF_WIDTH = 0.01  # of a rate that one would want to know
_SHARE = 0.02  # that it is taken to be, while nobody knows


def unknown_of(cases: AuditedCases, tables: Sequence[Table]) -> list[str]:
    """Return sentences about the figures that are not there, and what would carry each."""
    arrays = cases.arrays
    found = []
    if not arrays.has_point[arrays.ordered].any():
        found.append(
            "Disagreement of report and detector: no detection names an operating point (`present`), so that "
            "nobody knows what the detector calls present. Give one, or use the order of the list."
        )
    read = arrays.read & arrays.ordered
    if not read.any():
        found.append(
            "Confirmed discrepancies: no case was read by a second reader. About "
            f"{expected_reads(_SHARE, _HALF_WIDTH)} reads drawn by `overread audit sample` would carry a "
            f"rate of {_SHARE:.0%} to plus or minus {_HALF_WIDTH:.0%}."
        )
    elif np.isnan(cases.selection[read]).all():
        found.append(
            f"Discrepancies of the archive: {int(read.sum())} cases were read, and none says with which "
            "probability it was chosen (`selection_probability`). Their share is of the cases that were "
            "read, which are not like the others. `overread audit sample` draws cases that speak for all."
        )
    else:
        found += _left_out(cases, read)
    rows = arrays.ordered
    absent = [name for name in DIMENSIONS if not (cases.dimensions[name].codes[rows] >= 0).any()]
    if absent:
        found.append(f"Rates by {', '.join(absent).replace('_', ' ')}: no case says.")
    if not next(table for table in tables if table.name == "months").rows:
        found.append(
            f"A trend: it takes at least {LEAST_MONTHS} months of {LEAST_PATIENTS} patients or more."
        )
    return found


def _left_out(cases: AuditedCases, read: NDArray[np.bool_]) -> list[str]:
    rows = cases.arrays.ordered
    nobody = np.zeros(int(rows.sum()), dtype=bool)
    reading = Reading(read=read[rows], found=nobody, flagged=nobody, probability=cases.selection[rows])
    left_out = with_known_chance(reading)[1]
    if not left_out:
        return []
    sentence = (
        f"Discrepancies of {left_out} cases whose chance of being read is not known, such as flagged ones "
        "that wait for their read: the figures of the archive are of the others."
    )
    return [sentence]
