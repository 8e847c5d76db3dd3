"""Whether a page of ours made what a browser sent with its cookie (OWASP: synchroniser token)."""

import hmac
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

FIELD = "csrf_token"
HEADER = "x-csrf-token"
FORM_BYTES_MAX = 1 << 20
_FIELDS_MAX = 1000
_FORM = "application/x-www-form-urlencoded"


async def carries_token(request: Request, expected: str) -> tuple[bool, Receive]:
    """Return whether header or form hold the token, and what gives the body to whoever comes next."""
    given = request.headers.get(HEADER)
    if given is not None:
        return _is(given, expected), request.receive
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return False, request.receive
    body = await _form_of(request)
    if body is None:
        return False, request.receive
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=_FIELDS_MAX)
    except ValueError:
        return False, request.receive
    return _is(fields.get(FIELD, [""])[0], expected), _again(body, request.receive)


def _is(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


async def _form_of(request: Request) -> bytes | None:
    """Return the body; None where it is too long for a form, or its sender went away."""
    gathered = bytearray()
    try:
        async for chunk in request.stream():
            gathered += chunk
            if len(gathered) > FORM_BYTES_MAX:
                return None
    except ClientDisconnect:
        return None
    return bytes(gathered)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what gives the body once more, then whatever follows it."""
    is_given = False

    async def give() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give
