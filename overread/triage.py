"""`triage()`: the one pure function that the online worker and the offline audit both call."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from overread.discrepancy import Discrepancy
from overread.finding import Actionable, Vocabulary
from overread.observation import Detection, ReportReading, StudyContext
from overread.priority import Policy


class Outcome(StrEnum):
    """What triage concluded about a case."""

    DISCREPANT = "DISCREPANT"
    CONCORDANT = "CONCORDANT"
    NOT_APPLICABLE = "NOT_APPLICABLE"  # no detector is meant for this study


@dataclass(frozen=True, slots=True, kw_only=True)
class TriageResult:
    """The conclusion about one case, with everything a second reader needs to argue with it."""

    outcome: Outcome
    priority: float  # 0 where there is nothing to look at; orders the list, higher first
    actionable: Actionable  # most urgent category among the discrepancies
    subspecialty: str | None  # who should look; None where nobody need
    discrepancies: tuple[Discrepancy, ...]  # highest priority first
    reasons: tuple[str, ...]  # sentences, the most important first
    policy_version: str


def triage(
    reading: ReportReading,
    detections: Sequence[Detection],
    context: StudyContext,
    policy: Policy,
    vocabulary: Vocabulary,
) -> TriageResult:
    """Compare what the report states with what the detectors see and order what disagrees.

    The same arguments always give the same result: no clock, no randomness, no state.
    """
    raise NotImplementedError
