"""Types of a triage result and its sources in the JSON of the API.

Types of its own, so that clients see a change only where one is meant; each is made with `model_validate`
from the value of the domain whose fields it has.
"""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from overread.discrepancy import DiscrepancyKind
from overread.finding import Actionable
from overread.observation import (
    ContextKind,
    ContradictionKind,
    Experiencer,
    Laterality,
    Presence,
    Section,
    Temporality,
)
from overread.triage import Outcome


class Answer(BaseModel):
    """A part of an answer, read from the attributes of the same names."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Span(Answer):
    """Half-open range of character offsets into the text of the report."""

    start: int
    end: int


class ImageRegion(Answer):
    """A half-open box on one frame of a stored image, in its pixels."""

    sop_instance_uid: str
    frame: int
    column_min: float
    row_min: float
    column_max: float
    row_max: float


class HeatMap(Answer):
    """Evidence in [0, 1] per cell of a grid laid over a region, rows from top to bottom."""

    region: ImageRegion
    values: tuple[tuple[float, ...], ...]
    quarter_turns: int = Field(description="Counter-clockwise, 0 to 3, that bring the stored image upright")


class ObserverIdentity(Answer):
    """The software that made an observation, exactly enough to reproduce it."""

    name: str
    version: str
    sha256: str = Field(description="Of the rules or of the network; empty where there is no such file")


class Observation(Answer):
    """A statement about one finding."""

    finding: str = Field(description="Id in the finding vocabulary")
    presence: Presence
    laterality: Laterality


class ReportObservation(Observation):
    """Statement of the report about one finding at one place of its text."""

    certainty: float = Field(description="0: denied, 1: stated as a fact")
    span: Span
    sentence: Span
    section: Section
    temporality: Temporality
    experiencer: Experiencer
    zones: tuple[str, ...]
    severity: str | None
    count: int | None
    size_mm: tuple[float, ...]
    tip: str | None
    rules: dict[str, str] = Field(description="Id of the rule that decided each attribute")


class DetectorObservation(Observation):
    """Statement of a detector about one finding on one study."""

    score: float = Field(description="Raw output of the network, in [0, 1]")
    probability: float = Field(description="Calibrated, in [0, 1]")
    prevalence: float | None = Field(description="In the cohort of the calibration; null where unknown")
    sop_instance_uid: str = Field(description="Image that supports the statement most")
    regions: tuple[ImageRegion, ...]
    heat_map: HeatMap | None
    size_mm: tuple[float, ...]


class Recommendation(Answer):
    """Recommendation of the first reader, such as a follow-up examination."""

    action: str
    within_days: float | None
    span: Span
    sentence: Span
    section: Section
    rule: str


class Communication(Answer):
    """A statement that a result was told to somebody."""

    time_of_day: str | None = Field(description="HH:MM as stated")
    span: Span
    sentence: Span
    section: Section
    rule: str


class Contradiction(Answer):
    """Two places of a report that cannot both be true, or one that contradicts sex or age."""

    kind: ContradictionKind
    subject: str
    first: Span
    second: Span | None
    reason: str


class ContextItem(Answer):
    """Statement of indication, history or comparison; never a finding."""

    kind: ContextKind
    value: str
    presence: Presence
    span: Span
    section: Section
    rule: str


class ReportReading(Answer):
    """Everything that was found in a report."""

    reader: ObserverIdentity = Field(validation_alias="observer", description="Software that read the report")
    observations: tuple[ReportObservation, ...]
    sections: tuple[tuple[Section, Span], ...]
    recommendations: tuple[Recommendation, ...]
    communications: tuple[Communication, ...]
    contradictions: tuple[Contradiction, ...]
    context: tuple[ContextItem, ...]
    text_read_share: float | None = Field(description="Share of the text taken for findings, in [0, 1]")
    statements_left_out: int = Field(description="Beyond the most that a reading holds: 0 for a usual report")


class Detection(Answer):
    """Observations of one detector on the study, or the reason why it is not meant for it."""

    detector: ObserverIdentity
    operating_point: str
    observations: tuple[DetectorObservation, ...]
    not_applicable: str | None
    remarks: tuple[str, ...]
    out_of_distribution: float | None


class Factor(Answer):
    """A piece of evidence: what it multiplies the odds by, and why."""

    name: str
    odds_ratio: float
    reason: str


class Discrepancy(Answer):
    """A disagreement about one finding, with its evidence."""

    kind: DiscrepancyKind
    finding: str
    detector_observation: DetectorObservation | None
    report_observations: tuple[ReportObservation, ...]
    factors: tuple[Factor, ...]
    odds: float
    priority: float
    reasons: tuple[str, ...]
    called: float = Field(description="Of what is so, the share that a second reader calls a discrepancy")


class KnownBefore(Answer):
    """A discrepancy that is set aside because an earlier report knew the finding."""

    discrepancy: Discrepancy
    study_instance_uid: str
    report_version: int
    days_before: float
    observation: ReportObservation


class TriageResult(Answer):
    """The conclusion about one case."""

    outcome: Outcome
    priority: float = Field(description="0 to 100; orders the list, higher first")
    actionable: Actionable
    subspecialty: str | None
    discrepancies: tuple[Discrepancy, ...] = Field(description="Strongest evidence first")
    reasons: tuple[str, ...]
    policy_version: str
    known_before: tuple[KnownBefore, ...]
    probability: float = Field(description="That any of the discrepancies is confirmed")


class TriageReply(Answer):
    """Triage of a case with its sources and makers: enough to reproduce it."""

    revision: int
    report_version: int = Field(description="Version of the report that the character spans refer to")
    instances_sha256: str
    result: TriageResult
    reading: ReportReading
    detections: tuple[Detection, ...]
    worker: str
    triaged_at: datetime


class StudyTriage(Answer):
    """Triage of a study and a report that are not stored, with its sources."""

    result: TriageResult
    reading: ReportReading = Field(description="Character spans refer to the report that was sent")
    detections: tuple[Detection, ...]
