"""Second reads in the JSON of the API: what is sent, and what is answered.

Types of their own, so that clients see a change only where one is meant.
"""

import math
from datetime import datetime
from typing import Annotated

from pydantic import AliasPath, BaseModel, ConfigDict, Field, field_validator

from overread.case import CaseState
from overread.discrepancy import DiscrepancyKind
from overread.finding import Actionable
from overread.observation import ImageRegion as DomainRegion
from overread.observation import Laterality
from overread.second_read import (
    TEXT_MAX,
    AddedFinding,
    FlagVerdict,
    Judgement,
    OwnRead,
    Radpeer,
    RejectionCause,
    StatedFinding,
    Verdict,
)
from service.adjudication.reads import SUBMISSION_MAX
from service.api.triage_types import Answer, ImageRegion
from service.store.second_reads import ReadAct

FindingId = Annotated[str, Field(max_length=100, description="Id in the finding vocabulary")]
Text = Annotated[str, Field(max_length=TEXT_MAX)]


class Body(BaseModel):
    """A part of what is sent; an unknown key is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RegionBody(Body):
    """A half-open box on one frame of a stored image, in its pixels."""

    sop_instance_uid: str = Field(pattern=r"^[0-9.]{1,64}$")
    frame: int = Field(0, ge=0)
    column_min: float = Field(ge=0)
    row_min: float = Field(ge=0)
    column_max: float = Field(gt=0)
    row_max: float = Field(gt=0)


class StatedBody(Body):
    """A finding with side, place and size."""

    finding: FindingId
    laterality: Laterality = Laterality.UNSPECIFIED
    region: RegionBody | None = None
    size_mm: float | None = Field(None, gt=0, le=1000)

    def stated(self) -> StatedFinding:
        """Return the value of the domain."""
        region = None if self.region is None else DomainRegion(**self.region.model_dump())
        return StatedFinding(
            finding=self.finding, laterality=self.laterality, region=region, size_mm=self.size_mm
        )


class VerdictBody(Body):
    """Verdict on one flagged discrepancy."""

    finding: FindingId
    kind: DiscrepancyKind
    verdict: Verdict
    cause: RejectionCause | None = Field(None, description="Of a flag that is not confirmed, and of no other")
    corrected: StatedBody | None = Field(None, description="What it is in truth; null: as it was flagged")


class AddedBody(StatedBody):
    """A discrepancy that nothing flagged."""

    kind: DiscrepancyKind = DiscrepancyKind.POSSIBLE_MISS


class SubmissionBody(Body):
    """What is sent about a case; sent again under the same submission it is recorded once."""

    submission: str = Field(min_length=1, max_length=SUBMISSION_MAX, description="Made up by the sender")


class OwnReadBody(SubmissionBody):
    """Own read, before detector and report are shown; no finding means normal."""

    findings: tuple[StatedBody, ...] = ()
    comment: Text = ""

    def own_read(self) -> OwnRead:
        """Return the value of the domain."""
        return OwnRead(findings=tuple(item.stated() for item in self.findings), comment=self.comment)


class JudgementBody(SubmissionBody):
    """Judgement of one case."""

    revision: int = Field(ge=1, description="`summary.revision` of the case that was looked at")
    verdicts: tuple[VerdictBody, ...] = Field((), description="A flag without one was not looked at")
    added: tuple[AddedBody, ...] = ()
    radpeer: Radpeer | None = Field(None, description="RADPEER score of 2016; null: not scored")
    acr_category: Actionable | None = Field(None, description="ACR Actionable Reporting Work Group, 2014")
    comment: Text = ""
    learning_point: Text = ""
    tells_author: bool = False
    asks_for_addendum: bool = Field(False, description="Of the author, who is told then in any case")

    def judgement(self) -> Judgement:
        """Return the value of the domain."""
        return Judgement(
            verdicts=tuple(
                FlagVerdict(
                    finding=item.finding,
                    kind=item.kind,
                    verdict=item.verdict,
                    cause=item.cause,
                    corrected=None if item.corrected is None else item.corrected.stated(),
                )
                for item in self.verdicts
            ),
            added=tuple(AddedFinding(stated=item.stated(), kind=item.kind) for item in self.added),
            radpeer=self.radpeer,
            acr_category=self.acr_category,
            comment=self.comment,
            learning_point=self.learning_point,
            tells_author=self.tells_author,
            asks_for_addendum=self.asks_for_addendum,
        )


class UndoBody(SubmissionBody):
    """Entry of one's own that is taken back."""

    read_id: int = Field(ge=1)


class Stated(Answer):
    """A finding with side, place and size, as it was stated."""

    finding: str
    laterality: Laterality
    region: ImageRegion | None
    size_mm: float | None


class GivenVerdict(Answer):
    """A verdict on one flagged discrepancy, as it was given."""

    finding: str
    kind: DiscrepancyKind
    verdict: Verdict
    cause: RejectionCause | None
    corrected: Stated | None


class Added(Answer):
    """A discrepancy that nothing flagged, as it was added."""

    stated: Stated
    kind: DiscrepancyKind


class GivenJudgement(Answer):
    """A judgement, as it was given."""

    verdicts: tuple[GivenVerdict, ...]
    added: tuple[Added, ...]
    radpeer: Radpeer | None
    acr_category: Actionable | None
    comment: str
    learning_point: str
    tells_author: bool
    asks_for_addendum: bool


class GivenOwnRead(Answer):
    """An own read, as it was given."""

    findings: tuple[Stated, ...]
    comment: str


class SecondRead(Answer):
    """An act of a second reader."""

    read_id: int
    act: ReadAct
    at: datetime
    revision: int
    reader: str = Field(description="Tells the readers of this case apart; not who they are")
    is_mine: bool
    own_read: GivenOwnRead | None
    judgement: GivenJudgement | None
    undoes: int | None


class SecondReads(Answer):
    """Acts of second readers on a case, as far as whoever asks may know them."""

    case_id: int
    state: CaseState
    reads: tuple[SecondRead, ...] = Field(description="Oldest first")
    disagreements: tuple[str, ...] = Field(description="Between independent readers, in words")


class Recorded(Answer):
    """Acknowledgement: what was sent is durable."""

    read_id: int
    state: CaseState
    is_new: bool = Field(description="False: it was recorded when it was sent before")


class Share(Answer):
    """A share with its count and its interval of 95 % (Wilson)."""

    count: int
    value: float | None = Field(
        validation_alias=AliasPath("estimate", "value"), description="Null of nothing"
    )
    low: float = Field(validation_alias=AliasPath("estimate", "low"))
    high: float = Field(validation_alias=AliasPath("estimate", "high"))

    @field_validator("value", mode="before")
    @classmethod
    def _of_nothing(cls, value: float) -> float | None:
        return None if math.isnan(value) else value


class Summary(Answer):
    """Shares over all cases whose judgement counts."""

    cases: int
    flags: int
    verdicts: dict[Verdict, Share] = Field(description="Of the flags that were judged")
    causes: dict[RejectionCause, Share] = Field(description="Of the flags that were not confirmed")
    radpeer: dict[Radpeer, Share] = Field(description="Of the cases that were scored")
    added: int = Field(description="Discrepancies that nothing had flagged")
    arbitrated: Share = Field(description="Of the cases")
    disagreed: Share = Field(description="Of the cases that two people read independently")
