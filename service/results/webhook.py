"""Tells a program by HTTP, signed after Standard Webhooks 1.0.0: HMAC-SHA-256 over id, time and body."""

import base64
import binascii
import hashlib
import hmac
import http.client
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

from overread.errors import PeerError
from service.network_settings import TlsClientFiles
from service.results.clock import Clock

_SECRET_PREFIX = "whsec_"  # noqa: S105  # Standard Webhooks 1.0.0, how a secret is written
_SECRET_BYTES = range(24, 65)  # the same
_SECONDS = 20.0  # Standard Webhooks 1.0.0 asks for 15 to 30
_ANSWER_BYTES_MAX = 1 << 16
_AWAY = frozenset(  # not about this message
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A program that is told by HTTP."""

    name: str
    url: str = field(repr=False)  # its path and query may hold what lets somebody in
    keys: tuple[bytes, ...] = field(
        repr=False
    )  # each signs, so that a receiver may change from one to the next
    tls: TlsClientFiles = field(default_factory=TlsClientFiles)  # of https
    setting: str  # that names it, for who has to correct it


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a message at one attempt, as it stands in `webhook-signature`.

    Args:
        key: of the receiver.
        message_id: the same at every attempt.
        timestamp: of the attempt, in seconds since 1970.
        body: as it is sent.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


def webhook_keys(name: str, text: str) -> tuple[bytes, ...]:
    """Return the keys of a webhook from its secrets, with spaces between; the message does not repeat them.

    Raises:
        ValueError: one is none, or there is none.
    """
    keys = []
    for word in text.split():
        try:
            key = base64.b64decode(word.removeprefix(_SECRET_PREFIX), validate=True)
        except binascii.Error:
            key = b""
        if not word.startswith(_SECRET_PREFIX) or len(key) not in _SECRET_BYTES:
            raise ValueError(f"the secret of {name} is not {_SECRET_PREFIX} and 24 to 64 bytes in base64")
        keys.append(key)
    if not keys:
        raise ValueError(f"the secret of {name} is empty")
    return tuple(keys)


def require_web_address(url: str) -> None:
    """Return if this is an address of HTTP that holds no password.

    Raises:
        ValueError: it is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
        raise ValueError(f"{url!r} is no http(s) address, or it holds a password or fragment")


class SignedPost:
    """The way to a program. Redirects are not followed and no proxy is used."""

    def __init__(self, hook: Hook, *, clock: Clock) -> None:
        """Connect to nothing yet.

        Raises:
            ConfigurationError: TLS cannot be set up from its files.
        """
        self._hook = hook
        self._clock = clock
        self._parts = urlsplit(hook.url)
        self._context = hook.tls.context() if self._parts.scheme == "https" else None

    def send(self, message_id: str, body: bytes, *, content_type: str) -> tuple[bool, str]:
        """Send one message; return whether it was taken, and the answer in words.

        Raises:
            PeerError: the program is not there, or cannot answer now.
        """
        status = self._post(message_id, body, content_type)
        if status in _AWAY:
            raise PeerError(f"{self._told} answers with HTTP status {status}: it cannot answer now")
        taken = HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
        return taken, f"HTTP status {status}"

    @property
    def _told(self) -> str:
        return f"the webhook {self._hook.name} at {self._parts.hostname}"

    def _post(self, message_id: str, body: bytes, content_type: str) -> int:
        timestamp = int(self._clock().timestamp())
        signed = (signature(key, message_id, timestamp, body) for key in self._hook.keys)
        headers = {
            "Content-Type": content_type,
            "User-Agent": "overread",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signed),
        }
        connection = self._connect()
        try:
            target = f"{self._parts.path or '/'}{'?' if self._parts.query else ''}{self._parts.query}"
            connection.request("POST", target, body=body, headers=headers)
            response = connection.getresponse()
            response.read(_ANSWER_BYTES_MAX)
            return response.status
        except (OSError, http.client.HTTPException) as error:
            raise PeerError(
                f"{self._told} does not answer ({type(error).__name__}): check that it runs, and "
                f"{self._hook.setting}"
            ) from error
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        host, port = str(self._parts.hostname), self._parts.port
        if self._context is not None:
            return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=self._context)
        return http.client.HTTPConnection(host, port, timeout=_SECONDS)
