"""An HL7 v2 message, taken apart (HL7 v2.5.1 chapter 2): character set, segments, fields, escapes.

The encoding is a matter of splitting at five characters, which this module does itself: a library that builds
objects of every component takes longer than the commit.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from overread.errors import InvalidReportError

_HEADER = b"MSH"
_CHARSET_FIELD = 18
# HL7 table 0211, and the names that senders write instead. The first repetition counts.
_CHARSETS = {
    "ASCII": "ascii",
    "ISO IR6": "ascii",
    **{f"8859/{part}": f"iso8859-{part}" for part in (*range(1, 10), 15)},
    **{f"ISO-8859-{part}": f"iso8859-{part}" for part in (*range(1, 10), 15)},
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "ISO IR14": "shift_jis",
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_1",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
    "WINDOWS-1252": "cp1252",
    "CP1252": "cp1252",
}
# HL7 v2.5.1 section 2.7.1 and 2.7.5 to 2.7.7; `.sp3` and the like are in `_formatted`.
_SYMBOLS = {"H": "", "N": "", ".br": "\n", ".fi": "", ".nf": "", ".ce": "\n", ".sp": "\n"}
_COMMAND = re.compile(r"\.(sp|in|ti|sk)([+-]?[0-9]{1,3})?")
_HEXADECIMAL = re.compile(r"X(?:[0-9A-Fa-f]{2})+")
_IGNORED = re.compile(r"[CM][0-9A-Fa-f]{4,6}|Z.*")  # other character sets, and what is of the sender alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Separators:
    """The five characters, from MSH-1 and MSH-2."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str

    @property
    def encoding_characters(self) -> str:
        """MSH-2 as it stands in a message."""
        return self.component + self.repetition + self.escape + self.subcomponent


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment; fields are counted as the standard does, from 1."""

    name: str
    fields: tuple[str, ...] = field(repr=False)
    separators: Separators

    def raw(self, number: int) -> str:
        """Return a whole field as it stands in the message; empty where it is not there."""
        return self.fields[number - 1] if number <= len(self.fields) else ""

    def text(self, number: int, *, charset: str = "utf-8") -> str:
        """Return a whole field without its escapes; its repetitions are lines of their own."""
        raw = self.raw(number)
        parts = raw.split(self.separators.repetition) if self.separators.repetition else [raw]
        return "\n".join(unescape(part, self.separators, charset) for part in parts)

    def component(self, number: int, component: int = 1, *, repetition: int = 1) -> str:
        """Return a component of a field, without escapes and blanks around it; empty where there is none."""
        repetitions = self.raw(number).split(self.separators.repetition)
        if repetition > len(repetitions):
            return ""
        parts = repetitions[repetition - 1].split(self.separators.component)
        if component > len(parts):
            return ""
        first, _, _ = parts[component - 1].partition(self.separators.subcomponent)
        text = unescape(first, self.separators, "utf-8").strip()
        return "" if text == '""' else text  # section 2.5.3: "" deletes a value

    def repetitions(self, number: int) -> int:
        """Return how often a field repeats."""
        return self.raw(number).count(self.separators.repetition) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message: its segments in order, MSH first."""

    segments: tuple[Segment, ...]
    charset: str  # as Python calls it

    @property
    def header(self) -> Segment:
        """The segment MSH."""
        return self.segments[0]

    @property
    def control_id(self) -> str:
        """MSH-10, which the acknowledgement repeats."""
        return self.header.raw(10)

    def named(self, name: str) -> Iterator[Segment]:
        """Give the segments of this name, in order."""
        return (segment for segment in self.segments if segment.name == name)


def read_header(content: bytes) -> Segment | None:
    """Return MSH of a message that may be broken behind it, None if it is not even there.

    The bytes are taken for Latin-1, which loses none: an acknowledgement repeats them as they are.
    """
    first = re.split(rb"[\r\n]", content.lstrip(b"\r\n"), maxsplit=1)[0].decode("latin-1")
    separators = _separators(first)
    return _segment(first, separators) if separators is not None else None


def read_message(content: bytes, *, default_charset: str) -> Message:
    """Return the message that these bytes hold.

    Args:
        content: the bytes between the frame.
        default_charset: of messages that name none in MSH-18.

    Raises:
        InvalidReportError: it does not start with MSH, names a character set that is not known, or is not in
            the one that it names.
    """
    header = read_header(content)
    if header is None:
        raise InvalidReportError("the message does not start with a usable MSH segment (HL7 section 2.14.9)")
    charset = _charset(header, default_charset)
    try:
        text = content.decode(charset)
    except UnicodeError:
        raise InvalidReportError(
            f"the message is not in {charset}; let MSH-18 name the character set that it is in"
        ) from None
    lines = (line for line in re.split(r"[\r\n]+", text) if line.strip())
    return Message(
        segments=tuple(_segment(line, header.separators) for line in lines),
        charset=charset,
    )


def unescape(text: str, separators: Separators, charset: str) -> str:
    """Return the text without its escape sequences; what is none, such as a path, stays as it is."""
    escape = separators.escape
    if not escape or escape not in text:
        return text
    symbols = _SYMBOLS | {
        "F": separators.field,
        "S": separators.component,
        "T": separators.subcomponent,
        "R": separators.repetition,
        "E": escape,
    }
    parts = text.split(escape)
    plain, index = [parts[0]], 1
    while index < len(parts):
        is_closed = index + 1 < len(parts)
        meaning = _meaning(parts[index], symbols, charset) if is_closed else None
        if meaning is None:
            plain.append(escape + parts[index])
            index += 1
        else:
            plain += (meaning, parts[index + 1])
            index += 2
    return "".join(plain)


def _meaning(sequence: str, symbols: dict[str, str], charset: str) -> str | None:
    """Return what stands between two escape characters means, None if it is no escape sequence."""
    if sequence in symbols:
        return symbols[sequence]
    if command := _COMMAND.fullmatch(sequence):
        count = min(abs(int(command[2] or 1)), 40)
        return "\n" * count if command[1] == "sp" else " " * count
    if _HEXADECIMAL.fullmatch(sequence):
        text = bytes.fromhex(sequence[1:]).decode(charset, errors="replace")
        return "".join(character for character in text if character.isprintable() or character in "\t\r\n")
    return "" if _IGNORED.fullmatch(sequence) else None


def _separators(header: str) -> Separators | None:
    if not header.startswith(_HEADER.decode()) or len(header) < 8:
        return None
    separator = header[3]
    encoding = header[4:].split(separator, 1)[0]
    characters = separator + encoding[:4]
    if len(characters) != 5 or len(set(characters)) != 5 or any(mark.isalnum() for mark in characters):
        return None
    return Separators(
        field=separator,
        component=encoding[0],
        repetition=encoding[1],
        escape=encoding[2],
        subcomponent=encoding[3],
    )


def _segment(line: str, separators: Separators) -> Segment:
    name, *fields = line.strip(" ").split(separators.field)
    if name == _HEADER.decode():
        fields.insert(0, separators.field)  # MSH-1 is the separator itself
    return Segment(name=name, fields=tuple(fields), separators=separators)


def _charset(header: Segment, default: str) -> str:
    named = header.component(_CHARSET_FIELD).upper()
    if not named:
        return default
    if named not in _CHARSETS:
        raise InvalidReportError("MSH-18 names a character set that is not known here")
    return _CHARSETS[named]
