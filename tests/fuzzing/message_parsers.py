"""Parsers of what carries a report: HL7, FHIR, multipart bodies, and the forms of a text."""

import json
from collections.abc import Iterator
from contextlib import ExitStack

from overread.errors import InputError
from overread.report import load_reader
from service.fhir.report import read_submission
from service.hl7.acknowledgement import ACCEPTED, acknowledgements, verdict_on
from service.hl7.framing import FrameReader, frame
from service.hl7.framing import FramingError as MllpError
from service.hl7.message import read_header, read_message
from service.hl7.report import read_reports
from service.hl7.settings import Hl7Settings
from service.narrative.cda import text_of_cda
from service.narrative.markup import text_of_markup
from service.web.multipart import FramingError, MultipartSplitter, parse_content_type
from tests.fuzzing.dicom_parsers import CDA_TEXT
from tests.fuzzing.harness import CANARY, Harness
from tests.service.fhir.documents import attachment, body, report, whole_bundle
from tests.service.hl7.messages import oru
from tests.service.material import NOW

MESSAGE_BYTES_MAX = 4096
PIECES = (1, 7, 300)  # bytes at a time
BOUNDARY = "b0undary"
SETTINGS = Hl7Settings()
SENTENCES = (
    "There is no pneumothorax or pleural effusion.",
    "A 12 mm nodule in the right upper lobe, unchanged since 2024.",
    "Possible left lower lobe consolidation; cannot exclude pneumonia.",
    "IMPRESSION: Stable cardiomegaly. Dr. Doe was called at 10:30.",
)
REPORT = f"INDICATION: cough, {CANARY}\nFINDINGS: " + " ".join(SENTENCES)


def parsers(_: ExitStack) -> Iterator[Harness]:
    """Yield the harnesses."""
    yield from hl7()
    yield Harness(
        name="fhir",
        parse=submission,
        named=(InputError,),
        samples=(
            body(report(presentedForm=[attachment(CANARY)])),
            body(whole_bundle()),
            body(whole_bundle("collection")),
        ),
        words=JSON_WORDS,
        nests=(*JSON_NESTS, (b'{"resourceType":"Bundle","entry":[{"resource":', b"}]}")),
    )
    yield Harness(
        name="multipart",
        parse=split,
        named=(FramingError,),
        samples=(
            f"--b0undary\r\nContent-Type: a/b\r\nX: {CANARY}\r\n\r\nDICM\r\n--b0undary--".encode(),
            b"--b0undary\r\n\r\na\r\n--b0undary\r\nContent-Location: x\r\n\r\nb\r\n--b0undary--\r\n",
        ),
        words=(
            b"\r\n",
            b"--",
            b"--b0undary",
            b"--b0undary--",
            b"Content-Type:",
            b":",
            b"\r",
            b"\n",
            b"A: b\r\n",
        ),
    )
    yield Harness(
        name="content-type",
        parse=lambda content: parse_content_type(content.decode("latin-1")),
        named=(),
        samples=(
            f'multipart/related; type="application/dicom"; boundary={CANARY}'.encode(),
            b'text/plain; charset*=utf-8\'\'%41%ff; x="a\\"b"',
        ),
        words=(b";", b"=", b'"', b"*", b"''", b"%", b"\\", b"/", b"boundary="),
    )
    yield from texts()


def hl7() -> Iterator[Harness]:
    """Yield those of HL7."""
    embedded = "OBX|1|ED|71020^CHEST^L||^text^html^Base64^PHA+Tm8gbWFzcy48L3A+||||||F"
    samples = (
        oru(f"FINDINGS: no mass \\T\\ no nodule {CANARY}", "IMPRESSION: normal"),
        oru("\\.br\\Gr\\X C3B6C39F\\e", charset="UNICODE UTF-8").replace("ORU^R01", "MDM^T02"),
        oru().replace("OBX|1|TX|71020^CHEST^L||No mass is seen.||||||F", embedded),
    )
    coded = tuple(sample.encode() for sample in samples)
    words = (
        *(b"|", b"^", b"~", b"\\", b"&", b"\r", b"\r\n"),
        *(b"MSH|^~\\&|", b"OBR|", b"OBX|", b"PID|", b"ZDS|", b"TXA|", b"ED^", b"^Base64^"),
        *(
            b"\\X",
            b"\\C",
            b"\\M",
            b"\\H\\",
            b"\\.sp+9\\",
            b"UNICODE UTF-8",
            b"8859/1",
            b"ISO IR87",
            b"GB 18030-2000",
        ),
        *(b"\x1b$B", b"20260230126099+2500", b"00000000"),
    )
    yield Harness(
        name="hl7-framing",
        parse=unframe,
        named=(MllpError,),
        samples=(
            frame(coded[0]) * 2,
            b"\r\n" + frame(coded[1]),
            frame(coded[2]) + b"noise" + frame(coded[0]),
        ),
        words=(b"\x0b", b"\x1c", b"\r", b"\x1c\r", b"\x0b\x0b", b"GET / HTTP/1.1\r\n"),
    )
    yield Harness(name="hl7", parse=message, named=(), samples=coded, words=words)


