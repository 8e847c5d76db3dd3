"""Minimal Lower Layer Protocol (HL7 v2.5.1 appendix C): where a message starts and ends in a stream."""

START = b"\x0b"  # <VT>
END = b"\x1c\x0d"  # <FS><CR>
_BLANK = b"\r\n\0 "
_NOISE_MAX = 1 << 12  # bytes between two messages


class FramingError(Exception):
    """A message is longer than is allowed; the connection is of no more use."""


class OtherProtocolError(FramingError):
    """The bytes are not MLLP. Whoever sent them is told nothing: a web page may have made a browser do it."""


class FrameReader:
    """Cuts a stream into messages; bytes between two messages are passed over.

    The first byte that is not blank must start a message: a browser can be made to send an HTTP request with
    a message in its body to any port, and its header is no noise. A message that starts before the one before
    it has ended takes its place: the sender gave up on that one, which was not answered.
    """

    def __init__(self, *, message_bytes_max: int) -> None:
        self._message_bytes_max = message_bytes_max
        self._buffer = bytearray()
        self._looked_at = 0  # of the buffer; no end is before this
        self._noise_bytes = 0
        self._has_begun = False  # whether any message has started

    @property
    def is_within_message(self) -> bool:
        """Whether a message has started and not ended."""
        return self._buffer.startswith(START)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that these bytes complete, without their frame.

        Raises:
            OtherProtocolError: something else than a message comes first, or too much of it between two.
            FramingError: a message is too long.
        """
        self._buffer += data
        messages = []
        while self._find_start() and (end := self._buffer.find(END, self._looked_at)) >= 0:
            messages.append(bytes(self._buffer[self._buffer.rfind(START, 0, end) + 1 : end]))
            del self._buffer[: end + len(END)]
            self._looked_at = 0
        self._looked_at = max(len(self._buffer) - len(END) + 1, 0)
        if len(self._buffer) > self._message_bytes_max + len(START) + len(END):
            raise FramingError(f"a message is longer than {self._message_bytes_max} bytes")
        return messages

    def _find_start(self) -> bool:
        """Drop what stands before the next message; return whether one has started."""
        start = self._buffer.find(START)
        dropped = len(self._buffer) if start < 0 else start
        noise = bytes(self._buffer[:dropped]).strip(_BLANK)
        if noise and not self._has_begun:
            raise OtherProtocolError("the first byte is not the start block of MLLP")
        self._has_begun = self._has_begun or start >= 0
        del self._buffer[:dropped]
        if dropped:
            self._looked_at = 0
        self._noise_bytes = 0 if start >= 0 else self._noise_bytes + len(noise)
        if self._noise_bytes > _NOISE_MAX:
            raise OtherProtocolError("what is sent is not framed as MLLP")
        return start >= 0


def frame(message: bytes) -> bytes:
    """Return a message as it goes over the line."""
    return START + message + END
