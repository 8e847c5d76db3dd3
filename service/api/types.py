"""Cases, reports and refusals in the JSON of the API.

Types of its own, so that clients see a change only where one is meant; each is made with `model_validate`
from the value of the store whose fields it has.
"""

from datetime import datetime

from pydantic import AliasPath, Field

from overread.actor import ActorKind
from overread.case import CaseEvent, CaseState
from overread.discrepancy import DiscrepancyKind
from overread.finding import Actionable
from overread.observation import Laterality
from overread.triage import Outcome
from service.api.triage_types import Answer, TriageReply
from service.intake.receipt import ReceiptOutcome
from service.store.quarantine import ActionOutcome, QuarantineAction
from service.store.records import QuarantineKind, QuarantineState, ReportStatus


class Headline(Answer):
    """The leading discrepancy of a case, and how many more there are."""

    kind: DiscrepancyKind
    finding: str
    laterality: Laterality
    evidence: tuple[str, ...]
    further: int


class CaseSummary(Answer):
    """A line of the worklist."""

    case_id: int
    state: CaseState
    revision: int
    study_instance_uid: str | None
    accession_number: str | None
    modality: str | None
    body_part: str | None
    description: str | None
    study_date: str | None = Field(description="YYYYMMDD")
    site: str | None = Field(description="Where the study was made, as images or report say")
    opened_at: datetime
    updated_at: datetime
    attempts: int
    failure: str | None = Field(description="Why it is FAILED")
    priority: float
    waiting_since: datetime | None
    overdue_at: datetime | None
    open_to_all_at: datetime | None
    outcome: Outcome | None
    actionable: Actionable | None
    subspecialty: str | None
    reasons: tuple[str, ...]
    headline: Headline | None
    above_line: bool


class WorklistLine(Answer):
    """Share of the list that a second reader is asked to look at."""

    share: float
    priority: float | None
    triaged: int
    above: int = Field(description="For a subspecialty at most 2001, which means more than 2000")
    below: int = Field(description="The same")


class WorklistPage(Answer):
    """Some lines of the worklist; give `next` as `after` to get those that follow."""

    cases: tuple[CaseSummary, ...]
    next: str | None
    line: WorklistLine | None


class ImageLine(Answer):
    """A stored image of a case."""

    sop_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    modality: str | None
    sha256: str
    size_bytes: int
    received_at: datetime


class ReportVersion(Answer):
    """A version of a report; `text` is the whole report as of this version."""

    version: int
    status: ReportStatus
    text: str
    sha256: str
    source: str
    issued_at: datetime | None = Field(description="When it was made; null where the sender does not say")
    received_at: datetime
    resent_at: list[datetime] = Field(
        description="Further times that the sender gave for the same text; the last of all counts"
    )


class EventRecord(Answer):
    """An entry of the history of a case."""

    event_id: int
    happened_at: datetime
    event: CaseEvent
    state_before: CaseState | None
    state_after: CaseState
    revision: int
    actor: str = Field(validation_alias=AliasPath("actor", "display_name"), description="Who did it")
    actor_kind: ActorKind = Field(validation_alias=AliasPath("actor", "kind"))
    actor_identifier: str = Field(
        validation_alias=AliasPath("actor", "identifier"),
        description='Tells actors apart; "unverified:" stands before a name that nothing confirms',
    )
    detail: str | None


class CaseReply(Answer):
    """Everything about one case but the pixels and who the patient is."""

    summary: CaseSummary
    images: tuple[ImageLine, ...] = Field(validation_alias="instances")
    reports: tuple[ReportVersion, ...] = Field(description="Every version, oldest first")
    triage: TriageReply | None = Field(description="The latest; null before the first or if unreadable")
    unreadable: str | None = Field(description="Why the latest triage cannot be read; null where it can")
    events: tuple[EventRecord, ...] = Field(description="Oldest first")


class StudyClosed(Answer):
    """The case of a study whose images count as complete."""

    case_id: int
    state: CaseState


class Counts(Answer):
    """Number of cases in each state, and of refused objects and reports that wait for a person."""

    cases: dict[CaseState, int]
    quarantine: int


class ReportReceipt(Answer):
    """The acknowledgement of a version of a report: it is durable and belongs to a case."""

    outcome: ReceiptOutcome
    case_id: int
    version: int
    state: CaseState


class QuarantineLine(Answer):
    """A refused object or report; its bytes stay in the quarantine folder under their hash."""

    quarantine_id: int
    state: QuarantineState
    kind: QuarantineKind
    reason: str
    detail: str
    source: str
    received_at: datetime
    sha256: str
    size_bytes: int
    study_instance_uid: str | None
    sop_instance_uid: str | None
    accession_number: str | None
    report_status: str | None = Field(description="Of a report, as it was sent")
    report_issued_at: datetime | None = Field(
        description="When the report was made; null where the sender does not say"
    )


class QuarantinePage(Answer):
    """Some refused things, the latest first."""

    total: int
    entries: tuple[QuarantineLine, ...]


class ActionLine(Answer):
    """Action of a person on an entry."""

    happened_at: datetime
    action: QuarantineAction
    outcome: ActionOutcome
    actor: str = Field(validation_alias=AliasPath("actor", "display_name"), description="Who did it")
    actor_identifier: str = Field(
        validation_alias=AliasPath("actor", "identifier"),
        description='Tells people apart; "unverified:" stands before a name that nothing confirms',
    )
    detail: str | None


class EntryReply(Answer):
    """An entry: what could be read of it, without who the patient is, and what was done with it."""

    entry: QuarantineLine
    form: str
    header: dict[str, str]
    broken: str | None = Field(description="Why no more of the header could be read")
    case_id: int | None = Field(description="Case that it became part of")
    actions: tuple[ActionLine, ...] = Field(description="Oldest first")


class ReplayResult(Answer):
    """Result of a replay of an entry."""

    quarantine_id: int
    outcome: ActionOutcome
    case_id: int | None = Field(description="Of a report that is stored now")
    detail: str | None = Field(description="Why it was refused again")
