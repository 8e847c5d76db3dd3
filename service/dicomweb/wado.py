"""WADO-RS (PS3.18 section 10.4): gives stored objects, their metadata and their bulk data."""

import json
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response, StreamingResponse
from pydicom.uid import UID, ExplicitVRLittleEndian
from starlette.exceptions import HTTPException

from overread.errors import InputError, NotFoundError, RemovedError
from service.adjudication.blinding import records_as_seen
from service.dicomweb.dicom_json import DicomJson, find_bulk, read_json
from service.dicomweb.qido import DICOM_JSON, OFFERS
from service.dicomweb.related import Part, RelatedBody, file_pieces
from service.dicomweb.transcoding import READABLE, transcoded
from service.pictures.room import room_of
from service.store.archive import instances_within
from service.store.records import InstanceRecord
from service.web.addresses import base_url, instance_address
from service.web.archive_threads import run, stream, threads_of
from service.web.closing_response import BegunPieces, ClosingResponse
from service.web.context import Context, ServerContext, recognised_or_none
from service.web.negotiation import Offer, accepted, choose, require

DICOM = "application/dicom"
OCTETS = "application/octet-stream"
PIXEL_DATA = "7FE00010"
PARTIAL = 206  # some of the objects were removed by retention
_PLACE = re.compile(r"[0-9A-F]{8}(\.[0-9]{1,7}\.[0-9A-F]{8}){0,32}")

_log = structlog.get_logger("overread.dicomweb")
router = APIRouter(tags=["DICOMweb"])

_STUDY = "/studies/{study}"
_SERIES = f"{_STUDY}/series/{{series}}"
INSTANCE = f"{_SERIES}/instances/{{instance}}"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
REFUSALS: dict[int | str, dict[str, Any]] = {
    404: {"description": "The store holds no such thing"},
    406: {"description": "Nothing that is accepted can be sent; the answer says what can"},
    410: {"description": "Its pixels were removed by retention; the answer says when"},
    413: {"description": "Decoding it takes more memory or time than a picture may"},
    503: {
        "description": "Too many requests wait for pixels to be decoded; the answer says when to come again"
    },
}
_OBJECTS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {f'multipart/related; type="{DICOM}"': _BINARY},
        "description": "The objects, a part each",
    },
    206: {"description": "Those objects whose pixels retention has not removed"},
    **REFUSALS,
}
_METADATA: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {DICOM_JSON: {"schema": {"type": "array", "items": {"type": "object"}}}},
        "description": "The data sets, with the address of what is too long for them",
    },
    206: {"description": "Those of the objects whose pixels retention has not removed"},
    **REFUSALS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceAddress:
    """The UIDs of an address."""

    study: str
    series: str
    instance: str


Address = Annotated[InstanceAddress, Depends(InstanceAddress)]


@router.get(_STUDY, summary="Retrieve a study", responses=_OBJECTS)
async def study(request: Request, context: Context, study: str) -> Response:
    """Return every object of the study, as received or as Explicit VR Little Endian."""
    return await _retrieve(request, await _found(request, context, study))


@router.get(_SERIES, summary="Retrieve a series", responses=_OBJECTS)
async def series(request: Request, context: Context, study: str, series: str) -> Response:
    """Return every object of the series, as received or as Explicit VR Little Endian."""
    return await _retrieve(request, await _found(request, context, study, series))


@router.get(INSTANCE, summary="Retrieve an instance", responses=_OBJECTS)
async def instance(request: Request, context: Context, address: Address) -> Response:
    """Return the object, as received or as Explicit VR Little Endian."""
    return await _retrieve(request, [await found_instance(request, context, address)])


@router.get(f"{_STUDY}/metadata", summary="Metadata of a study", responses=_METADATA)
async def study_metadata(request: Request, context: Context, study: str) -> Response:
    """Return the data sets of the study without what is too long."""
    return await _metadata(request, await _found(request, context, study))


