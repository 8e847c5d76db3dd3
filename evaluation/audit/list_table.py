"""Table of the list: what its first parts are expected to hold, and what second reads found in them."""

import numpy as np

from evaluation.audit.design import SHARES
from evaluation.audit.result_folder import Cell, Table
from overread.case_arrays import CaseArrays, Integers
from overread.cohort_order import CohortOrder


def list_table(arrays: CaseArrays, order: CohortOrder, rows: Integers) -> Table:
    """Return the parts of the list.

    Args:
        arrays: the cases.
        order: their probabilities.
        rows: of the cases, in the order of the list.
    """
    chances = order.probabilities[rows]
    read, confirmed = arrays.read[rows], arrays.found[rows]
    found: list[tuple[Cell, ...]] = []
    for share in SHARES:
        end = round(share * len(rows))
        if end:
            expected = float(np.nansum(chances[:end]))
            found.append((share, end, expected / end, int(read[:end].sum()), int(confirmed[:end].sum())))
    return Table(
        name="list",
        meaning="First parts of the list: share that is expected to hold a discrepancy, as the list itself "
        "says (a model's word, no measurement), cases that were read, and those with a confirmed discrepancy",
        columns=("first_share", "cases", "expected_share", "read", "confirmed"),
        rows=found,
    )
