"""Gives results as FHIR: read, earlier versions, and searches (http.html and search.html of R4 and R5)."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse

from overread.errors import InputError, NotFoundError
from service.api.fhir import FHIR_JSON, answer
from service.fhir.answers import etag_of, history_of, search_set
from service.fhir.elements import Json
from service.fhir.outcome import Issue, operation_outcome
from service.fhir.reading import CaseReading, named
from service.fhir.search import AFTER, MEANINGS, find, parse_search
from service.store.database import Store
from service.web.context import Context
from service.web.multipart import parse_content_type

router = APIRouter(prefix="/fhir", tags=["FHIR"])

_REPLY: dict[str, Any] = {"content": {FHIR_JSON: {"schema": {"type": "object"}}}}
_READ: dict[str, Any] = {
    "responses": {
        200: {**_REPLY, "description": "The resource"},
        404: {**_REPLY, "description": "There is none: no disagreement was found, or no such case"},
    }
}
_FOUND: dict[str, Any] = {
    "openapi_extra": {
        "parameters": [
            {"name": name, "in": "query", "description": words, "schema": {"type": "string"}}
            for name, words in MEANINGS.items()
        ]
    },
    "responses": {
        200: {**_REPLY, "description": "A Bundle, without entries where nothing fits"},
        400: {**_REPLY, "description": "A parameter cannot be understood"},
    },
}
_WORDS = {
    "DiagnosticReport": "the result of a case in which something disagrees",
    "Observation": "one disagreement of image and report, with its verdict",
    "Task": "the second look at a case, with its state",
    "Communication": "what the author of the report is told",
    "ImagingSelection": "the places of a disagreement in the images of a series; of R5 alone",
}
_NAME = r"^case-[0-9]{1,18}(-[0-9]{1,4}){0,2}$"
Name = Annotated[
    str, Path(pattern=_NAME, description="case-NUMBER, and where it is one of several, -POSITION")
]
VersionName = Annotated[str, Path(pattern=r"^[A-Za-z0-9.-]{1,64}$", description="meta.versionId")]
Handler = Callable[..., JSONResponse]


def _reader(kind: str) -> Handler:
    def read(request: Request, context: Context, name: Name) -> JSONResponse:
        """Return the resource as it stands; ETag has its version too."""
        return _answered(lambda: _current(context.store, kind, name, _version(request)))

    return read


def _version_reader(kind: str) -> Handler:
    def read_version(request: Request, context: Context, name: Name, version_id: VersionName) -> JSONResponse:
        """Return the resource as it was in one of its versions."""
        return _answered(lambda: _earlier(context.store, kind, name, version_id, _version(request)))

    return read_version


def _historian(kind: str) -> Handler:
    def read_history(request: Request, context: Context, name: Name) -> JSONResponse:
        """Return every version of a resource, the latest first, in one page."""

        def made() -> Json:
            versions = _versions(context.store, kind, name, _version(request))
            address = f"{_base(request)}/{kind}/{name}"
            return history_of(versions, address, f"{address}/_history")

        return _answered(made)

    return read_history


def _searcher(kind: str) -> Handler:
    def search(request: Request, context: Context) -> JSONResponse:
        """Return a page of what fits every parameter; an unknown one is passed over, or refused if strict."""
        return _found(request, context.store, kind)

    return search


for _kind, _what in _WORDS.items():
    _path = f"/{_kind}"
    _routes: tuple[tuple[str, Handler, str, dict[str, Any]], ...] = (
        (_path, _searcher(_kind), f"Find {_what}", _FOUND),
        (f"{_path}/{{name}}", _reader(_kind), f"Read {_what}", _READ),
        (f"{_path}/{{name}}/_history", _historian(_kind), f"Read every version of {_what}", _READ),
        (
            f"{_path}/{{name}}/_history/{{version_id}}",
            _version_reader(_kind),
            f"Read a version of {_what}",
            _READ,
        ),
    )
    for _template, _handler, _summary, _described in _routes:
        router.add_api_route(_template, _handler, methods=["GET"], summary=_summary, **_described)


def _found(request: Request, store: Store, kind: str) -> JSONResponse:
    version = _version(request)
    strict = "handling=strict" in request.headers.get("prefer", "").replace(" ", "").lower()
    try:
        search = parse_search(kind, request.query_params.multi_items(), version=version, strict=strict)
    except InputError as error:
        return answer(400, operation_outcome([Issue(code="invalid", text=str(error))]))
    page = find(store, search)
    address = f"{_base(request)}/{kind}"
    links = {"self": _address(address, search.heeded)}
    if page.next_after is not None:
        kept = [(name, value) for name, value in search.heeded if name != AFTER]
        links["next"] = _address(address, [*kept, (AFTER, page.next_after)])
    return answer(200, search_set(page.found, _base(request), links))


def _address(address: str, parameters: Sequence[tuple[str, str]]) -> str:
    return f"{address}?{urlencode(parameters)}" if parameters else address


def _current(store: Store, kind: str, name: str, version: str) -> Json:
    """Return a resource as it stands.

    Raises:
        NotFoundError: there is none.
    """
    resource = named(CaseReading(store, _number(name)).standing(), kind, name, version=version)
    if resource is None:
        raise NotFoundError(f"there is no {kind} {name}")
    return resource


def _versions(store: Store, kind: str, name: str, version: str) -> list[Json | None]:
    """Return every version of a resource, the oldest first.

    Raises:
        NotFoundError: there never was one.
    """
    versions = CaseReading(store, _number(name)).versions(kind, name, version=version)
    if not versions:
        raise NotFoundError(f"there never was a {kind} {name}")
    return versions


def _earlier(store: Store, kind: str, name: str, version_id: str, version: str) -> Json:
    """Return a resource as it was in one version.

    Raises:
        NotFoundError: there is no such version.
    """
    for resource in _versions(store, kind, name, version):
        if resource is not None and resource["meta"]["versionId"] == version_id:
            return resource
    raise NotFoundError(f"{kind} {name} has no version {version_id}")


def _version(request: Request) -> str:
    """Return 5 where R5 is asked for, else 4."""
    asked = parse_content_type(request.headers.get("accept", "")).parameters.get("fhirversion", "4.0")
    return asked[:1] if asked.startswith("5.") else "4"


def _number(name: str) -> int:
    return int(name.split("-")[1])


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/") + "/fhir"


def _answered(make: Callable[[], Json]) -> JSONResponse:
    try:
        resource = make()
    except NotFoundError as error:
        return answer(404, operation_outcome([Issue(code="not-found", text=str(error))]))
    headers = {"ETag": etag_of(resource)} if "meta" in resource else None
    return answer(200, resource, headers)
