"""What parsers are given: samples with changes, words of their language in any order, nests, and noise."""

from typing import Protocol, TypeVar

from hypothesis import strategies as st

from tests.fuzzing.harness import Harness

T = TypeVar("T")


class Draw(Protocol):
    """What Hypothesis hands to a composite strategy."""

    def __call__(self, strategy: st.SearchStrategy[T]) -> T: ...


BYTES_MAX = 1 << 17
PLACE = 1 << 16  # places are drawn as shares of the length, so that a drawn change fits every sample
EXTREMES = (
    b"\0",
    b"\xff" * 2,
    b"\xff" * 4,
    b"\xff\xff\xff\x7f",
    b"\0\0\0\x80",
    b"\0" * 4,
    b"9" * 30,
    b"-1",
    b"1e999",
    b"nan",
    b"\xed\xa0\x80",  # half of a surrogate pair
    b"\xef\xbb\xbf",
    "\u0661\u00b2\u2028\u0130".encode(),  # digits and letters that Python takes and others do not
    b"\r\n",
)


def contents(harness: Harness) -> st.SearchStrategy[bytes]:
    """Return what a harness is tried with."""
    pieces = st.sampled_from((*harness.words, *EXTREMES)) | st.binary(max_size=12)
    ways = [st.binary(max_size=256), soup(harness, pieces)] + [changed(harness, pieces)] * 6
    if harness.nests:
        ways.append(nested(harness))
    return st.one_of(ways)


@st.composite
def changed(draw: Draw, harness: Harness, pieces: st.SearchStrategy[bytes]) -> bytes:
    """A sample with some changes."""
    content = draw(st.sampled_from(list(harness.samples)))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, PLACE)) * len(content) // PLACE
        head, span = content[:at], content[at : at + draw(st.integers(0, 80))]
        tail = content[at + len(span) :]
        content = head + draw(instead(harness, pieces, span, tail))
    return content[:BYTES_MAX]


def instead(
    harness: Harness, pieces: st.SearchStrategy[bytes], span: bytes, tail: bytes
) -> st.SearchStrategy[bytes]:
    """Return what may come instead of a span and all that follows it."""
    return st.one_of(
        st.just(tail),
        pieces.map(lambda piece: piece + tail),
        pieces.map(lambda piece: piece + span + tail),
        pieces.map(lambda piece: piece + (span + tail)[len(piece) :]),
        st.integers(0, 255).map(lambda byte: bytes([byte]) + (span + tail)[1:]),
        st.sampled_from([2, 3, 50, 1000]).map(lambda times: span * times + tail),
        st.just(span),
        st.builds(
            lambda other, place: other[place * len(other) // PLACE :],
            st.sampled_from(list(harness.samples)),
            st.integers(0, PLACE),
        ),
    )


def soup(harness: Harness, pieces: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Words in any order."""
    return st.lists(pieces, max_size=60).map(b"".join)


@st.composite
def nested(draw: Draw, harness: Harness) -> bytes:
    """Something within itself, deep, within a sample or alone."""
    opens, closes = draw(st.sampled_from(list(harness.nests)))
    deep = draw(st.sampled_from([2, 40, 300, 2_000, 20_000]))
    content = opens * deep + closes * draw(st.sampled_from([deep, deep - 1, 0]))
    sample = draw(st.sampled_from([b"", *harness.samples]))
    at = draw(st.integers(0, PLACE)) * len(sample) // PLACE
    return (sample[:at] + content + sample[at:])[:BYTES_MAX]
