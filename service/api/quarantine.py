"""What arrived and could not be used: looked through, mended, sent through the intake again, discarded."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from service.quarantine.contents import read_content
from service.quarantine.replay import ReplayResult, replay_entry
from service.store.quarantine import (
    ActionOutcome,
    Mending,
    QuarantineAction,
    QuarantineFilter,
    case_of,
    count_quarantine,
    discard,
    list_actions,
    list_quarantine,
    load_entry,
)
from service.store.records import QuarantineEntry, QuarantineKind, QuarantineState, ReportStatus
from service.web.context import Context, ServerContext

router = APIRouter(prefix="/api/v1", tags=["quarantine"])

EntryNumber = Annotated[int, Path(ge=1, le=2**63 - 1, description="Number of the entry")]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineLine:
    """One refused object or report; its bytes stay in the quarantine folder under their hash."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinePage:
    """Some refused things, the latest first."""

    total: int
    entries: tuple[QuarantineLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionLine:
    """What a person did with an entry."""

    happened_at: datetime
    action: QuarantineAction
    outcome: ActionOutcome
    actor: str
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryReply:
    """One entry: what could be read of it, without who the patient is, and what was done with it."""

    entry: QuarantineLine
    form: str
    header: dict[str, str]
    broken: str | None  # why no more of the header could be read
    case_id: int | None  # that it became part of
    actions: tuple[ActionLine, ...]  # oldest first


class Acting(BaseModel):
    """Who acts."""

    model_config = ConfigDict(extra="forbid")

    actor: str = Field(max_length=200, description="Name of the person who does it")


class Discarding(Acting):
    """Why an entry is of no use."""

    because: str = Field(max_length=2000, description="Why, in words without patient data")


class Mended(Acting):
    """What is put right. Left out: as it was sent; empty text: taken away."""

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
) -> QuarantinePage:
    """Return refused objects and reports with the reason, the latest first."""
    entries = list_quarantine(context.store, wanted, limit=limit, offset=offset)
    return QuarantinePage(
        total=count_quarantine(context.store, wanted), entries=tuple(_line(entry) for entry in entries)
    )


@router.get("/quarantine/{quarantine_id}", summary="One entry, as far as it can be read")
def entry_of(context: Context, quarantine_id: EntryNumber) -> EntryReply:
    """Return an entry with its header and what was done with it."""
    entry = load_entry(context.store, quarantine_id)
    content = read_content(entry, identified=False, with_text=False)
    return EntryReply(
        entry=_line(entry),
        form=content.form,
        header={line.name: line.value for line in content.lines},
        broken=content.broken,
        case_id=case_of(context.store, entry),
        actions=tuple(
            ActionLine(
                happened_at=action.happened_at,
                action=action.action,
                outcome=action.outcome,
                actor=action.actor,
                detail=action.detail,
            )
            for action in list_actions(context.store, quarantine_id)
        ),
    )


@router.post("/quarantine/{quarantine_id}/replay", summary="Send an entry through the intake again")
def replay(context: Context, quarantine_id: EntryNumber, body: Acting) -> ReplayResult:
    """Try an entry again as it is, such as after a limit was raised; the record says who and how it ended."""
    return _replayed(context, quarantine_id, body.actor, None)


@router.post("/quarantine/{quarantine_id}/mend", summary="Send an entry through the intake again, put right")
def mend(context: Context, quarantine_id: EntryNumber, body: Mended) -> ReplayResult:
    """Try an entry again with what was missing or wrong, or with a contradiction accepted."""
    mending = Mending(
        accession_number=body.accession_number,
        study_instance_uid=body.study_instance_uid,
        patient_id=body.patient_id,
        charset=body.charset,
        status=body.status,
        accepts=body.accepts,
    )
    return _replayed(context, quarantine_id, body.actor, mending)


@router.post("/quarantine/{quarantine_id}/discard", summary="Mark an entry as of no use", status_code=204)
def discard_entry(context: Context, quarantine_id: EntryNumber, body: Discarding) -> None:
    """Discard an entry; its bytes stay, and it can still be tried again."""
    discard(context.store, quarantine_id, actor=body.actor, because=body.because, now=context.clock())


def _replayed(
    context: ServerContext, quarantine_id: int, actor: str, mending: Mending | None
) -> ReplayResult:
    return replay_entry(
        context.store, quarantine_id, actor=actor, now=context.clock(), hl7=context.hl7, mending=mending
    )


def _line(entry: QuarantineEntry) -> QuarantineLine:
    return QuarantineLine(
        quarantine_id=entry.quarantine_id,
        state=entry.state,
        kind=entry.kind,
        reason=entry.reason,
        detail=entry.detail,
        source=entry.source,
        received_at=entry.received_at,
        sha256=entry.sha256,
        size_bytes=entry.size_bytes,
        study_instance_uid=entry.study_instance_uid,
        sop_instance_uid=entry.sop_instance_uid,
        accession_number=entry.accession_number,
    )
