"""The splitter of multipart bodies."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.web.multipart import FramingError, MultipartSplitter, parse_content_type

BOUNDARY = "b0undary"


class Part:
    """Notes what a splitter does with one part."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers
        self.content = b""
        self.end: str | None = None

    def write(self, data: bytes) -> None:
        self.content += data

    def finish(self) -> None:
        assert self.end is None
        self.end = "finished"

    def discard(self, reason: FramingError | None) -> None:
        assert self.end is None
        self.end = "broken" if reason else "abandoned"


def body(*contents: bytes, close: bool = True) -> bytes:
    parts = b"".join(
        b"--b0undary\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n" for content in contents
    )
    return parts + (b"--b0undary--\r\n" if close else b"")


def split(data: bytes, cuts: list[int]) -> list[Part]:
    parts: list[Part] = []

    def open_part(headers: dict[str, str]) -> Part:
        parts.append(Part(headers))
        return parts[-1]

    splitter = MultipartSplitter(BOUNDARY, open_part)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    try:
        for start, end in pairwise(edges):
            splitter.feed(data[start:end])
        splitter.close()
    finally:
        splitter.abandon()
    return parts


LIKE_A_BOUNDARY = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"-", b"--", b"\r\n--b0und", b"\r\n--b0undarx", b"\0", b"DICM"]),
    max_size=8,
).map(b"".join)


@given(
    contents=st.lists(LIKE_A_BOUNDARY | st.binary(max_size=60), max_size=4),
    cuts=st.lists(st.integers(0, 500)),
)
def test_parts_come_out_as_they_went_in_however_the_body_is_cut(
    contents: list[bytes], cuts: list[int]
) -> None:
    parts = split(body(*contents) if contents else b"--b0undary--\r\n", cuts)
    assert [part.content for part in parts] == contents
    assert {part.end for part in parts} <= {"finished"}
    assert all(part.headers == {"content-type": "application/dicom"} for part in parts)


def test_a_body_that_ends_early_breaks_its_last_part_and_keeps_the_others() -> None:
    whole = body(b"one", b"two")
    parts: list[Part] = []
    splitter = MultipartSplitter(BOUNDARY, lambda headers: parts.append(Part(headers)) or parts[-1])  # type: ignore[func-returns-value]
    splitter.feed(whole[: whole.index(b"two") + 2])
    with pytest.raises(FramingError, match="before its closing boundary"):
        splitter.close()
    assert [part.end for part in parts] == ["finished", "broken"]


def test_a_body_that_ends_within_part_headers_still_counts_the_part() -> None:
    parts: list[Part] = []
    splitter = MultipartSplitter(BOUNDARY, lambda headers: parts.append(Part(headers)) or parts[-1])  # type: ignore[func-returns-value]
    splitter.feed(b"--b0undary\r\nContent-Ty")
    with pytest.raises(FramingError):
        splitter.close()
    assert [part.end for part in parts] == ["broken"]


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"X: " + b"y" * 5000 + b"\r\n", id="one header of 5 kB"),
        pytest.param(b"X: y\r\n" * 20, id="20 headers"),
        pytest.param(b": y\r\n", id="a header without name"),
        pytest.param("Patient Doe\xa0Jane: y\r\n".encode("latin-1"), id="a header name that is none"),
    ],
)
def test_headers_beyond_reason_are_refused_without_repeating_them(head: bytes) -> None:
    with pytest.raises(FramingError) as caught:
        split(b"--b0undary\r\n" + head + b"\r\nx\r\n--b0undary--\r\n", [])
    assert "Jane" not in str(caught.value)
    assert "y" * 10 not in str(caught.value)


@pytest.mark.parametrize("boundary", ["", "b" * 1000])
def test_a_boundary_that_is_missing_or_endless_is_refused(boundary: str) -> None:
    with pytest.raises(FramingError, match="boundary"):
        MultipartSplitter(boundary, Part)


def test_media_types_and_parameters_are_read_whatever_their_case() -> None:
    parsed = parse_content_type('Multipart/Related; TYPE="application/dicom"; Boundary="b 1"')
    assert parsed.media_type == "multipart/related"
    assert parsed.parameters == {"type": "application/dicom", "boundary": "b 1"}
    assert parse_content_type("").media_type == ""
