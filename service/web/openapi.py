"""One OpenAPI document for all that answers HTTP: the API, BentoML's endpoints and the DICOMweb intake."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI

Document = dict[str, Any]


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


def publish(app: FastAPI, others: Callable[[], Sequence[Document]]) -> None:
    """Serve the complete document at /openapi.json; it is put together once, when first asked for."""
    router = APIRouter(tags=["service"])
    ready: list[Document] = []

    @router.get("/openapi.json", summary="This document")
    def document() -> Document:
        if not ready:
            ready.append(complete_document(app.openapi(), others()))
        return ready[0]

    app.include_router(router)
