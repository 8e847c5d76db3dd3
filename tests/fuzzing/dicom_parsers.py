"""Parsers of DICOM: elements, header, documents, frames, codestreams; addresses of QIDO-RS and WADO-RS."""

import struct
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from models.codestream import stated_size
from models.dicom import read_header as read_image_header
from models.elements import read_elements
from models.stored import locate_frames
from overread.errors import InputError
from service.dicomweb.stow import make_stow_app
from service.intake.documents import read_document
from service.intake.header import read_header
from service.settings import load_settings
from service.store.database import open_store
from service.web.guard import access_for
from tests.fuzzing.asking import opened
from tests.fuzzing.harness import CANARY, Harness
from tests.service.intake.narratives import (
    FINDINGS,
    document_bytes,
    pdf_object_bytes,
    said,
    section,
    sr_bytes,
)
from tests.service.material import dicom_bytes, send_image
from tests.service.narrative.pdfs import pdf_of
from tests.service.web.listening import opener

CDA = "1.2.840.10008.5.1.4.1.1.104.2"
NAME = f"{CANARY}^Jane"
WANTED = (0x00080018, 0x0020000D, 0x00100020, 0x00280010, 0x00280011)
_ITEM, _END, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0"
_UNDEFINED = b"\xff" * 4
_SEQUENCE = b"\x08\x00\x40\x11SQ\0\0" + _UNDEFINED
WORDS = (
    _ITEM,
    _END + bytes(4),
    _SEQUENCE_END + bytes(4),
    _ITEM + _UNDEFINED,
    _SEQUENCE,
    b"\xe0\x7f\x10\x00OB\0\0" + _UNDEFINED,
    b"\x28\x00\x10\x00US\x02\0",
    b"\x10\x00\x20\x00LO",
    b"\x08\x00\x05\x00CS\x0a\0ISO_IR 192",
    *(uid.encode() for uid in (ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)),
    *(representation.encode() for representation in ("UN", "OB", "SQ", "PN", "UT", "IS", "DS", "AT", "OW")),
    b"DICM",
)
NESTS = ((_SEQUENCE + _ITEM + _UNDEFINED, _END + bytes(4) + _SEQUENCE_END + bytes(4)),)
IMAGE = dicom_bytes(PatientName=NAME)
SR = sr_bytes(section(FINDINGS, said(CANARY)), PatientName=NAME)
CDA_TEXT = (
    '<ClinicalDocument xmlns="urn:hl7-org:v3"><component><structuredBody><component><section>'
    f"<title>Findings</title><text>{CANARY}</text>"
    "</section></component></structuredBody></component></ClinicalDocument>"
).encode()


def encapsulated_cda() -> bytes:
    """An Encapsulated CDA (PS3.3 section A.45.2)."""
    return document_bytes(
        CDA,
        Modality="DOC",
        PatientName=NAME,
        DocumentTitle="Radiology Report",
        MIMETypeOfEncapsulatedDocument="text/xml",
        EncapsulatedDocument=CDA_TEXT + bytes(len(CDA_TEXT) % 2),
    )