def texts() -> Iterator[Harness]:
    """Yield those of the forms of a text, and of what is said in it."""
    reader = load_reader()
    yield Harness(
        name="cda",
        parse=text_of_cda,
        named=(InputError,),
        samples=(CDA_TEXT,),
        words=(
            b"<section>",
            b"</section>",
            b"<text>",
            b"<!ENTITY x '&x;'>",
            b"&x;",
            b"<![CDATA[",
            b"<?x",
            b"<br/>",
        ),
        nests=((b"<component>", b"</component>"), (b"<text>", b"</text>"), (b"<item>", b"</item>")),
    )
    yield Harness(
        name="html",
        parse=lambda content: text_of_markup(content.decode("utf-8", "replace")),
        named=(InputError,),
        samples=(f"<html><h1>Findings</h1><p>No mass.<br>{CANARY}</p><table><tr><td>a</table>".encode(),),
        words=(
            b"<",
            b">",
            b"<!--",
            b"-->",
            b"<script>",
            b"</script",
            b"&#x110000;",
            b"&",
            b"<p",
            b"='",
            b"<![CDATA[",
        ),
        nests=((b"<div>", b"</div>"), (b"<table><tr><td>", b"</td></tr></table>"), (b"<!", b">")),
    )
    yield Harness(
        name="report-reader",
        parse=lambda content: reader.read(content.decode("utf-8", "replace")),
        named=(InputError,),
        samples=(REPORT.encode(), *(sentence.encode() for sentence in SENTENCES)),
        words=(
            *(
                b"no ",
                b"not ",
                b"without ",
                b"or ",
                b"and ",
                b", ",
                b". ",
                b": ",
                b"\n",
                b"\t",
                b"- ",
                b"1. ",
            ),
            *(
                b"right ",
                b"left ",
                b"bilateral ",
                b"nodule ",
                b"mass ",
                b"effusion ",
                b"FINDINGS:",
                b"IMPRESSION:",
            ),
            *(
                b"12 mm ",
                b"3 x 4 x 5 cm ",
                b"unchanged ",
                b"cannot be excluded ",
                b"Dr. ",
                b"[ ]",
                b"[x]",
                b"____",
            ),
        ),
        nests=((b"(no ", b")"), (b"no ", b""), (b"1", b""), (b"mass, ", b""), (b"a.", b"")),
        share=0.3,
    )


JSON_WORDS = (
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\u0000", b"\\ud800", b"null", b"true", b"1e999", b"NaN"),
    *(
        b'"resourceType":',
        b'"Bundle"',
        b'"reference":"#r1"',
        b'"contained":',
        b'"data":"!"',
        b'"status":"final"',
    ),
)
JSON_NESTS = ((b"[", b"]"), (b'{"a":', b"}"))


def unframe(content: bytes) -> None:
    """Give the stream to readers in pieces of several sizes: all must find the same messages."""
    found, content = [], content[: 2 * MESSAGE_BYTES_MAX]
    for size in PIECES:
        reader = FrameReader(message_bytes_max=MESSAGE_BYTES_MAX)
        try:
            messages = [
                message
                for start in range(0, len(content), size)
                for message in reader.feed(content[start : start + size])
            ]
        except MllpError:
            messages = None
        found.append(messages)
    whole = [messages for messages in found if messages is not None]
    if any(messages != whole[0] for messages in whole):
        raise AssertionError("the messages depend on how the stream was cut")


def message(content: bytes) -> None:
    """Read a message as the listener does, and make the acknowledgement that it would get."""
    header = read_header(content)
    verdict = ACCEPTED
    try:
        read_reports(read_message(content, default_charset="utf-8"), content, SETTINGS, source="test")
    except InputError as error:
        verdict = verdict_on(error)
    answers = acknowledgements(header, verdict, now=NOW)
    if any(CANARY.encode() in answer for answer in answers):
        raise AssertionError("the acknowledgement repeats what a report says")


def submission(content: bytes) -> None:
    """Read a document; what is wrong with one of its reports is an error too."""
    error = read_submission(content, source="test").error
    if error is not None:
        raise error


class Part:
    """Takes the bytes of a part and holds the splitter to its word."""

    def __init__(self, _: dict[str, str]) -> None:
        self.has_ended = False

    def write(self, data: bytes) -> None:
        self._must_be_open()

    def finish(self) -> None:
        self._must_be_open()
        self.has_ended = True

    def discard(self, reason: FramingError | None) -> None:
        self._must_be_open()
        self.has_ended = True

    def _must_be_open(self) -> None:
        if self.has_ended:
            raise AssertionError("a part that has ended is given more")


def split(content: bytes) -> None:
    """Split a body that comes in pieces; each part ends once."""
    parts: list[Part] = []

    def open_part(headers: dict[str, str]) -> Part:
        parts.append(Part(headers))
        return parts[-1]

    splitter = MultipartSplitter(BOUNDARY, open_part)
    try:
        for start in range(0, len(content), PIECES[1]):
            splitter.feed(content[start : start + PIECES[1]])
        splitter.close()
    finally:
        splitter.abandon()
    if not all(part.has_ended for part in parts):
        raise AssertionError("a part is left open")


def as_json(**values: object) -> bytes:
    """Return an object of these values."""
    return json.dumps(values).encode()
