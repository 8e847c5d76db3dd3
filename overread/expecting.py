"""What the site's own past reports let one expect of one case, where the policy has a fit for a detector."""

from collections.abc import Sequence
from functools import lru_cache

from overread.assumption import TriggerRatios
from overread.casetable import CaseReader
from overread.cohort import CohortCase
from overread.errors import InvalidReportError
from overread.expectation import expected_statements
from overread.finding import load_vocabulary
from overread.observation import ReportReading
from overread.priority import Policy
from overread.sighting import Expected
from overread.studies import Columns
from overread.triage import ExpectedByDetector


def expect(case: CohortCase, earlier: Sequence[CohortCase], policy: Policy) -> ExpectedByDetector:
    """Return by detector and family what share of the reports would state the family.

    Args:
        case: with what its report states as observations, no text.
        earlier: studies of the same patient, in any order, likewise.
        policy: with the fits of the site.
    """
    shares: dict[str, dict[str, Expected]] = {}
    for detection in case.detections:
        expectation = policy.expectations.get(detection.detector)
        if expectation is None:
            continue
        reader = _reader(detection.detector, expectation.columns, policy.assumptions.triggers)
        table = reader.table((*earlier, case))
        last = expected_statements(expectation, table.studies)[-1].tolist()
        shares[detection.detector] = {
            family: Expected(share=share, base_rate=base_rate)
            for family, share, base_rate in zip(
                expectation.columns.families, last, expectation.base_rates.tolist(), strict=True
            )
        }
    return shares


@lru_cache(maxsize=8)
def _reader(detector: str, columns: Columns, ratios: TriggerRatios) -> CaseReader:
    return CaseReader(detector, columns, load_vocabulary(), ratios, _no_text)


def _no_text(_text: str) -> ReportReading:
    raise InvalidReportError("what the report states is needed here, not its text")
