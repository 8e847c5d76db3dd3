"""The worklist, one case, and counts."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from overread.case import CaseState
from service.adjudication.blinding import as_seen, page_as_seen, require_open, selection_as_seen
from service.api import types
from service.intake.closing import close_study
from service.security.identity import Identity
from service.store.order import Selection
from service.store.quarantine import WAITING, count_quarantine
from service.store.queue import retry_case
from service.store.worklist import count_cases, find_case, list_worklist, load_case
from service.triage.reconsideration import restore_finding
from service.web.context import UID_PATTERN, Context, Recognised, ServerContext

router = APIRouter(prefix="/api/v1", tags=["cases"])

LISTED = (CaseState.LISTED,)
StudyUid = Annotated[str, Path(pattern=UID_PATTERN)]
CaseNumber = Annotated[int, Path(ge=1, le=2**63 - 1, description="Number of the case")]


def selected(
    state: Annotated[
        list[CaseState] | None, Query(description="May be given several times; default: LISTED")
    ] = None,
    subspecialty: Annotated[
        str | None, Query(max_length=64, description="Its own cases first; others' only when they waited")
    ] = None,
    share: Annotated[
        float | None,
        Query(gt=0, le=1, description="Of the triaged cases, above the line; default: as the policy has it"),
    ] = None,
    above_line: Annotated[
        bool | None, Query(description="Only what stands above the line, or only what does not")
    ] = None,
) -> Selection:
    """Return which cases are asked for."""
    return Selection(states=state or LISTED, subspecialty=subspecialty, share=share, above_line=above_line)


@router.get("/worklist", summary="Cases in the order in which a second look helps most")
def worklist(
    context: Context,
    identity: Recognised,
    selection: Annotated[Selection, Depends(selected)],
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    after: Annotated[str | None, Query(max_length=400, description="`next` of the page before")] = None,
) -> types.WorklistPage:
    """Return what stands above the line, the late ones first, then the rest by falling priority."""
    selection = selection_as_seen(context.store, selection, identity)
    page = list_worklist(context.store, selection, now=context.clock(), limit=limit, after=after)
    return types.WorklistPage.model_validate(page_as_seen(context.store, page, identity))


@router.get("/cases/{case_id}", summary="One case with findings, spans, reasons, provenance and events")
def case(context: Context, case_id: CaseNumber, identity: Recognised) -> types.CaseReply:
    """Return everything about a case; spans are half-open character ranges of the triaged report version.

    A second reader who has to commit an own read first is told neither report nor result.
    """
    return _case(context, case_id, identity)


@router.get("/studies/{study_instance_uid}/case", summary="The case of a study")
def case_of_study(context: Context, study_instance_uid: StudyUid, identity: Recognised) -> types.CaseReply:
    """Return the case of a study."""
    return _case(context, find_case(context.store, study_instance_uid), identity)


@router.post("/cases/{case_id}/retry", summary="Triage a failed case again")
def retry(context: Context, case_id: CaseNumber, identity: Recognised) -> types.CaseReply:
    """Put a FAILED case back in the queue, after its cause was corrected."""
    retry_case(context.store, case_id, actor=identity.actor, now=context.clock())
    return _case(context, case_id, identity)


@router.post(
    "/cases/{case_id}/known-before/{finding}/restore", summary="Bring back what an earlier report knew"
)
def restore(
    context: Context,
    case_id: CaseNumber,
    finding: Annotated[str, Path(max_length=100, description="Id of the finding")],
    identity: Recognised,
) -> types.CaseReply:
    """Weigh the case again with a finding that was set aside as known before; an event records who asked."""
    require_open(context.store, case_id, identity)
    restore_finding(context.store, case_id, finding, actor=identity.actor, now=context.clock())
    return _case(context, case_id, identity)


@router.post("/studies/{study_instance_uid}/close", summary="All images of the study have been sent")
def close(context: Context, study_instance_uid: StudyUid) -> types.StudyClosed:
    """Close a study at once, instead of waiting until no image has come for the quiet period."""
    state = close_study(context.store, study_instance_uid, now=context.clock())
    return types.StudyClosed(case_id=find_case(context.store, study_instance_uid), state=state)


@router.get("/counts", summary="How many cases are in each state")
def counts(context: Context) -> types.Counts:
    """Return the counts; states without a case count 0."""
    return types.Counts(cases=count_cases(context.store), quarantine=count_quarantine(context.store, WAITING))


def _case(context: ServerContext, case_id: int, identity: Identity) -> types.CaseReply:
    """Return what the API tells of a case: neither the patient's identity nor where files lie."""
    seen = as_seen(context.store, load_case(context.store, case_id), identity)
    return types.CaseReply.model_validate(seen.detail)
