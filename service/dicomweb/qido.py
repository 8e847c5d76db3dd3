"""QIDO-RS (PS3.18 section 10.6): searches for what is stored."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydicom.datadict import tag_for_keyword

from service.adjudication.blinding import is_study_hidden, may_judge
from service.dicomweb.dicom_json import DicomJson, tag_key
from service.dicomweb.qido_query import parse_query
from service.dicomweb.qido_search import Results, find, too_broad
from service.security.identity import Identity
from service.store.archive import Attribute, Level
from service.store.results import result_series
from service.web.addresses import base_url
from service.web.archive_threads import run, threads_of
from service.web.context import Context, ServerContext, recognised_or_none
from service.web.negotiation import Offer, accepted, require

DICOM_JSON = "application/dicom+json"
OFFERS = (Offer(media_type=DICOM_JSON), Offer(media_type="application/json"))

_SERIES_UID = "0020000E"
_STUDY_UID = "0020000D"
_TELLING = ("ContentSequence", "EncapsulatedDocument", "ImageComments", "InterpretationText")

router = APIRouter(tags=["DICOMweb"])

_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {DICOM_JSON: {"schema": {"type": "array", "items": {"type": "object"}}}},
        "description": "What fits; a Warning header says where there is more, or was less done than asked",
    },
    204: {"description": "Nothing fits"},
    400: {"description": "A parameter is unknown or malformed"},
    406: {"description": f"Only {DICOM_JSON} can be returned"},
    413: {"description": "The search is too broad; the answer says how to narrow it"},
}


@router.get("/studies", summary="Search for studies", responses=_RESPONSES)
async def studies(request: Request, context: Context) -> Response:
    """Return the studies that fit the query, the latest first."""
    return await _search(request, context, Level.STUDY)


@router.get("/series", summary="Search for series", responses=_RESPONSES)
async def series(request: Request, context: Context) -> Response:
    """Return the series that fit the query."""
    return await _search(request, context, Level.SERIES)


@router.get("/instances", summary="Search for instances", responses=_RESPONSES)
async def instances(request: Request, context: Context) -> Response:
    """Return the instances that fit the query."""
    return await _search(request, context, Level.INSTANCE)


@router.get("/studies/{study}/series", summary="Search for series of a study", responses=_RESPONSES)
async def series_of_study(request: Request, context: Context, study: str) -> Response:
    """Return the series of the study that fit the query."""
    return await _search(request, context, Level.SERIES, [(Attribute.STUDY_INSTANCE_UID, study)])


@router.get("/studies/{study}/instances", summary="Search for instances of a study", responses=_RESPONSES)
async def instances_of_study(request: Request, context: Context, study: str) -> Response:
    """Return the instances of the study that fit the query."""
    return await _search(request, context, Level.INSTANCE, [(Attribute.STUDY_INSTANCE_UID, study)])


@router.get(
    "/studies/{study}/series/{series}/instances",
    summary="Search for instances of a series",
    responses=_RESPONSES,
)
async def instances_of_series(request: Request, context: Context, study: str, series: str) -> Response:
    """Return the instances of the series that fit the query."""
    within = [(Attribute.STUDY_INSTANCE_UID, study), (Attribute.SERIES_INSTANCE_UID, series)]
    return await _search(request, context, Level.INSTANCE, within)


async def _search(
    request: Request, context: ServerContext, level: Level, within: Sequence[tuple[Attribute, str]] = ()
) -> Response:
    offer = require(accepted(request), OFFERS)
    query = parse_query(level, request.query_params.multi_items(), within)
    base = base_url(request)
    headers_max = request.app.state.web.search_headers_max
    identity = recognised_or_none(request)

    def look() -> Results:
        results = find(context.store, query, base, headers_max=headers_max)
        return replace(results, datasets=_as_seen(context, results.datasets, identity))

    results = await run(threads_of(request).reading, look)
    service = request.url.netloc
    warnings = []
    if query.fuzzy:
        text = "The fuzzymatching parameter is not supported. Only literal matching has been performed."
        warnings.append(f'299 {service} "{text}"')
    if results.more:
        warnings.append(f'299 {service} "There are additional results that can be requested."')
    if results.unread:
        warnings.append(f'299 {service} "There may be additional results: {too_broad(headers_max)}."')
    headers = {"Warning": ", ".join(warnings)} if warnings else {}
    if not results.datasets:
        return Response(status_code=204, headers=headers)
    return JSONResponse(results.datasets, media_type=offer.media_type, headers=headers)


def _as_seen(context: ServerContext, datasets: list[DicomJson], identity: Identity | None) -> list[DicomJson]:
    """Return what was found without what a report or a result says, where that is withheld from somebody."""
    datasets = _without_results(context, datasets, identity)
    telling = {tag_key(tag) for keyword in _TELLING if (tag := tag_for_keyword(keyword)) is not None}
    if identity is None or not any(telling & dataset.keys() for dataset in datasets):
        return datasets
    return [
        {key: value for key, value in dataset.items() if key not in telling}
        if is_study_hidden(context.store, _study_of(dataset), identity)
        else dataset
        for dataset in datasets
    ]


def _without_results(
    context: ServerContext, datasets: list[DicomJson], identity: Identity | None
) -> list[DicomJson]:
    """Return series and instances without those of our results in studies that are withheld."""
    if identity is None or not may_judge(identity):
        return datasets
    ours = {uid: result_series(context.store, uid) for uid in {_study_of(item) for item in datasets}}
    return [
        item
        for item in datasets
        if _SERIES_UID not in item
        or str(item[_SERIES_UID]["Value"][0]) not in ours[_study_of(item)]
        or not is_study_hidden(context.store, _study_of(item), identity)
    ]


def _study_of(dataset: DicomJson) -> str:
    return str(dataset[_STUDY_UID]["Value"][0])
