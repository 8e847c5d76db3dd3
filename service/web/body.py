"""The body of a request, as much of it as may come."""

import asyncio
from collections.abc import Callable, Mapping

from fastapi import HTTPException as BodyError
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


def bounded(receive: Receive, *, bytes_max: int, seconds_max: float) -> Receive:
    """Return what gives the same body, as long as it is not too large and does not take too long.

    Args:
        receive: gives the messages of a request.
        bytes_max: of the whole body; beyond it 413 is raised.
        seconds_max: until the whole body is there; beyond it 408 is raised.
    """
    left, ends_at, is_whole = bytes_max, asyncio.get_running_loop().time() + seconds_max, False

    async def receive_some() -> Message:
        nonlocal left, is_whole
        if is_whole:  # what is asked for now is whether the client goes away, however long that takes
            return await receive()
        try:
            async with asyncio.timeout_at(ends_at):
                message = await receive()
        except TimeoutError:
            raise BodyError(408, f"the body did not come within {seconds_max:g} s") from None
        left -= len(message.get("body", b""))
        if left < 0:
            raise BodyError(413, f"the body may have at most {bytes_max} bytes")
        is_whole = not message.get("more_body", False)
        return message

    return receive_some


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
