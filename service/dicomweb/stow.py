"""STOW-RS (PS3.18 section 10.5): takes DICOM objects over HTTP, part by part, straight to disk.

It is an application and a process of its own: BentoML's traffic timeout would cut a long upload.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from functools import partial
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, FastAPI, Path, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from service.dicomweb import ohif, qido, wado, wado_pixels
from service.dicomweb.store_part import DICOM, PartsReceiver, TooManyPartsError
from service.dicomweb.store_reply import count_parts, store_reply, store_status
from service.metrics import IntakeProtocol, count_refused
from service.pictures.room import PictureRoom
from service.web import health, openapi
from service.web.access_log import AccessMiddleware
from service.web.addresses import base_url
from service.web.archive_threads import ArchiveThreads, run, threads_of
from service.web.bare import OpenContext, bare_app
from service.web.context import UID_PATTERN, Context, ServerContext, sender
from service.web.errors import RETRY_AFTER_SECONDS, Problem, problem_response
from service.web.guard import Access, GuardMiddleware
from service.web.multipart import FramingError, MultipartSplitter, parse_content_type
from service.web.opening import access_from, context_opener
from service.web.settings import WebSettings

DICOM_JSON = "application/dicom+json"
MULTIPART = "multipart/related"
FEED_BYTES = 1 << 20  # enough for a disk and little enough for many uploads at once
AHEAD_BUFFERS = 4  # of FEED_BYTES, read while earlier ones are written
IDLE_SECONDS = 60.0  # a sender that is silent for so long has gone
DRAIN_BYTES = 32 << 20  # of a broken body, so that its sender gets to read why

_log = structlog.get_logger("overread.stow")
router = APIRouter(tags=["DICOMweb"])

_REPLY: dict[str, Any] = {"content": {DICOM_JSON: {"schema": {"type": "object"}}}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {**_REPLY, "description": "Every part was stored, or had been stored before"},
    202: {**_REPLY, "description": "Some parts were stored; the reply says which failed and why"},
    400: {"description": "The body is not the multipart message that the Content-Type announces"},
    406: {"description": f"Only {DICOM_JSON} can be returned"},
    408: {"description": "The sender fell silent in the middle of the body"},
    409: {**_REPLY, "description": "No part could be stored; the reply says why"},
    415: {"description": f'The body is not {MULTIPART}; type="{DICOM}"'},
    503: {**_REPLY, "description": "Out of resources; send it again after Retry-After seconds"},
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {MULTIPART: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("/studies", summary="Store instances", responses=_RESPONSES, openapi_extra=_BODY)
async def store_instances(request: Request, context: Context) -> Response:
    """Store each part of the body, a DICOM file; answers when all are safely on disk."""
    return await _store(request, context, None)


@router.post(
    "/studies/{study_instance_uid}",
    summary="Store instances of one study",
    responses=_RESPONSES,
    openapi_extra=_BODY,
)
async def store_instances_of_study(
    request: Request, context: Context, study_instance_uid: Annotated[str, Path(pattern=UID_PATTERN)]
) -> Response:
    """Store each part that belongs to the study, and refuse the others."""
    return await _store(request, context, study_instance_uid)


async def _store(request: Request, context: ServerContext, study_instance_uid: str | None) -> Response:
    _require_acceptable(request.headers.get("accept", "*/*"))
    writing = threads_of(request).writing
    parts = PartsReceiver(
        context,
        study_instance_uid=study_instance_uid,
        source=sender(request, "STOW-RS"),
        parts_max=request.app.state.web.stow_parts_max,
    )
    try:
        splitter = MultipartSplitter(_boundary(request), parts.open_part)
    except FramingError as error:
        raise HTTPException(400, str(error)) from error
    try:
        broken = await _receive(request, splitter)
    finally:
        outcomes = await run(writing, parts.close)
    count_parts(outcomes)
    headers = {}
    if isinstance(broken, TooManyPartsError):
        headers["Warning"] = f'299 {request.url.netloc} "{broken}"'
        broken = None
    if broken is not None:
        count_refused(IntakeProtocol.STOW, "FRAMING")
    status = store_status(outcomes, broken_framing=broken is not None)
    stored = sum(outcome.failure_reason is None for outcome in outcomes)
    _log.info("stow", parts=len(outcomes), stored=stored, status=status, framing=str(broken or "whole"))
    if broken is not None and status == 400:
        return problem_response(Problem(status=400, slug="broken-multipart", title=str(broken)))
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return JSONResponse(
        store_reply(outcomes, base_url(request)), status_code=status, media_type=DICOM_JSON, headers=headers
    )


async def _receive(request: Request, splitter: MultipartSplitter) -> FramingError | None:
    """Feed the body to the splitter in a thread; returns what is wrong with its framing, if anything."""
    writing = threads_of(request).writing
    try:
        async with aclosing(_ahead(_buffers(request))) as buffers:
            try:
                async for buffer in buffers:
                    await run(writing, partial(splitter.feed, buffer))
                await run(writing, splitter.close)
            except FramingError as error:
                await _drain(buffers, None if isinstance(error, TooManyPartsError) else DRAIN_BYTES)
                return error
    except TimeoutError:
        raise HTTPException(408, f"the sender was silent for {IDLE_SECONDS:.0f} s") from None
    except ClientDisconnect:
        _log.warning("stow_cut", reason="the sender went away in the middle of the body")
        raise HTTPException(400, "the body ended early") from None
    finally:
        splitter.abandon()  # whatever happened, an unfinished part leaves no file
    return None


async def _buffers(request: Request) -> AsyncIterator[bytes]:
    """Give the body in pieces of about FEED_BYTES."""
    gathered = bytearray()
    stream = request.stream()
    while True:
        async with asyncio.timeout(IDLE_SECONDS):
            chunk = await anext(stream, None)
        if chunk is None:
            break
        gathered += chunk
        if len(gathered) >= FEED_BYTES:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


async def _ahead(buffers: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Give the same pieces, and read AHEAD_BUFFERS further ones while one is worked on."""
    read: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(AHEAD_BUFFERS)

    async def read_on() -> None:
        try:
            async for buffer in buffers:
                await read.put(buffer)
            await read.put(None)
        except (TimeoutError, ClientDisconnect) as error:
            await read.put(error)

    reader = asyncio.create_task(read_on())
    try:
        while (item := await read.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        reader.cancel()


async def _drain(buffers: AsyncIterator[bytes], bytes_max: int | None) -> None:
    """Read past what comes, so that its sender gets to read the answer; None: all of it."""
    drained = 0
    try:
        async for buffer in buffers:
            drained += len(buffer)
            if bytes_max is not None and drained > bytes_max:
                return
    except (TimeoutError, ClientDisconnect):
        return


def _boundary(request: Request) -> str:
    content_type = parse_content_type(request.headers.get("content-type", ""))
    body_type = content_type.parameters.get("type", DICOM).lower()
    if content_type.media_type != MULTIPART or body_type != DICOM:
        raise HTTPException(415, f'send {MULTIPART}; type="{DICOM}"; boundary=...')
    return content_type.parameters.get("boundary", "")


def _require_acceptable(accept: str) -> None:
    """Return if the sender takes our reply; PS3.18 offers XML too, which we do not."""
    offers = {DICOM_JSON, "application/json", "application/*", "*/*"}
    wanted = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    if not wanted & offers:
        raise HTTPException(406, f"only {DICOM_JSON} can be returned")


def make_stow_app(open_context: OpenContext, access: Access, web: WebSettings | None = None) -> FastAPI:
    """Return the application of the intake process.

    Args:
        open_context: opens what the handlers work with.
        access: who may speak to it.
        web: its address as others see it, and its threads; None for the defaults.
    """
    web = web or WebSettings()
    threads = ArchiveThreads(web)
    app = bare_app(
        open_context,
        title="overread DICOMweb intake",
        description="STOW-RS (PS3.18 section 10.5).",
        open_pictures=partial(PictureRoom, web, threads),
    )
    app.include_router(router)
    for archive in (qido.router, wado.router, wado_pixels.router):
        app.include_router(archive)
    app.state.web = web
    app.state.public_url = web.dicomweb_url
    app.state.archive_threads = threads
    app.include_router(health.router)
    app.include_router(ohif.router)
    app.add_middleware(GuardMiddleware, access=access)
    app.add_middleware(AccessMiddleware)  # the last added is the outermost
    return app


def stow_app(environ: Mapping[str, str]) -> FastAPI:
    """Return the application of the intake process."""
    access = access_from(environ)
    return make_stow_app(
        context_opener(environ, access=access, model=None),
        access=access,
        web=WebSettings.read(environ),
    )


def stow_document(environ: Mapping[str, str]) -> openapi.Document:
    """Return the OpenAPI document of the intake process, as seen from the address of the API."""
    document = stow_app(environ).openapi()
    document["paths"] = {
        path: item
        for path, item in document["paths"].items()
        if path.startswith(("/studies", "/series", "/instances"))
    }
    address = WebSettings.read(environ).stow_address
    return openapi.with_server(document, address, "DICOMweb intake, a process of its own")
