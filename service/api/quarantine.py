"""Quarantine: objects and reports that could not be used; looked through, corrected, replayed, discarded."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from overread.actor import Actor
from service.api import types
from service.quarantine.contents import read_content
from service.quarantine.replay import replay_entry
from service.store.quarantine import (
    Correction,
    QuarantineFilter,
    case_of,
    count_quarantine,
    discard,
    list_actions,
    list_quarantine,
    load_entry,
)
from service.store.records import QuarantineKind, QuarantineState, ReportStatus
from service.web.context import Context, ServerContext
from service.web.narrative_turns import narratives_of

router = APIRouter(prefix="/api/v1", tags=["quarantine"])

EntryNumber = Annotated[int, Path(ge=1, le=2**63 - 1, description="Number of the entry")]


class Acting(BaseModel):
    """Author of an action."""

    model_config = ConfigDict(extra="forbid")

    actor: str = Field(max_length=200, description="Name of the person who does it")


class Discarding(Acting):
    """Reason why an entry is of no use."""

    because: str = Field(max_length=2000, description="Why, in words without patient data")


class Corrected(Acting):
    """Corrections of an entry. Left out: as it was sent; empty text: taken away."""

    accession_number: str | None = Field(None, max_length=64)
    study_instance_uid: str | None = Field(None, max_length=64)
    patient_id: str | None = Field(None, max_length=64)
    charset: str | None = Field(None, max_length=64, description="Of the report, such as cp1252")
    status: ReportStatus | None = None
    accepts: bool = Field(
        False,
        description="The image belongs to its study although patient or accession number differ, or is what "
        "it says it is; the report counts although a later version has come",
    )


def _wanted(
    kind: QuarantineKind | None = None,
    reason: Annotated[str | None, Query(max_length=64)] = None,
    state: QuarantineState | None = None,
    since: AwareDatetime | None = None,
) -> QuarantineFilter:
    return QuarantineFilter(kind=kind, reason=reason, state=state, since=since)


@router.get("/quarantine", summary="What arrived and could not be used")
def quarantine(
    context: Context,
    wanted: Annotated[QuarantineFilter, Depends(_wanted)],
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> types.QuarantinePage:
    """Return refused objects and reports with the reason, the latest first."""
    entries = list_quarantine(context.store, wanted, limit=limit, offset=offset)
    return types.QuarantinePage(
        total=count_quarantine(context.store, wanted),
        entries=tuple(types.QuarantineLine.model_validate(entry) for entry in entries),
    )


@router.get("/quarantine/{quarantine_id}", summary="One entry, as far as it can be read")
async def entry_of(request: Request, context: Context, quarantine_id: EntryNumber) -> types.EntryReply:
    """Return an entry with its header and what was done with it."""
    return await narratives_of(request).run(lambda: _entry(context, quarantine_id))


def _entry(context: ServerContext, quarantine_id: int) -> types.EntryReply:
    entry = load_entry(context.store, quarantine_id)
    content = read_content(entry, identified=False, with_text=False)
    actions = list_actions(context.store, quarantine_id)
    return types.EntryReply(
        entry=types.QuarantineLine.model_validate(entry),
        form=content.form,
        header={line.name: line.value for line in content.lines},
        broken=content.broken,
        case_id=case_of(context.store, entry),
        actions=tuple(types.ActionLine.model_validate(action) for action in actions),
    )


@router.post("/quarantine/{quarantine_id}/replay", summary="Send an entry through the intake again")
async def replay(
    request: Request, context: Context, quarantine_id: EntryNumber, body: Acting
) -> types.ReplayResult:
    """Try an entry again as it is, such as after a limit was raised; the record says who and how it ended."""
    return await narratives_of(request).run(lambda: _replayed(context, quarantine_id, body.actor, None))


@router.post(
    "/quarantine/{quarantine_id}/correct", summary="Send an entry through the intake again, put right"
)
async def correct(
    request: Request, context: Context, quarantine_id: EntryNumber, body: Corrected
) -> types.ReplayResult:
    """Try an entry again with what was missing or wrong, or with a contradiction accepted."""
    correction = Correction(
        accession_number=body.accession_number,
        study_instance_uid=body.study_instance_uid,
        patient_id=body.patient_id,
        charset=body.charset,
        status=body.status,
        accepts=body.accepts,
    )
    return await narratives_of(request).run(lambda: _replayed(context, quarantine_id, body.actor, correction))


@router.post("/quarantine/{quarantine_id}/discard", summary="Mark an entry as of no use", status_code=204)
def discard_entry(context: Context, quarantine_id: EntryNumber, body: Discarding) -> None:
    """Discard an entry; its bytes stay, and it can still be tried again."""
    discard(
        context.store,
        quarantine_id,
        actor=Actor.unverified(body.actor),
        because=body.because,
        now=context.clock(),
    )


def _replayed(
    context: ServerContext, quarantine_id: int, name: str, correction: Correction | None
) -> types.ReplayResult:
    result = replay_entry(
        context.store,
        quarantine_id,
        actor=Actor.unverified(name),
        now=context.clock(),
        hl7=context.hl7,
        correction=correction,
    )
    return types.ReplayResult.model_validate(result)
