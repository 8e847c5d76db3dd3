"""Words of the pages, in one place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from overread.case import CaseEvent, CaseState
from overread.discrepancy import DiscrepancyKind
from overread.finding import Actionable, load_vocabulary
from overread.observation import Laterality

KINDS: Mapping[DiscrepancyKind, str] = {
    DiscrepancyKind.POSSIBLE_MISS: "Possible miss",
    DiscrepancyKind.POSSIBLE_OVERCALL: "Possible overcall",
    DiscrepancyKind.LATERALITY_CONFLICT: "Side conflict",
    DiscrepancyKind.LOCATION_CONFLICT: "Place conflict",
    DiscrepancyKind.SIZE_OR_SEVERITY_CONFLICT: "Size conflict",
    DiscrepancyKind.FINDINGS_IMPRESSION_CONFLICT: "Findings against impression",
    DiscrepancyKind.MISSING_FOLLOW_UP: "No follow-up",
    DiscrepancyKind.MISSING_COMMUNICATION: "No communication",
}
SIDES: Mapping[Laterality, str] = {
    Laterality.RIGHT: "right",
    Laterality.LEFT: "left",
    Laterality.BILATERAL: "both sides",
    Laterality.UNSPECIFIED: "",
}
URGENCIES: Mapping[Actionable, str] = {
    Actionable.MINUTES: "Within minutes",
    Actionable.HOURS: "Within hours",
    Actionable.DAYS: "Within days",
    Actionable.NONE: "",
}
_UNITS = (  # in which a wait is told, by how much is allowed: both in one, so that they can be compared
    (timedelta(hours=2), timedelta(minutes=1), "min"),
    (timedelta(days=7), timedelta(hours=1), "h"),
    (timedelta.max, timedelta(days=1), "d"),
)
_NEARLY = 0.95
_COMMON = ((9, 10), (4, 5), (3, 4), (2, 3), (1, 2), (2, 5), (1, 3))
URGENT = frozenset({Actionable.MINUTES, Actionable.HOURS})
STATES: Mapping[CaseState, str] = {
    CaseState.AWAITING_IMAGES: "Waiting for images",
    CaseState.AWAITING_REPORT: "Waiting for the report",
    CaseState.READY: "Waiting for triage",
    CaseState.IN_TRIAGE: "In triage",
    CaseState.LISTED: "To read",
    CaseState.CONCORDANT: "Concordant",
    CaseState.NOT_APPLICABLE: "Not applicable",
    CaseState.FAILED: "Failed",
    CaseState.AWAITING_ARBITRATION: "For arbitration",
    CaseState.JUDGED: "Judged",
}
STATE_HEADINGS: Mapping[CaseState, str] = {
    **STATES,
    CaseState.LISTED: "A second look may help",
    CaseState.CONCORDANT: "No disagreement is likely enough to be listed",
    CaseState.NOT_APPLICABLE: "No detector applies to this study",
    CaseState.FAILED: "Could not be triaged",
}
KNOWN_HEADING = "What differs was known before"
EVENTS: Mapping[CaseEvent, str] = {
    CaseEvent.OPENED: "Case opened",
    CaseEvent.STUDY_CLOSED: "Images complete, final report still to come",
    CaseEvent.COMPLETED_BY_IMAGES: "Images complete, report already there",
    CaseEvent.COMPLETED_BY_REPORT: "Report arrived, images already there",
    CaseEvent.REVISED: "New image or report version, triage starts again",
    CaseEvent.CLAIMED: "Triage started",
    CaseEvent.LEASE_EXPIRED: "Worker was lost, triage starts again",
    CaseEvent.RELEASED: "Given back by its worker",
    CaseEvent.FOUND_DISCREPANT: "Listed for a second look",
    CaseEvent.FOUND_CONCORDANT: "No disagreement likely enough to be listed",
    CaseEvent.FOUND_NOT_APPLICABLE: "No detector applies",
    CaseEvent.FAILED: "Triage failed",
    CaseEvent.RETRIED: "Started again by a person",
    CaseEvent.POLICY_CHANGED: "Weighed again under another policy",
    CaseEvent.RESTORED: "Known finding brought back",
    CaseEvent.SAMPLED: "Drawn for the audit, and listed unmarked",
    CaseEvent.JUDGED: "Judged",
    CaseEvent.SENT_TO_ARBITRATION: "Judged; another person decides",
    CaseEvent.ARBITRATED: "Arbitrated",
    CaseEvent.JUDGEMENT_UNDONE: "Judgement taken back",
    CaseEvent.ARBITRATION_UNDONE: "Arbitration taken back",
    CaseEvent.READ_CLAIMED: "Claimed for a second read",
    CaseEvent.READ_RELEASED: "Put back on the list",
    CaseEvent.READ_TAKEN_OVER: "Taken over for a second read",
    CaseEvent.READ_ASSIGNED: "Assigned for a second read",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """One tab of the worklist."""

    slug: str
    name: str  # of the tab
    title: str  # of the page
    states: tuple[CaseState, ...]
    empty_heading: str
    empty_text: str
    urgent: bool = False  # a person should correct what lies here


TABS: tuple[Tab, ...] = (
    Tab(
        slug="to-read",
        name="To read",
        title="Worklist",
        states=(CaseState.LISTED,),
        empty_heading="Nothing to read",
        empty_text="No case is waiting for a second look. Cases appear here, the most important first, once "
        "their images and final report have arrived and may disagree.",
    ),
    Tab(
        slug="arbitration",
        name="Arbitration",
        title="Cases for arbitration",
        states=(CaseState.AWAITING_ARBITRATION,),
        empty_heading="Nothing to arbitrate",
        empty_text="Cases that two readers judged differently, or that one scored 2b, 3a or 3b, wait here "
        "for another person.",
    ),
    Tab(
        slug="judged",
        name="Judged",
        title="Judged cases",
        states=(CaseState.JUDGED,),
        empty_heading="Nothing judged yet",
        empty_text="Cases whose second read is done are kept here.",
    ),
    Tab(
        slug="in-progress",
        name="In progress",
        title="Cases in progress",
        states=(CaseState.READY, CaseState.IN_TRIAGE),
        empty_heading="Nothing in progress",
        empty_text="Every case whose images and report have arrived has been triaged.",
    ),
    Tab(
        slug="incomplete",
        name="Incomplete",
        title="Incomplete cases",
        states=(CaseState.AWAITING_IMAGES, CaseState.AWAITING_REPORT),
        empty_heading="Nothing incomplete",
        empty_text="No case is waiting for its images or its report.",
    ),
    Tab(
        slug="concordant",
        name="Concordant",
        title="Concordant cases",
        states=(CaseState.CONCORDANT,),
        empty_heading="No concordant cases",
        empty_text="Cases in which no disagreement is likely enough to be listed are kept here.",
    ),
    Tab(
        slug="not-applicable",
        name="Not applicable",
        title="Cases that no detector applies to",
        states=(CaseState.NOT_APPLICABLE,),
        empty_heading="No such cases",
        empty_text="Studies that no detector is meant for are kept here with the reason. They get no score.",
    ),
    Tab(
        slug="failed",
        name="Failed",
        title="Failed cases",
        states=(CaseState.FAILED,),
        empty_heading="Nothing failed",
        empty_text="Cases that could not be triaged are kept here, each with the reason.",
        urgent=True,
    ),
    Tab(
        slug="all",
        name="All",
        title="All cases",
        states=tuple(CaseState),
        empty_heading="No cases yet",
        empty_text="Send images by DICOMweb (STOW-RS) and reports to the API; overread serve prints both "
        "addresses.",
    ),
)


def finding_name(finding: str) -> str:
    """Return the name of a finding, with a capital; its id in words where the vocabulary has dropped it."""
    known = load_vocabulary().get(finding)
    name = known.name if known else finding.replace("_", " ")
    return name[:1].upper() + name[1:]


def sentence(clauses: Sequence[str]) -> str:
    """Return the clauses as one sentence with a capital and a full stop; empty for none."""
    joined = stop(clauses)
    return joined[:1].upper() + joined[1:]


def stop(clauses: Sequence[str]) -> str:
    """Return the clauses, as they are, with a full stop; empty for none."""
    return "; ".join(clause.rstrip(". ") for clause in clauses) + "." if clauses else ""


def age(since: datetime, now: datetime) -> str:
    """Return how long ago something was, in the largest unit that tells enough."""
    return "just now" if now - since < timedelta(minutes=1) else duration(now - since)


def waited(since: datetime, overdue_at: datetime | None, now: datetime) -> str:
    """Return how long a case has waited, and of how much."""
    so_far = max(now - since, timedelta())
    if overdue_at is None:
        return duration(so_far)
    allowed = overdue_at - since
    unit, word = next((unit, word) for most, unit, word in _UNITS if allowed <= most)
    return f"{so_far // unit} of {allowed // unit} {word} allowed"


def duration(length: timedelta) -> str:
    """Return a length of time in the largest unit that tells enough."""
    seconds = length.total_seconds()
    if seconds < 3600:
        return f"{seconds // 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600:.0f} h"
    return f"{seconds // 86400:.0f} d"


def chance(probability: float) -> str:
    """Return a probability as people say it."""
    if probability >= _NEARLY:
        return "over 9 in 10"
    if probability < _COMMON[-1][0] / _COMMON[-1][1]:
        return f"1 in {1 / probability:.0f}"
    part, whole = min(_COMMON, key=lambda pair: abs(pair[0] / pair[1] - probability))
    return f"{part} in {whole}"


def moment(at: datetime) -> str:
    """Return a time as people read it, in UTC like everything stored."""
    return at.strftime("%Y-%m-%d %H:%M:%S")


def dicom_date(text: str | None) -> str | None:
    """Return a DICOM date (PS3.5 DA: YYYYMMDD) with dashes; None where there is none or it is malformed."""
    if text is None or len(text) != 8 or not text.isdigit():
        return None
    return f"{text[:4]}-{text[4:6]}-{text[6:]}"


def ratio(value: float) -> str:
    """Return odds or an odds ratio with about two significant figures and no exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2g}" if value >= 0.0001 else "under 0.0001"
