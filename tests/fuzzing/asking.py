"""Asks an ASGI application as the server does, with what clients refuse to send and the server lets pass."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from urllib.parse import unquote

from anyio.from_thread import start_blocking_portal
from fastapi import FastAPI

Ask = Callable[[bytes, bytes, bytes], tuple[int, bytes]]

_NOT_IN_HEADERS = bytes((*range(9), *range(10, 32), 127))


def opened(app: FastAPI, stack: ExitStack) -> Ask:
    """Return what asks the application for path, query and Accept header, and gives status and body.

    An address is of visible ASCII, or h11 refuses it; what else there is in it comes percent-encoded.
    """
    portal = stack.enter_context(start_blocking_portal())
    state = stack.enter_context(portal.wrap_async_context_manager(app.router.lifespan_context(app)))

    async def ask(path: bytes, query: bytes, accept: bytes) -> tuple[int, bytes]:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": unquote(quoted(path).decode()),
            "raw_path": quoted(path),
            "root_path": "",
            "query_string": quoted(query),
            "headers": [(b"host", b"127.0.0.1:8401"), (b"accept", accept.translate(None, _NOT_IN_HEADERS))],
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 8401),
            "state": dict(state or {}),
        }
        status, body, asked, answered = 0, b"", False, asyncio.Event()

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if asked:
                await answered.wait()
                return {"type": "http.disconnect"}
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(event: Any) -> None:
            nonlocal status, body
            status = event.get("status", status)
            body += event.get("body", b"")
            if event["type"] == "http.response.body" and not event.get("more_body", False):
                answered.set()

        await app(scope, receive, send)
        return status, body

    return lambda path, query, accept: portal.call(ask, path, query, accept)


def quoted(content: bytes) -> bytes:
    """Return visible ASCII as it is, and everything else percent-encoded."""
    return b"".join(b"%c" % byte if 33 <= byte < 127 else b"%%%02X" % byte for byte in content)
