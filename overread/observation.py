"""Observations: statements of a report reader or a detector about one finding, and their places.

A *finding* is a kind of thing (see `overread.finding`); an *observation* is one reader's statement about it.
Everything here is a frozen value: observations are compared, stored and replayed, never edited.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Presence(StrEnum):
    """Whether a finding is there, according to one reader."""

    PRESENT = "PRESENT"
    ABSENT = "ABSENT"
    UNCERTAIN = "UNCERTAIN"
    NOT_MENTIONED = "NOT_MENTIONED"


class Laterality(StrEnum):
    """Side of the patient's body; DICOM PS3.3 C.7.3.1 uses R, L, B and empty for the same."""

    RIGHT = "RIGHT"
    LEFT = "LEFT"
    BILATERAL = "BILATERAL"
    UNSPECIFIED = "UNSPECIFIED"

    def contradicts(self, other: "Laterality") -> bool:
        """Whether one is RIGHT and the other LEFT. BILATERAL and UNSPECIFIED contradict nothing."""
        return {self, other} == {Laterality.RIGHT, Laterality.LEFT}


class Section(StrEnum):
    """Part of a radiology report; LEAD is text before any heading."""

    LEAD = "LEAD"
    INDICATION = "INDICATION"
    TECHNIQUE = "TECHNIQUE"
    COMPARISON = "COMPARISON"
    FINDINGS = "FINDINGS"
    IMPRESSION = "IMPRESSION"
    RECOMMENDATION = "RECOMMENDATION"
    ADDENDUM = "ADDENDUM"
    SIGNATURE = "SIGNATURE"


class Temporality(StrEnum):
    """Relation of a stated finding to time."""

    CURRENT = "CURRENT"
    NEW = "NEW"
    LARGER = "LARGER"
    STABLE = "STABLE"
    SMALLER = "SMALLER"
    RESOLVED = "RESOLVED"
    REMOVED = "REMOVED"
    CHRONIC = "CHRONIC"
    HISTORICAL = "HISTORICAL"


class Experiencer(StrEnum):
    """Whose finding it is: "mother had breast cancer" is not the patient's."""

    PATIENT = "PATIENT"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Half-open range [start, end) of character offsets into the report text as received."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRegion:
    """An axis-parallel box on one frame of one stored image, in its pixels as stored (before any rotation).

    Columns run right, rows down, both from 0 at the outer corner of the first pixel; the box is half-open.
    """

    sop_instance_uid: str
    frame: int = 0
    column_min: float
    row_min: float
    column_max: float
    row_max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """Evidence per cell of a coarse grid laid over `region`; values in [0, 1], rows from top to bottom."""

    region: ImageRegion
    values: tuple[tuple[float, ...], ...]
    quarter_turns: int = 0  # counter-clockwise, 0 to 3, that bring the stored image upright


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserverIdentity:
    """Identity of the software that made an observation, exactly enough to reproduce it."""

    name: str
    version: str
    sha256: str = ""  # of the rules or of the network; empty where there is no such file


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One reader's statement about one finding."""

    finding: str  # id in the finding vocabulary
    presence: Presence
    laterality: Laterality = Laterality.UNSPECIFIED


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportObservation(Observation):
    """Statement of the first reader's report about one finding at one place of the text."""

    certainty: float  # 0 = denied, 1 = stated as a fact; hedges lie between
    span: Span  # the words that name the finding
    sentence: Span  # the sentence around them
    section: Section
    temporality: Temporality = Temporality.CURRENT
    experiencer: Experiencer = Experiencer.PATIENT
    zones: tuple[str, ...] = ()  # such as "lower lobe", "apical", "costophrenic"
    severity: str | None = None
    count: int | None = None  # 1 for "a nodule", None where the text does not tell
    size_mm: tuple[float, ...] = ()  # each stated dimension
    tip: str | None = None  # where the tip of a device is, such as "superior vena cava"
    rules: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({})
    )  # attribute -> id of its rule


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorObservation(Observation):
    """Statement of a detector about one finding on one study; `presence` is at the operating point in use."""

    score: float  # raw output of the network, in [0, 1]
    probability: float  # calibrated on the cohort that the manifest names, in [0, 1]
    prevalence: float | None = None  # share of that cohort with the finding, in (0, 1); None where unknown
    sop_instance_uid: str  # the image that supports the statement most
    regions: tuple[ImageRegion, ...] = ()
    heat_map: HeatMap | None = None
    size_mm: tuple[float, ...] = ()  # each measured dimension; the box of a heat map is no measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """Recommendation of the first reader, such as a follow-up examination."""

    action: str  # such as "CT", "follow-up", "clinical correlation"
    within_days: float | None  # latest time stated; None where the text names none
    span: Span  # the words that ask
    sentence: Span
    section: Section
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Communication:
    """A statement that a result was told to somebody; names nobody, the span leads to the words."""

    time_of_day: str | None  # HH:MM as stated, None where the text names none
    span: Span
    sentence: Span
    section: Section
    rule: str


