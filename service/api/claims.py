"""Who reads which case: claim, renew, release, take over, assign."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, status
from pydantic import AliasPath, BaseModel, ConfigDict, Field

from service.adjudication import claiming
from service.adjudication.claiming import ASSIGNED_MAX, Claimant
from service.api.triage_types import Answer
from service.store.reading_claims import find_claim
from service.web.context import Context, Recognised

router = APIRouter(prefix="/api/v1", tags=["second read"])

CaseNumber = Annotated[int, Path(ge=1, le=2**63 - 1, description="Number of the case")]


class Claim(Answer):
    """A case that a second reader has taken up."""

    case_id: int
    holder: str = Field(validation_alias=AliasPath("holder", "display_name"), description="Who has it")
    holder_identifier: str = Field(
        validation_alias=AliasPath("holder", "identifier"), description="Tells readers apart"
    )
    claimed_at: datetime
    held_until: datetime = Field(description="Nobody's from then on, unless it is renewed")
    assigned_by: str | None = Field(description="Who gave it to the holder; null where the holder took it")


class ClaimReply(Answer):
    """Who has a case."""

    claim: Claim | None = Field(description="null where nobody has it")


class AssignmentRequest(BaseModel):
    """Cases for a reader."""

    model_config = ConfigDict(extra="forbid")

    cases: Annotated[
        list[Annotated[int, Field(ge=1, le=2**63 - 1)]], Field(min_length=1, max_length=ASSIGNED_MAX)
    ]
    reader: str = Field(max_length=200, description="Name with which the reader signs in")
    take_over: bool = Field(default=False, description="Take cases from other readers who have them")


class Assignment(Answer):
    """What became of one case that was to be assigned."""

    case_id: int
    claim: Claim | None
    why_not: str | None


class AssignmentReply(Answer):
    """What became of each case, in the order in which they were given."""

    assignments: tuple[Assignment, ...]


def _claimant_of(context: Context, identity: Recognised) -> Claimant:
    return Claimant(identity=identity, rules=context.second_read, now=context.clock())


Asking = Annotated[Claimant, Depends(_claimant_of)]


@router.get("/cases/{case_id}/claim", summary="Who reads a case")
def claim_of_case(context: Context, case_id: CaseNumber) -> ClaimReply:
    """Return who has taken a case up for a second read."""
    found = find_claim(context.store, case_id, now=context.clock())
    return ClaimReply(claim=None if found is None else Claim.model_validate(found))


@router.post("/cases/{case_id}/claim", summary="Take a case up for a second read")
def claim(context: Context, case_id: CaseNumber, asking: Asking) -> Claim:
    """Claim a case; 409 with the name of the other reader where one has it."""
    return Claim.model_validate(claiming.claim(context.store, case_id, asking))


@router.post("/cases/{case_id}/claim/renew", summary="Go on reading a case")
def renew(context: Context, case_id: CaseNumber, asking: Asking) -> Claim:
    """Let one's own claim run on; 409 where another reader has the case by now."""
    return Claim.model_validate(claiming.renew(context.store, case_id, asking))


@router.post("/cases/{case_id}/claim/take-over", summary="Take a case from its reader")
def take_over(context: Context, case_id: CaseNumber, asking: Asking) -> Claim:
    """Claim a case whoever has it, as far as the rules of the site allow."""
    return Claim.model_validate(claiming.take_over(context.store, case_id, asking))


@router.post(
    "/cases/{case_id}/claim/release",
    summary="Put a case back on the list",
    status_code=status.HTTP_204_NO_CONTENT,
)
def release(context: Context, case_id: CaseNumber, asking: Asking) -> None:
    """Let anybody claim the case; a coordinator may do so whoever has it."""
    claiming.release(context.store, case_id, asking)


@router.post("/assignments", summary="Give cases to a reader")
def assign(context: Context, request: AssignmentRequest, asking: Asking) -> AssignmentReply:
    """Assign cases; each that another reader has, or that waits for nobody, is left as it is and named."""
    made = claiming.assign(context.store, request.cases, request.reader, asking, may_take=request.take_over)
    return AssignmentReply(assignments=tuple(Assignment.model_validate(one) for one in made))