@router.get(f"{_SERIES}/metadata", summary="Metadata of a series", responses=_METADATA)
async def series_metadata(request: Request, context: Context, study: str, series: str) -> Response:
    """Return the data sets of the series without what is too long."""
    return await _metadata(request, await _found(request, context, study, series))


@router.get(f"{INSTANCE}/metadata", summary="Metadata of an instance", responses=_METADATA)
async def instance_metadata(request: Request, context: Context, address: Address) -> Response:
    """Return the data set of the instance without what is too long."""
    return await _metadata(request, [await found_instance(request, context, address)])


@router.get(
    f"{INSTANCE}/bulkdata/{{place}}",
    summary="A long value",
    responses={200: {"content": {OCTETS: _BINARY}, "description": "The value"}, **REFUSALS},
)
async def bulk(request: Request, context: Context, address: Address, place: str) -> Response:
    """Return the value at a place that the metadata gave as Bulk Data URI."""
    record = await found_instance(request, context, address)
    offers = (Offer(media_type=OCTETS, multipart=True), Offer(media_type=OCTETS))
    offer = require(accepted(request), offers)
    reading = threads_of(request).reading
    path = await run(reading, lambda: record.path)
    known = _PLACE.fullmatch(place.upper()) is not None
    value = await run(reading, lambda: find_bulk(path, place.upper())) if known else None
    if value is None:
        raise NotFoundError(f"instance {address.instance} has no such value before its pixel data")
    if value.content is not None:
        pieces, size = iter((value.content,)), len(value.content)
    else:
        pieces, size = file_pieces(path, value.start, value.end), value.end - value.start
    content = stream(reading, pieces)
    if not offer.multipart:
        return StreamingResponse(content, media_type=OCTETS, headers={"Content-Length": str(size)})
    location = f"{address_of(request, record)}/bulkdata/{place}"
    part = Part(media_type=OCTETS, location=location, content=content, size_bytes=size)
    return await related(RelatedBody(OCTETS, [part]))


async def found_instance(
    request: Request, context: ServerContext, address: InstanceAddress
) -> InstanceRecord:
    """Return the instance at an address.

    Raises:
        NotFoundError: the store does not hold it.
    """
    uids = (address.study, address.series, address.instance)
    return (await _found(request, context, *uids))[0]


async def _found(request: Request, context: ServerContext, *uids: str) -> list[InstanceRecord]:
    identity = recognised_or_none(request)
    return await run(
        threads_of(request).reading,
        lambda: records_as_seen(context.store, instances_within(context.store, *uids), identity),
    )


def address_of(request: Request, record: InstanceRecord) -> str:
    """Return where an instance is retrieved."""
    return instance_address(
        base_url(request),
        record.study_instance_uid,
        record.series_instance_uid,
        record.sop_instance_uid,
    )


async def related(body: RelatedBody, *, complete: bool = True) -> Response:
    """Return the answer that sends a body, of which the beginning has been made, so that an error shows."""
    pieces = await BegunPieces(body.pieces()).begin(2)  # the head of the first part, and its beginning
    headers = {} if body.size_bytes is None else {"Content-Length": str(body.size_bytes)}
    return ClosingResponse(
        pieces, status_code=200 if complete else PARTIAL, media_type=body.content_type, headers=headers
    )


def _kept(records: Sequence[InstanceRecord]) -> list[InstanceRecord]:
    """Return those whose bytes retention did not remove.

    Raises:
        RemovedError: it removed those of all.
    """
    kept = [record for record in records if record.removal is None]
    if not kept:
        raise RemovedError(records[0].removal or "")
    return kept


