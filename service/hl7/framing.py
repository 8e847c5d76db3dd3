"""Minimal Lower Layer Protocol (HL7 v2.5.1 appendix C): where a message starts and ends in a stream."""

START = b"\x0b"  # <VT>
END = b"\x1c\x0d"  # <FS><CR>
_NOISE_MAX = 1 << 12  # bytes outside of a message; a sender of another protocol is noticed by them


class FramingError(Exception):
    """The bytes are not MLLP, or a message is longer than is allowed; the connection is of no more use."""


class FrameReader:
    """Cuts a stream into messages. What stands outside of a message is passed over.

    A message that starts before the one before it has ended takes its place: the sender gave up on that one,
    which was not answered.
    """

    def __init__(self, *, message_bytes_max: int) -> None:
        self._message_bytes_max = message_bytes_max
        self._buffer = bytearray()
        self._looked_at = 0  # of the buffer; no end is before this
        self._noise_bytes = 0

    @property
    def is_within_message(self) -> bool:
        """Whether a message has started and not ended."""
        return self._buffer.startswith(START)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that these bytes complete, without their frame.

        Raises:
            FramingError: too long a message, or nothing that looks like one.
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
        noise = bytes(self._buffer[:dropped]).strip(b"\r\n\0 ")
        del self._buffer[:dropped]
        if dropped:
            self._looked_at = 0
        self._noise_bytes = 0 if start >= 0 else self._noise_bytes + len(noise)
        if self._noise_bytes > _NOISE_MAX:
            raise FramingError("what is sent is not framed as MLLP")
        return start >= 0


def frame(message: bytes) -> bytes:
    """Return a message as it goes over the line."""
    return START + message + END