def parsers(stack: ExitStack) -> Iterator[Harness]:
    """Yield the harnesses; what they need ends with the stack."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="overread-fuzzing-")))
    file = folder / "object"

    def with_file(content: bytes) -> Path:
        file.write_bytes(content)
        return file

    def document(content: bytes) -> None:
        path = with_file(content)
        found = read_document(path, read_header(path), source="test")
        if found is not None and found.error is not None:
            raise found.error

    def frames(content: bytes) -> None:
        path = with_file(content)
        locate_frames(path, read_image_header(path))

    images = (IMAGE, dicom_bytes(PatientName=NAME, NumberOfFrames=4, Rows=4, Columns=4))
    yield Harness(
        name="elements",
        parse=lambda content: read_elements(content, WANTED),
        named=(InputError,),
        samples=(*images, SR),
        words=WORDS,
        nests=NESTS,
    )
    yield Harness(
        name="header",
        parse=lambda content: read_header(with_file(content)),
        named=(InputError,),
        samples=(*images, SR),
        words=WORDS,
        nests=NESTS,
    )
    yield Harness(
        name="documents",
        parse=document,
        named=(InputError,),
        samples=(SR, SR, encapsulated_cda()),
        words=(*WORDS, b"CONTAINS", b"TEXT", b"NUM", b"CODE", b"11528-7", b"<section>", b"<!DOCTYPE x>"),
        nests=(*NESTS, (b"<section><component>", b"</component></section>")),
    )
    yield Harness(
        name="encapsulated-pdf",
        parse=document,
        named=(InputError,),
        samples=(pdf_object_bytes(pdf_of(f"FINDINGS: {CANARY}"), PatientName=NAME),),
        words=(*WORDS, b"/FlateDecode", b"endobj", b"1 0 R", b"<<", b">>", b"stream\n", b"[", b"/Kids"),
        nests=((b"<<", b">>"), (b"[", b"]")),
        share=0.02,  # a process each
    )
    yield Harness(
        name="frames",
        parse=frames,
        named=(InputError,),
        samples=images,
        words=WORDS,
        nests=NESTS,
    )
    yield Harness(
        name="codestream",
        parse=stated_size,
        named=(),
        samples=(_jpeg(), _jpeg_2000()),
        words=(b"\xff\xd8", b"\xff\xc0", b"\xff\xff", b"\xff\x4f\xff\x51", b"\xff\xf7", b"\xff\xda"),
    )
    yield from archive(stack, folder)


def archive(stack: ExitStack, folder: Path) -> Iterator[Harness]:
    """Yield those of addresses, which are asked of the real application over a real store."""
    settings = load_settings({}, data_folder=folder / "data").model_copy(update={"free_bytes_min": 0})
    store = open_store(settings)
    stack.callback(store.close)
    send_image(store, IMAGE)
    application = opened(make_stow_app(opener(store), access_for("127.0.0.1", None)), stack)
    instance = b"/studies/2.25.1/series/2.25.1.1/instances/2.25.1.1.1/"

    def ask(path: bytes, query: bytes, accept: bytes = b"*/*") -> None:
        status, body = application(path, query, accept)
        if not 200 <= status < 500:
            raise AssertionError(f"status {status}")
        if status >= 400 and CANARY.encode() in body:
            raise AssertionError("the answer repeats what was asked")

    def wado(content: bytes) -> None:
        path, _, rest = content.partition(b"?")
        query, _, accept = rest.partition(b"\n")
        ask(instance + path, query, accept)

    yield Harness(
        name="qido",
        parse=lambda content: ask(_level(content), content[1:]),
        named=(),
        samples=(
            f"0PatientName={CANARY}*&StudyDate=20260101-20260401&limit=3&offset=0".encode(),
            b"1Modality=DX&includefield=all&00080060=CT&fuzzymatching=true",
            b"2SOPInstanceUID=2.25.1%5C2.25.2&00400275.00400009=STEP1&includefield=00280010",
        ),
        words=(
            b"&",
            b"=",
            b"%00",
            b"%5C",
            b"*",
            b"?",
            b"-",
            b"StudyTime=",
            b"limit=",
            b"includefield=",
            b"%FF",
        ),
        share=0.2,
    )
    yield Harness(
        name="wado",
        parse=wado,
        named=(),
        samples=(
            f"rendered?window=10,20,linear&viewport=64,64&quality=50&x={CANARY}\nimage/png".encode(),
            b'frames/1,1,1?accept=image/jpeg\nmultipart/related; type="application/octet-stream"',
            b"frames/1/rendered?window=1e3,2\nimage/jpeg;q=0.3, */*;q=0.1",
            b'metadata?\napplication/dicom+json;transfer-syntax="*"',
            b"?accept=application/dicom\nmultipart/related;type=application/dicom;transfer-syntax=1.2.3",
        ),
        words=(
            b"frames/",
            b",",
            b"1",
            b"window=",
            b"viewport=",
            b"quality=",
            b"nan",
            b"\n",
            b";q=",
            b'"',
            b"*/*",
        ),
        share=0.2,
    )


def _level(content: bytes) -> bytes:
    return (b"/studies", b"/series", b"/instances")[content[0] % 3] if content else b"/studies"


def _jpeg() -> bytes:
    return b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08\x00\x10\x00\x20\x01\x01\x11\x00\xff\xd9"


def _jpeg_2000() -> bytes:
    sizes = struct.pack(">HHIIIIIIIIHBBB", 41, 0, 32, 16, 0, 0, 32, 16, 0, 0, 1, 7, 1, 1)
    return b"\0\0\0\x0cjP  \r\n\x87\n" + b"\xff\x4f\xff\x51" + sizes + b"\xff\xd9"