async def _retrieve(request: Request, every: Sequence[InstanceRecord]) -> Response:
    ranges, records = accepted(request), _kept(every)
    chosen = [(record, choose(ranges, _offers(record, single=len(records) == 1))) for record in records]
    refused = [record for record, offer in chosen if offer is None]
    if refused:
        stored = ", ".join(sorted({UID(record.transfer_syntax_uid).name for record in refused}))
        raise HTTPException(
            406,
            f"{len(refused)} of {len(records)} objects cannot be sent as accepted: they are stored as "
            f'{stored}; accept multipart/related; type="{DICOM}"; transfer-syntax=*',
        )
    offers = [(record, offer) for record, offer in chosen if offer is not None]
    if not offers[0][1].multipart:
        content = await BegunPieces(_content(request, *offers[0])).begin(1)
        return ClosingResponse(content, media_type=DICOM)
    parts = [
        Part(
            media_type=f"{DICOM}; transfer-syntax={offer.transfer_syntax}",
            location=address_of(request, record),
            content=_content(request, record, offer, under_way=number > 0),
            size_bytes=record.size_bytes if offer.transfer_syntax == record.transfer_syntax_uid else None,
        )
        for number, (record, offer) in enumerate(offers)
    ]
    return await related(RelatedBody(DICOM, parts), complete=len(records) == len(every))


def _offers(record: InstanceRecord, *, single: bool) -> list[Offer]:
    """Return how an object can be sent: as it is, or as what every reader reads."""
    forms = [True, False] if single else [True]
    stored = record.transfer_syntax_uid
    offers = [Offer(media_type=DICOM, multipart=form, transfer_syntax=stored) for form in forms]
    if stored != ExplicitVRLittleEndian and stored in READABLE:
        offers += [
            Offer(
                media_type=DICOM,
                multipart=form,
                transfer_syntax=str(ExplicitVRLittleEndian),
                default=False,
            )
            for form in forms
        ]
    return offers


async def _content(
    request: Request, record: InstanceRecord, offer: Offer, *, under_way: bool = False
) -> AsyncGenerator[bytes]:
    """Yield the object; its file is fetched when its turn comes."""
    reading = threads_of(request).reading
    if offer.transfer_syntax == record.transfer_syntax_uid:
        path = await run(reading, lambda: record.path)
        content = stream(reading, file_pieces(path))
    else:
        content = transcoded(room_of(request), reading, record, under_way=under_way)
    async with aclosing(content) as pieces:
        async for piece in pieces:
            yield piece


async def _metadata(request: Request, every: Sequence[InstanceRecord]) -> Response:
    offer, records = require(accepted(request), OFFERS), _kept(every)
    addresses = {record.sop_instance_uid: address_of(request, record) for record in records}
    pieces = _json_array(records, lambda record: addresses[record.sop_instance_uid])
    reading = threads_of(request).reading
    first = await BegunPieces(stream(reading, pieces)).begin(1)
    status = 200 if len(records) == len(every) else PARTIAL
    return ClosingResponse(first, status_code=status, media_type=offer.media_type)


def _json_array(
    records: Sequence[InstanceRecord], address: Callable[[InstanceRecord], str]
) -> Iterator[bytes]:
    for number, record in enumerate(records):
        dataset = _data_set(record, address(record))
        text = json.dumps(dataset, ensure_ascii=False, separators=(",", ":"))
        yield (",\n" if number else "[").encode() + text.encode("utf-8", errors="replace")
    yield b"]"


def _data_set(record: InstanceRecord, address: str) -> DicomJson:
    """Return the metadata of one instance; of a header beyond all limits what the tables know."""

    def bulk_address(place: str) -> str:
        return f"{address}/pixeldata" if place == PIXEL_DATA else f"{address}/bulkdata/{place}"

    path = record.path
    try:
        dataset = read_json(path, bulk_address=bulk_address)
    except InputError as error:
        _log.warning("header_unreadable", sop_instance_uid=record.sop_instance_uid, reason=str(error))
        uids = (
            ("00080016", record.sop_class_uid),
            ("00080018", record.sop_instance_uid),
            ("0020000D", record.study_instance_uid),
            ("0020000E", record.series_instance_uid),
        )
        dataset = {key: {"vr": "UI", "Value": [uid]} for key, uid in uids}
    dataset["00083002"] = {"vr": "UI", "Value": [record.transfer_syntax_uid]}  # Available Transfer Syntax UID
    return dict(sorted(dataset.items()))
