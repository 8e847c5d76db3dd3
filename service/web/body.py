"""The body of a request, as much of it as may come."""

from collections.abc import Callable, Mapping

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.web.errors import answer_http_exception


async def read_body(request: Request, bytes_max: int) -> bytes:
    """Return the whole body.

    Raises:
        HTTPException: 413, it has more bytes than that.
    """
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > bytes_max:
            raise HTTPException(413, f"the body may have at most {bytes_max} bytes")
    return bytes(content)


class BodyLimitMiddleware:
    """Reads the bodies of requests to some addresses itself, for an application that would never stop."""

    def __init__(self, app: ASGIApp, bytes_max: Mapping[str, Callable[[], int]]) -> None:
        """Wrap the application.

        Args:
            app: it.
            bytes_max: gives the limit, by the path of an address.
        """
        self._app = app
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a body that is there, or answer with 413."""
        limit = self._bytes_max.get(scope["path"]) if scope["type"] == "http" else None
        if limit is None:
            await self._app(scope, receive, send)
            return
        try:
            body = await read_body(Request(scope, receive), limit())
        except HTTPException as error:
            await answer_http_exception(Request(scope), error)(scope, receive, send)
            return
        except ClientDisconnect:
            return
        message: Message | None = {"type": "http.request", "body": body, "more_body": False}

        async def receive_body() -> Message:
            nonlocal message
            given, message = message, None
            return given or await receive()

        await self._app(scope, receive_body, send)
