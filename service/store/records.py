"""Records of the store: frozen values, one class per row that a caller may see."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Row

from overread.actor import Actor, ActorKind
from overread.case import CaseEvent, CaseState
from overread.comparison import PriorReport
from overread.errors import RemovedError
from overread.finding import Actionable
from overread.observation import Detection, ReportReading
from overread.priority import Policy
from overread.triage import Outcome, TriageResult
from service.store.files import ObjectFiles
from service.store.headline import Headline


class ReportStatus(StrEnum):
    """Status of a version of a report (HL7 table 0123: P, F, C, A)."""

    PRELIMINARY = "PRELIMINARY"
    FINAL = "FINAL"
    CORRECTED = "CORRECTED"
    ADDENDUM = "ADDENDUM"


def _removal(what: str, removed_at: datetime | None, why: str | None) -> str | None:
    if removed_at is None:
        return None
    return f"{what} removed on {removed_at:%Y-%m-%d}: {why or 'no reason was recorded'}"


class QuarantineKind(StrEnum):
    """Kind of a quarantined item."""

    INSTANCE = "INSTANCE"
    REPORT = "REPORT"


class QuarantineState(StrEnum):
    """State of a quarantined item."""

    WAITING = "WAITING"  # for a person
    RESOLVED = "RESOLVED"  # its content is in the store by now
    DISCARDED = "DISCARDED"  # a person said that it is of no use


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRecord:
    """One study as its images describe it; None where they do not say."""

    study_instance_uid: str
    patient_id: str | None = field(repr=False)
    issuer_of_patient_id: str | None
    accession_number: str | None
    modality: str | None
    body_part: str | None
    description: str | None
    study_date: str | None  # YYYYMMDD
    patient_age_years: float | None
    patient_sex: str | None
    site: str | None
    first_received_at: datetime
    last_received_at: datetime
    closed_at: datetime | None  # None while images may still come


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRecord:
    """One case as the transaction that may change it sees it."""

    case_id: int
    state: CaseState
    revision: int  # counts what has to be triaged anew
    study_instance_uid: str | None
    accession_number: str | None
    patient_id: str | None = field(repr=False)
    site: str | None  # as the images say, else as the report says
    report_version: int | None  # the one that counts; None while there is none but preliminary
    result_revision: int | None  # of the latest triage result; None while there is none
    policy_version: str | None  # that made it
    waiting_since: datetime | None  # on the list since then; None while it is not
    attempts: int  # claims of this revision
    due_at: datetime  # not to be claimed before, while READY
    lease_owner: str | None  # None while it is not in triage


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRecord:
    """One stored object."""

    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    modality: str | None
    sha256: str
    size_bytes: int
    source: str
    received_at: datetime
    removed_at: datetime | None  # its bytes, on purpose; None while they are kept
    removed_why: str | None
    rows: int | None  # of a frame; 0 for what is no image, None where the file has not been looked at
    columns: int | None  # the same
    result_of: int | None = None  # case whose result it is, made here; None of what was received
    files: ObjectFiles = field(repr=False, compare=False)

    @property
    def removal(self) -> str | None:
        """Time and reason of the removal of its bytes, as a person is told; None while they are kept."""
        return _removal("pixels", self.removed_at, self.removed_why)

    @property
    def path(self) -> Path:
        """A file with its bytes as received; from object storage it is fetched.

        Raises:
            RemovedError: the bytes were removed on purpose.
            NotFoundError: the bytes are not there.
            OutOfResourcesError: the object storage cannot be reached.
        """
        if self.removal is not None:
            raise RemovedError(self.removal)
        return self.files.path_of(self.sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportVersion:
    """One version of a report; `text` is the whole report as of this version."""

    version: int  # from 1, in the order of arrival
    status: ReportStatus
    text: str = field(repr=False)
    sent_text: str | None = field(default=None, repr=False)  # None: the same as `text`
    sha256: str  # of the text that was sent
    source: str
    issued_at: datetime | None = None  # when it was made, as the sender says; None where it does not say
    received_at: datetime
    resent_at: tuple[datetime, ...] = ()  # further times that came with the same text, ascending

    @property
    def sent(self) -> str:
        """Text that was sent with this version."""
        return self.text if self.sent_text is None else self.sent_text


def actor_of(row: Row[Any]) -> Actor:
    """Return who acted, of a row of `events`, `policies` or `quarantine_actions`."""
    return Actor(identifier=row.actor_identifier, kind=ActorKind(row.actor_kind), display_name=row.actor_name)


def actor_columns(actor: Actor) -> dict[str, str]:
    """Return the columns that say who acted."""
    return {
        "actor_identifier": actor.identifier,
        "actor_kind": actor.kind.value,
        "actor_name": actor.display_name,
    }


class PolicyOrigin(StrEnum):
    """Origin of a policy."""

    SHIPPED = "SHIPPED"  # with overread: another release may replace it
    SITE = "SITE"  # chosen by the site: stays until the site chooses another


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRecord:
    """One policy that is or was in force."""

    version: str
    sha256: str
    text: str = field(repr=False)
    origin: PolicyOrigin
    actor: Actor
    in_force_from: datetime

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """Return the policy of a row of `policies`."""
        return cls(
            version=row.version,
            sha256=row.sha256,
            text=row.text,
            origin=PolicyOrigin(row.origin),
            actor=actor_of(row),
            in_force_from=row.in_force_from,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierReport(PriorReport):
    """The report that counts of an earlier study of the same patient."""

    case_id: int
    study_date: str  # YYYYMMDD


@dataclass(frozen=True, slots=True, kw_only=True)
class TriageRecord:
    """Triage of one revision of a case, with its sources."""

    revision: int
    report_version: int
    instances_sha256: str
    result: TriageResult
    reading: ReportReading
    detections: tuple[Detection, ...]
    worker: str
    triaged_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableCase:
    """A case whose latest triage is stored in a form that this release does not know."""

    case_id: int
    study_instance_uid: str
    why: str  # in words, without patient data


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """One entry of the history of a case."""

    event_id: int
    happened_at: datetime
    event: CaseEvent
    state_before: CaseState | None  # None for the first
    state_after: CaseState
    revision: int
    actor: Actor
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSummary:
    """One line of the worklist."""

    case_id: int
    state: CaseState
    revision: int
    study_instance_uid: str | None
    accession_number: str | None
    modality: str | None
    body_part: str | None
    description: str | None
    study_date: str | None
    site: str | None  # as the images say, else as the report says
    opened_at: datetime
    updated_at: datetime
    attempts: int
    failure: str | None  # why it is FAILED
    # From the latest triage; while the case is READY again, of the revision before.
    priority: float
    waiting_since: datetime | None  # on the list since then; None while it is not
    overdue_at: datetime | None  # from then on it comes first, if it stands above the line
    open_to_all_at: datetime | None  # from then on readers of every subspecialty are shown it
    outcome: Outcome | None
    actionable: Actionable | None
    subspecialty: str | None
    reasons: tuple[str, ...]
    headline: Headline | None  # None where nothing disagrees
    above_line: bool  # LISTED, and among what a second reader is asked to look at


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDetail:
    """Everything that is stored about one case."""

    summary: CaseSummary
    patient_id: str | None = field(repr=False)  # as the images say, else as the report says
    study: StudyRecord | None  # None while no image has come
    instances: tuple[InstanceRecord, ...]  # by series and SOP instance UID
    reports: tuple[ReportVersion, ...]  # oldest first
    report: ReportVersion | None  # the one that counts; None while there is none but preliminary
    triage: TriageRecord | None  # the latest; None before the first, and where it cannot be read
    unreadable: str | None  # why the latest triage cannot be read; None where it can, or there is none
    earlier: tuple[EarlierReport, ...]  # of the patient, as far as the latest triage set something aside
    events: tuple[EventRecord, ...]  # oldest first

    @property
    def triaged_report(self) -> ReportVersion | None:
        """The version that the latest triage read, which its spans refer to; None before the first triage."""
        if self.triage is None:
            return None
        return next(report for report in self.reports if report.version == self.triage.report_version)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineEntry:
    """One refused object or report."""

    quarantine_id: int
    kind: QuarantineKind
    reason: str  # `reason` of the error class
    detail: str  # in words, without patient data
    source: str
    received_at: datetime
    sha256: str
    size_bytes: int
    study_instance_uid: str | None
    sop_instance_uid: str | None
    accession_number: str | None
    patient_id: str | None = field(repr=False)
    report_status: str | None
    report_issued_at: datetime | None  # None where the sender does not say
    report_charset: str | None
    state: QuarantineState
    case_id: int | None  # of the report that it became
    removed_at: datetime | None  # its bytes, on purpose; None while they are kept
    removed_why: str | None
    site: str | None  # as far as it could be read
    files: ObjectFiles = field(repr=False, compare=False)

    @property
    def removal(self) -> str | None:
        """Time and reason of the removal of its bytes, as a person is told; None while they are kept."""
        return _removal("bytes", self.removed_at, self.removed_why)

    @property
    def path(self) -> Path:
        """A file with its bytes as received; from object storage it is fetched.

        Raises:
            RemovedError: the bytes were removed on purpose.
            NotFoundError: the bytes are not there.
            OutOfResourcesError: the object storage cannot be reached.
        """
        if self.removal is not None:
            raise RemovedError(self.removal)
        return self.files.quarantine_path_of(self.sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A worker's right to conclude one revision of a case; it is lost when it is not renewed in time."""

    case_id: int
    revision: int
    attempt: int  # from 1
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedCase:
    """Case that a worker has claimed, with all that triage needs."""

    lease: Lease
    study_instance_uid: str
    report_version: int
    report_text: str = field(repr=False)
    objects: tuple[str, ...]  # hashes of the instances, by series and SOP instance UID
    instances_sha256: str
    earlier: tuple[EarlierReport, ...] = ()  # of the patient, the latest first
    restored: frozenset[str] = frozenset()  # findings that a person brought back
    policy: Policy  # in force at the claim
    removal: str | None = None  # when and why pixels were removed, as a person is told; None: all are kept
    seen: tuple[Detection, ...] = ()  # what was seen of the same images before they were removed
    files: ObjectFiles = field(repr=False, compare=False)

    @property
    def instances(self) -> tuple[Path, ...]:
        """A file for each instance, by series and SOP instance UID; from object storage they are fetched.

        Raises:
            RemovedError: the bytes of one were removed on purpose.
            NotFoundError: the bytes of one are not there.
            OutOfResourcesError: the object storage cannot be reached.
        """
        if self.removal is not None:
            raise RemovedError(self.removal)
        return tuple(self.files.path_of(sha256) for sha256 in self.objects)
