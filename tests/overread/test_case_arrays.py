"""Cases as arrays: what counts as read, and as found, whatever the detector looks for."""

import pytest

from overread.case_arrays import CaseReader
from overread.cohort import Adjudication, CohortCase, CohortDetection
from overread.discrepancy import DiscrepancyKind
from overread.finding import load_vocabulary
from overread.priority import default_policy
from overread.report.reader import load_reader


def arrays_of(*adjudications: Adjudication):
    """A case for a detector that looks for nodules alone."""
    detection = CohortDetection(detector="nodules", version="1", scores={"nodule": 0.2})
    case = CohortCase(case="1", patient="p", detections=(detection,), adjudications=adjudications)
    ratios = default_policy().tables.triggers
    return CaseReader("nodules", ("nodule",), load_vocabulary(), ratios, load_reader().read).arrays([case])


@pytest.mark.parametrize(
    ("kind", "finding", "is_confirmed", "is_found"),
    [
        (DiscrepancyKind.POSSIBLE_MISS, "nodule", True, True),
        (DiscrepancyKind.POSSIBLE_MISS, "any_abnormality", False, False),  # a concordant case
        (DiscrepancyKind.POSSIBLE_OVERCALL, "effusion", True, True),
        (DiscrepancyKind.LATERALITY_CONFLICT, "nodule", True, True),
        (DiscrepancyKind.MISSING_FOLLOW_UP, "nodule", True, False),  # of the report alone
    ],
)
def test_whatever_was_decided_makes_a_case_read(kind, finding, is_confirmed, is_found) -> None:
    arrays = arrays_of(Adjudication(finding=finding, kind=kind, confirmed=is_confirmed))

    assert arrays.read.tolist() == [True]
    assert arrays.found.tolist() == [is_found]


def test_a_case_of_which_nothing_was_decided_is_not_read() -> None:
    arrays = arrays_of()

    assert not arrays.read.any()
    assert not arrays.found.any()
