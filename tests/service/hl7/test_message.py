import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overread.errors import InvalidReportError
from service.hl7.message import read_header, read_message
from tests.service.hl7.messages import oru

MARKS = "|^~\\&"


def message(text: str, charset: str = "utf-8"):
    return read_message(text.encode(charset), default_charset="utf-8")


def told(field: str) -> str:
    (observation,) = message(oru(field)).named("OBX")
    return observation.text(5)


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        (r"a \F\ b \S\ c \T\ d \R\ e \E\ f", r"a | b ^ c & d ~ e \ f"),
        (r"one\.br\two\.sp2\three\.ce\four", "one\ntwo\n\nthree\nfour"),
        (r"\.in+4\indented\.ti-2\ \.fi\ filled\.nf\ ", "    indented    filled "),
        (r"\H\important\N\ again", "important again"),
        (r"\X41\\X0D0A\B\XC3A9\ ", "A\r\nBé "),
        (r"\X00\\X0B\x", "x"),
        (r"\Zlocal\\C2842\\M2442\x", "x"),
        (r"C:\temp\dir and \ alone", r"C:\temp\dir and \ alone"),
        (r"ends with \F", r"ends with \F"),
        (r"\\ empty", r"\\ empty"),
        ("two~lines", "two\nlines"),
    ],
)
def test_escapes_mean_what_the_standard_says_and_nothing_else_is_touched(escaped, plain) -> None:
    assert told(escaped) == plain


def test_a_field_of_nothing_but_escapes_takes_no_long_time() -> None:
    assert told(r"\.br\ ".strip() * 100_000) == "\n" * 100_000


@given(st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=60))
def test_a_text_that_a_sender_escapes_comes_out_as_it_was(text) -> None:
    escaped = "".join(
        {"|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\\": "\\E\\"}.get(c, c) for c in text
    )

    assert told(f"<{escaped}>") == f"<{text}>"


def test_fields_are_counted_as_another_library_counts_them() -> None:
    text = oru("some \\T\\ text", accession="A7")
    ours, theirs = message(text), hl7.parse(text)

    for name, number in (
        ("MSH", 2),
        ("MSH", 9),
        ("MSH", 10),
        ("PID", 3),
        ("OBR", 18),
        ("OBR", 25),
        ("OBX", 5),
    ):
        assert next(ours.named(name)).raw(number) == str(theirs.segment(name)[number])
    assert next(ours.named("PID")).component(3, 5) == "MR"
    assert next(ours.named("OBR")).component(99) == next(ours.named("OBR")).component(4, 99) == ""


@pytest.mark.parametrize(
    ("named", "encoded"),
    [
        ("", "utf-8"),
        ("UNICODE UTF-8", "utf-8"),
        ("8859/1", "latin-1"),
        ("8859/15", "iso8859-15"),
        ("8859/1~UNICODE UTF-8", "latin-1"),
        ("GB 18030-2000", "gb18030"),
    ],
)
def test_the_character_set_is_the_one_that_the_message_names(named, encoded) -> None:
    (observation,) = message(oru("Röntgen", charset=named), encoded).named("OBX")

    assert observation.text(5) == "Röntgen"


@pytest.mark.parametrize(
    ("named", "encoded", "what"),
    [("ASCII", "utf-8", "ascii"), ("", "latin-1", "utf-8"), ("X", "utf-8", "MSH-18 names a character set")],
)
def test_a_character_set_that_does_not_fit_is_refused_by_name(named, encoded, what) -> None:
    with pytest.raises(InvalidReportError, match=what):
        message(oru("Röntgen", charset=named), encoded)


@pytest.mark.parametrize("ending", ["\r", "\n", "\r\n", "\r\r"])
def test_segments_may_end_as_senders_really_end_them(ending) -> None:
    names = [segment.name for segment in message(oru("a", "b").replace("\r", ending)).segments]

    assert names == ["MSH", "PID", "OBR", "OBX", "OBX"]


def test_a_sender_may_choose_other_separators() -> None:
    swapped = oru(r"a \T\ b").translate(str.maketrans(MARKS, "!@#$%"))

    (observation,) = message(swapped).named("OBX")
    assert observation.text(5) == "a % b"
    assert next(message(swapped).named("OBR")).component(4, 2) == "CHEST"


@pytest.mark.parametrize(
    "content", [b"", b"MSH", b"MSH|^~\\", b"PID|1", b"MSH||||||", b"MSHA^~\\&A", b"\xff" * 20]
)
def test_what_does_not_start_with_a_header_is_refused(content) -> None:
    assert read_header(content) is None
    with pytest.raises(InvalidReportError, match="MSH"):
        read_message(content, default_charset="utf-8")


def test_a_header_is_read_of_a_message_that_is_broken_behind_it() -> None:
    header = read_header(oru().encode() + b"\xff\xfe")

    assert header is not None
    assert header.raw(10) == "M1"
