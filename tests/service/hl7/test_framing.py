import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.hl7.framing import FrameReader, FramingError, OtherProtocolError, frame

LIMIT = 100
PIECES = st.lists(st.binary(max_size=40).map(lambda raw: raw.replace(b"\x0b", b"").replace(b"\x1c", b"")))


def read(*pieces: bytes) -> list[bytes]:
    reader = FrameReader(message_bytes_max=LIMIT)
    return [message for piece in pieces for message in reader.feed(piece)]


@given(messages=PIECES, cut=st.integers(1, 7))
def test_messages_come_out_as_they_went_in_however_the_line_cuts_them(messages, cut) -> None:
    stream = b"".join(map(frame, messages))

    assert read(*(stream[start : start + cut] for start in range(0, len(stream), cut))) == messages


@pytest.mark.parametrize(
    ("stream", "messages"),
    [
        pytest.param(b"\r\n\x0bone\x1c\r\n\n\x0btwo\x1c\r", [b"one", b"two"], id="blanks"),
        pytest.param(b"\x0bone\x1c\rnoise\x0btwo\x1c\r", [b"one", b"two"], id="between messages"),
        pytest.param(b"\x0bhalf\x0bwhole\x1c\r", [b"whole"], id="a message that was given up"),
        pytest.param(b"\x0ba\x1cb\x1c\r", [b"a\x1cb"], id="an end that is none"),
        pytest.param(b"\x0bone\x1c", [], id="an end that is still to come"),
        pytest.param(b"\x0b\x1c\r", [b""], id="empty"),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_what_stands_outside_of_a_message_is_passed_over(stream, messages) -> None:
    assert read(stream) == messages
    assert read(*(bytes([byte]) for byte in stream)) == messages


def test_it_is_known_whether_a_message_has_started() -> None:
    reader = FrameReader(message_bytes_max=LIMIT)
    seen = []
    for piece in (b"\r\n", b"\x0bha", b"lf", b"\x1c", b"\r", b"\x0b"):
        reader.feed(piece)
        seen.append(reader.is_within_message)

    assert seen == [False, True, True, True, False, True]


def test_a_message_may_be_as_long_as_is_allowed_and_no_longer() -> None:
    assert read(frame(b"x" * LIMIT)) == [b"x" * LIMIT]

    with pytest.raises(FramingError, match="longer"):
        read(b"\x0b" + b"x" * (LIMIT + 10))
    with pytest.raises(FramingError, match="longer"):
        read(b"\x0b", *(b"x" for _ in range(LIMIT + 10)))


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param([b"GET / HTTP/1.1\r\n\r\n"], id="http"),
        pytest.param([b"\r\n", b"P", b"OST / HTTP/1.1\r\n\r\n" + frame(b"MSH|")], id="a message in a post"),
        pytest.param([b"\x16\x03\x01" + frame(b"MSH|")], id="tls"),
        pytest.param([frame(b"MSH|"), b"noise" * 1000], id="between messages"),
    ],
)
def test_a_sender_of_another_protocol_is_noticed(stream: list[bytes]) -> None:
    with pytest.raises(OtherProtocolError, match="MLLP"):
        read(*stream)