class ContradictionKind(StrEnum):
    """In what a report contradicts itself, or its patient."""

    PRESENCE = "PRESENCE"
    SIDE = "SIDE"
    SIZE = "SIZE"
    OMISSION = "OMISSION"  # a critical finding of the body that the impression leaves out
    SEX = "SEX"
    AGE = "AGE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Two places of one report that cannot both be true, or one that contradicts the patient's sex or age."""

    kind: ContradictionKind
    subject: str  # id of the finding, or the word that contradicts sex or age
    first: Span
    second: Span | None  # None where the patient's data is the other half, and for what the impression lacks
    reason: str  # in words, without text of the report


class ContextKind(StrEnum):
    """Kind of information about patient and study that a report gives besides findings."""

    SYMPTOM = "SYMPTOM"
    KNOWN_CANCER = "KNOWN_CANCER"
    KNOWN_DISEASE = "KNOWN_DISEASE"
    OPERATION = "OPERATION"
    TRAUMA = "TRAUMA"
    DEVICE = "DEVICE"
    COMPARISON_DATE = "COMPARISON_DATE"
    NO_COMPARISON = "NO_COMPARISON"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextItem:
    """One thing that indication, history or comparison state; never a finding."""

    kind: ContextKind
    value: str  # the thing in the rules' words, or a date as written
    presence: Presence
    span: Span
    section: Section
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportReading:
    """Everything that a report reader found in one report."""

    observer: ObserverIdentity
    observations: tuple[ReportObservation, ...]
    sections: tuple[tuple[Section, Span], ...] = ()
    recommendations: tuple[Recommendation, ...] = ()
    communications: tuple[Communication, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    context: tuple[ContextItem, ...] = ()
    # Share of the characters outside headings that were taken for findings or impression, in [0, 1]. None
    # where no text was read (mined labels), and in readings that were stored before it was counted.
    text_read_share: float | None = None
    # Observations, recommendations, communications and context beyond the most that a reading holds.
    statements_left_out: int = 0

    @property
    def is_unread(self) -> bool:
        """Whether nothing was read in a text: no finding was stated, none was denied.

        Such a report is no normal one; it may be in another language, or under headings that nobody knows.
        """
        return self.text_read_share is not None and not self.observations


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """Everything that one detector found on one study.

    A study that the model is not meant for carries a reason in `not_applicable` and no observation, never a
    score.
    """

    detector: ObserverIdentity
    operating_point: str
    observations: tuple[DetectorObservation, ...] = ()
    not_applicable: str | None = None  # why the model must not be used here, in words
    remarks: tuple[str, ...] = ()  # what was skipped or corrected, in words
    # Share of the images that the detector knows, in [0, 1], which look less unusual to it than this study's
    # most unusual one: 0.99 is rare, 1 is beyond them all. None where the detector does not say.
    out_of_distribution: float | None = None
