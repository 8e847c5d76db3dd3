"""The workers of the installation, on all its machines."""

from dataclasses import dataclass

from fastapi import APIRouter

from service.store.workers import WorkerRecord, alive_workers
from service.web.context import Context

router = APIRouter(prefix="/api/v1", tags=["workers"])


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerList:
    """The workers that live, the one that started first first."""

    workers: tuple[WorkerRecord, ...]


@router.get("/workers", summary="The workers that live, and what each works on")
def workers(context: Context) -> WorkerList:
    """Return every worker that was seen in the last two minutes; one that was stopped is gone at once."""
    return WorkerList(workers=alive_workers(context.store, now=context.clock()))
