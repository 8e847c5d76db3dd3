"""The application that is mounted into the BentoML service: API and pages."""

from collections.abc import Callable, Sequence
from functools import partial

from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from overread.errors import OverreadError
from service.api import (
    cases,
    claims,
    fhir,
    fhir_results,
    frames,
    images,
    quarantine,
    reports,
    second_reads,
    triage,
    workers,
)
from service.desk import (
    accountpages,
    authorpages,
    claimpages,
    judgingpages,
    judgingsummary,
    listpages,
    pages,
    peoplepages,
    providerpages,
    quarantinepages,
    queuepages,
    resultpages,
)
from service.desk.feed import ListFeed
from service.pictures.room import PictureRoom
from service.web import docs_page, health, openapi
from service.web.access_log import STATIC_ADDRESS
from service.web.archive_threads import ArchiveThreads
from service.web.bare import OpenContext, bare_app
from service.web.narrative_turns import NarrativeTurns
from service.web.settings import WebSettings

_ROOMS = (
    reports,
    fhir,
    fhir_results,
    cases,
    claims,
    second_reads,
    images,
    frames,
    triage,
    quarantine,
    workers,
    health,
)

DESCRIPTION = """\
Finds, among studies that have already been reported, the few where the report and the image most likely
disagree, and orders them for a second reader. Second look only: not for primary diagnosis.

Errors are problem details (RFC 9457). They never repeat what was sent.
"""


def make_app(
    open_context: OpenContext,
    further_documents: Callable[[], Sequence[openapi.Document]],
    web: WebSettings | None = None,
) -> FastAPI:
    """Return API and pages, to be mounted into the BentoML service.

    Args:
        open_context: opens what the handlers work with.
        further_documents: OpenAPI documents of what answers beside this application.
        web: its threads and limits; None for the defaults.
    """
    web = web or WebSettings()
    threads = ArchiveThreads(web)
    app = bare_app(
        open_context,
        title="overread",
        description=DESCRIPTION,
        open_pictures=partial(PictureRoom, web, threads),
    )
    app.state.archive_threads = threads
    app.state.feed = ListFeed(connections_max=web.live_pages_max)
    app.state.narratives = NarrativeTurns(web)
    app.state.web = web
    for room in _ROOMS:
        app.include_router(room.router)
    app.include_router(second_reads.shares)
    app.state.triage_limiter = CapacityLimiter(1)  # a detector need not be fit for several threads
    openapi.publish(app, further_documents)
    app.include_router(docs_page.router)
    app.include_router(pages.router)
    app.include_router(judgingpages.router)
    app.include_router(judgingsummary.router)
    app.include_router(authorpages.router)
    app.include_router(listpages.router)
    app.include_router(queuepages.router)
    app.include_router(claimpages.router)
    app.include_router(quarantinepages.router)
    app.include_router(accountpages.router)
    app.include_router(providerpages.router)
    app.include_router(peoplepages.router)
    app.include_router(resultpages.router)
    app.mount(STATIC_ADDRESS, StaticFiles(directory=pages.STATIC_FOLDER), name="static")
    app.add_exception_handler(HTTPException, pages.answer_http_exception)
    app.add_exception_handler(OverreadError, pages.answer_overread_error)
    app.add_exception_handler(RequestValidationError, pages.answer_validation_error)
    app.add_exception_handler(Exception, pages.answer_unexpected)
    return app
