"""What arrived and could not be used."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from service.http.context import Context
from service.store.quarantine import count_quarantine, list_quarantine
from service.store.records import QuarantineKind

router = APIRouter(prefix="/api/v1", tags=["quarantine"])


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineLine:
    """One refused object or report; its bytes stay in the quarantine folder under their hash."""

    quarantine_id: int
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


@router.get("/quarantine", summary="What arrived and could not be used")
def quarantine(
    context: Context,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> QuarantinePage:
    """Return refused objects and reports with the reason, the latest first."""
    entries = list_quarantine(context.store, limit=limit, offset=offset)
    lines = tuple(
        QuarantineLine(
            quarantine_id=entry.quarantine_id,
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
        for entry in entries
    )
    return QuarantinePage(total=count_quarantine(context.store), entries=lines)
