"""One OpenAPI document for all that answers HTTP: the API, BentoML's endpoints and the DICOMweb intake."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI

from service.security.routes import ROUTES
from service.security.sessions import COOKIE

Document = dict[str, Any]
_METHODS = frozenset({"get", "head", "post", "put", "patch", "delete", "options"})
_UNAUTHORIZED = {"description": "Nobody was recognised: no session, no valid token"}
_FORBIDDEN = {"description": "Neither a role nor a scope of whoever asks allows it"}
_SCHEMES: Document = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of `overread tokens add`, or OVERREAD_API_TOKEN. While nobody has an account "
        "none is asked for, and only the machine itself is answered.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "Of a browser in which somebody has signed in; __Host-overread_session over TLS. Who "
        "changes something by it sends X-CSRF-Token too, which GET /session gives.",
    },
}


def complete_document(main: Document, others: Sequence[Document]) -> Document:
    """Return `main` with the paths and schemas of the others added.

    A schema that two documents define differently under one name is kept apart under a name of its own.
    """
    merged: Document = json.loads(json.dumps(main))
    schemas = merged.setdefault("components", {}).setdefault("schemas", {})
    for position, other in enumerate(others, start=1):
        document = _with_distinct_names(other, schemas, position)
        schemas.update(document.get("components", {}).get("schemas", {}))
        for path, operations in document.get("paths", {}).items():
            merged["paths"].setdefault(path, {}).update(operations)
    return merged


def _with_distinct_names(document: Document, taken: Document, position: int) -> Document:
    schemas = document.get("components", {}).get("schemas", {})
    text = json.dumps(document)
    renamed = {
        name: f"{name}{position}" for name in schemas if name in taken and taken[name] != schemas[name]
    }
    for name, other_name in renamed.items():
        text = text.replace(f'"#/components/schemas/{name}"', f'"#/components/schemas/{other_name}"')
    result: Document = json.loads(text)
    for name, other_name in renamed.items():
        result["components"]["schemas"][other_name] = result["components"]["schemas"].pop(name)
    return result


def with_server(document: Document, url: str, description: str) -> Document:
    """Return the document with each path saying that it is found at another address."""
    server = [{"url": url, "description": description}]
    paths = {path: {**operations, "servers": server} for path, operations in document["paths"].items()}
    return {**document, "paths": paths}


def with_security(document: Document) -> Document:
    """Return the document with who may call its operations, as `service.security.routes` has it.

    Every operation takes a token or the session of a browser that has signed in, public ones ask for nothing.
    `x-roles` and `x-scopes` say which of these allow the call.
    """
    secured: Document = json.loads(json.dumps(document))
    secured.setdefault("components", {})["securitySchemes"] = _SCHEMES
    secured["security"] = [{name: []} for name in _SCHEMES]
    for path, item in secured["paths"].items():
        for method, operation in item.items():
            if method not in _METHODS:
                continue
            need = ROUTES.get((method.upper(), path))
            if need is not None and need.is_public:
                operation["security"] = []
            else:
                operation.setdefault("responses", {}).setdefault("401", _UNAUTHORIZED)
                operation["responses"].setdefault("403", _FORBIDDEN)
                if need is not None:
                    operation["x-roles"] = sorted(need.roles)
                    operation["x-scopes"] = sorted(need.scopes)
    return secured


def whole_document(app: FastAPI, others: Callable[[], Sequence[Document]]) -> Document:
    """Return the document of an application and of what answers beside it, with who may call what."""
    return with_security(complete_document(app.openapi(), others()))


def publish(app: FastAPI, others: Callable[[], Sequence[Document]]) -> None:
    """Serve the complete document at /openapi.json; it is put together once, when first asked for."""
    router = APIRouter(tags=["service"])
    ready: list[Document] = []

    @router.get("/openapi.json", summary="This document")
    def document() -> Document:
        if not ready:
            ready.append(whole_document(app, others))
        return ready[0]

    app.include_router(router)
