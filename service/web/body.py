"""The body of a request, as much of it as may come."""

from fastapi import Request
from starlette.exceptions import HTTPException


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
