"""The worklist, one case, and counts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request

from overread.case import CaseState
from overread.observation import Detection, ReportReading
from overread.triage import TriageResult
from service.intake.closing import close_study
from service.store.order import Selection
from service.store.quarantine import WAITING, count_quarantine
from service.store.queue import retry_case
from service.store.records import (
    CaseDetail,
    CaseSummary,
    EventRecord,
    ReportVersion,
    TriageRecord,
    WorklistPage,
)
from service.store.worklist import count_cases, find_case, list_worklist, load_case
from service.triage.reconsideration import restore_finding
from service.web.context import UID_PATTERN, Context, sender

router = APIRouter(prefix="/api/v1", tags=["cases"])

LISTED = (CaseState.LISTED,)
StudyUid = Annotated[str, Path(pattern=UID_PATTERN)]
CaseNumber = Annotated[int, Path(ge=1, le=2**63 - 1, description="Number of the case")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLine:
    """One stored image of a case."""

    sop_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    modality: str | None
    sha256: str
    size_bytes: int
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TriageReply:
    """What triage concluded, from what, and what made it: enough to reproduce it."""

    revision: int
    report_version: int  # the version of the report that the character spans refer to
    instances_sha256: str
    result: TriageResult
    reading: ReportReading
    detections: tuple[Detection, ...]
    worker: str
    triaged_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseReply:
    """Everything about one case but the pixels and who the patient is."""

    summary: CaseSummary
    images: tuple[ImageLine, ...]
    reports: tuple[ReportVersion, ...]  # every version, oldest first
    triage: TriageReply | None  # the latest; None before the first
    events: tuple[EventRecord, ...]  # oldest first


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyClosed:
    """The case of a study whose images count as complete."""

    case_id: int
    state: CaseState


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many cases are in each state, and how much of what was refused waits for a person."""

    cases: dict[CaseState, int]
    quarantine: int


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
    selection: Annotated[Selection, Depends(selected)],
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    after: Annotated[str | None, Query(max_length=400, description="`next` of the page before")] = None,
) -> WorklistPage:
    """Return what stands above the line, the late ones first, then the rest by falling priority."""
    return list_worklist(context.store, selection, now=context.clock(), limit=limit, after=after)


@router.get("/cases/{case_id}", summary="One case with findings, spans, reasons, provenance and events")
def case(context: Context, case_id: CaseNumber) -> CaseReply:
    """Return everything about a case; spans are half-open character ranges of the triaged report version."""
    return case_reply(load_case(context.store, case_id))


@router.get("/studies/{study_instance_uid}/case", summary="The case of a study")
def case_of_study(context: Context, study_instance_uid: StudyUid) -> CaseReply:
    """Return the case of a study."""
    return case_reply(load_case(context.store, find_case(context.store, study_instance_uid)))


@router.post("/cases/{case_id}/retry", summary="Triage a failed case again")
def retry(context: Context, case_id: CaseNumber, request: Request) -> CaseReply:
    """Put a FAILED case back in the queue, after its cause was mended."""
    retry_case(context.store, case_id, actor=sender(request, "HTTP"), now=context.clock())
    return case_reply(load_case(context.store, case_id))


@router.post(
    "/cases/{case_id}/known-before/{finding}/restore", summary="Bring back what an earlier report knew"
)
def restore(
    context: Context,
    case_id: CaseNumber,
    finding: Annotated[str, Path(max_length=100, description="Id of the finding")],
    request: Request,
) -> CaseReply:
    """Weigh the case again with a finding that was set aside as known before; an event records who asked."""
    restore_finding(context.store, case_id, finding, actor=sender(request, "HTTP"), now=context.clock())
    return case_reply(load_case(context.store, case_id))


@router.post("/studies/{study_instance_uid}/close", summary="All images of the study have been sent")
def close(context: Context, study_instance_uid: StudyUid) -> StudyClosed:
    """Close a study at once, instead of waiting until no image has come for the quiet period."""
    state = close_study(context.store, study_instance_uid, now=context.clock())
    return StudyClosed(case_id=find_case(context.store, study_instance_uid), state=state)


@router.get("/counts", summary="How many cases are in each state")
def counts(context: Context) -> Counts:
    """Return the counts; states without a case count 0."""
    return Counts(cases=count_cases(context.store), quarantine=count_quarantine(context.store, WAITING))


def case_reply(detail: CaseDetail) -> CaseReply:
    """Return what the API tells of a case: neither the patient's identity nor where files lie."""
    images = tuple(
        ImageLine(
            sop_instance_uid=instance.sop_instance_uid,
            series_instance_uid=instance.series_instance_uid,
            sop_class_uid=instance.sop_class_uid,
            transfer_syntax_uid=instance.transfer_syntax_uid,
            modality=instance.modality,
            sha256=instance.sha256,
            size_bytes=instance.size_bytes,
            received_at=instance.received_at,
        )
        for instance in detail.instances
    )
    return CaseReply(
        summary=detail.summary,
        images=images,
        reports=detail.reports,
        triage=None if detail.triage is None else _triage_reply(detail.triage),
        events=detail.events,
    )


def _triage_reply(record: TriageRecord) -> TriageReply:
    return TriageReply(
        revision=record.revision,
        report_version=record.report_version,
        instances_sha256=record.instances_sha256,
        result=record.result,
        reading=record.reading,
        detections=record.detections,
        worker=record.worker,
        triaged_at=record.triaged_at,
    )
