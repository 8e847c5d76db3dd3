"""Streaming splitter of `multipart/related` bodies (RFC 2387, PS3.18 section 8.6.1.2) in flat memory."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

MAX_PART_HEADERS = 16
MAX_PART_HEADER_BYTES = 4096


class FramingError(Exception):
    """The body is not the multipart message that its Content-Type announces; the message names no content."""


class PartReceiver(Protocol):
    """Takes the bytes of one part as they come; exactly one of `finish` and `discard` is the last call."""

    def write(self, data: bytes) -> None:
        """Take the next bytes."""

    def finish(self) -> None:
        """The part is complete."""

    def discard(self, reason: FramingError | None) -> None:
        """The part will never be complete: drop what was written. None where the sender went away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentType:
    """A media type with its parameters, all names in lower case."""

    media_type: str
    parameters: dict[str, str]


def parse_content_type(header: str) -> ContentType:
    """Return the parts of a Content-Type header; an empty media type where the header is malformed."""
    media_type, parameters = parse_options_header(header)
    decoded = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in parameters.items()}
    return ContentType(media_type=media_type.decode("latin-1").strip().lower(), parameters=decoded)


class MultipartSplitter:
    """Feeds the parts of one body, in order, to receivers that `open_part` makes from each part's headers."""

    def __init__(self, boundary: str, open_part: Callable[[dict[str, str]], PartReceiver]) -> None:
        """Raises FramingError where the boundary is empty or longer than a parser may have to buffer."""
        if not boundary:
            raise FramingError("the Content-Type has no boundary parameter")
        self._open_part = open_part
        self._receiver: PartReceiver | None = None
        self._in_part = False
        self._ended = False
        self._field = bytearray()
        self._value = bytearray()
        self._headers: dict[str, str] = {}
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": lambda data, start, end: self._field.extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._open,
                    "on_part_data": self._write,
                    "on_part_end": self._finish,
                    "on_end": self._end,
                },
                max_header_count=MAX_PART_HEADERS,
                max_header_size=MAX_PART_HEADER_BYTES,
            )
        except FormParserError as error:
            raise FramingError("the boundary parameter is too long") from error

    def feed(self, data: bytes) -> None:
        """Take the next bytes; a FramingError discards the open part and keeps the finished ones."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise self._broken(f"the multipart body is malformed: {_without_bytes(error)}") from error

    def close(self) -> None:
        """End the body; raises FramingError where its last boundary did not come."""
        if not self._ended:
            raise self._broken("the multipart body ends before its closing boundary")

    def abandon(self) -> None:
        """Drop the open part, if any: the sender went away."""
        self._discard(None)

    def _broken(self, message: str) -> FramingError:
        error = FramingError(message)
        if (
            self._in_part and self._receiver is None
        ):  # broke off between a boundary and the end of the headers
            self._open()
        self._discard(error)
        return error

    def _discard(self, reason: FramingError | None) -> None:
        receiver, self._receiver, self._in_part = self._receiver, None, False
        if receiver is not None:
            receiver.discard(reason)

    def _begin(self) -> None:
        self._in_part = True
        self._headers = {}

    def _end_header(self) -> None:
        name = self._field.decode("latin-1").strip().lower()
        self._headers[name] = self._value.decode("latin-1").strip()
        self._field.clear()
        self._value.clear()

    def _open(self) -> None:
        self._receiver = self._open_part(self._headers)

    def _write(self, data: bytes, start: int, end: int) -> None:
        if self._receiver is not None:
            self._receiver.write(data[start:end])

    def _finish(self) -> None:
        receiver, self._receiver, self._in_part = self._receiver, None, False
        if receiver is not None:
            receiver.finish()

    def _end(self) -> None:
        self._ended = True


def _without_bytes(error: FormParserError) -> str:
    """Return what is wrong without the offending bytes, which may be part of a patient's data."""
    text = str(error)
    known = ("Maximum header size exceeded", "Maximum header count exceeded", "0-length header")
    return next((phrase.lower() for phrase in known if phrase in text), "a boundary or part header is wrong")
