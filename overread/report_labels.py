"""Report labels: what a report states of a finding, as the number that models are fitted to and judged by."""

import math
from collections.abc import Sequence

from overread.cohort import CohortCase
from overread.finding import Vocabulary
from overread.observation import Observation, Presence
from overread.ports import ReportReader
from overread.report_position import current_observations


def stated_observations(case: CohortCase, reader: ReportReader) -> tuple[Observation, ...]:
    """Return what the report of a case states of the present: read from its text where there is one.

    Raises:
        InvalidReportError: the text is empty or is no text.
    """
    if case.text is not None:
        return current_observations(reader.read(case.text).observations)
    return case.observations


def report_label(observations: Sequence[Observation], finding: str, vocabulary: Vocabulary) -> float:
    """Return 1 where the finding or a kind of it is stated, NaN where with reserve only, else 0."""
    kinds = vocabulary.kinds_of(finding)
    presences = {item.presence for item in observations if item.finding in kinds}
    if Presence.PRESENT in presences:
        return 1.0
    return math.nan if Presence.UNCERTAIN in presences else 0.0
