import io
import time

import matplotlib.pyplot as plt
import pytest
from pypdf import PdfReader, PdfWriter

from overread.errors import InvalidReportError
from service.narrative.form import text_of_document
from service.narrative.markup import text_of_markup
from tests.service.narrative.pdfs import pdf_of


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("One<br/>Two<BR>Three", "One\nTwo\nThree"),
        ("<ul><li>One</li><li>Two</li></ul>", "One\n\nTwo"),
        ("<table><tr><td>Heart</td><td>normal</td></tr></table>", "Heart normal"),
        ("A <b>mass</b> of 5&#160;mm &amp; more", "A mass of 5 mm & more"),
        ("wrapped\nin the\nsource", "wrapped in the source"),
        ("nodule < 5 mm and > 2 mm, a<b", "nodule < 5 mm and > 2 mm, a"),
        ("<head><title>T</title><style>p {}</style></head><p>Seen</p><script>alert('<p>')</script>", "Seen"),
        ("<!-- <p>no</p> --><p>yes</p>", "yes"),
        ("<script/>seen", "seen"),
        ("plain", "plain"),
        ("", ""),
        ("ends in <p", "ends in"),
    ],
)
def test_markup_becomes_the_text_that_a_browser_shows(markup: str, text: str) -> None:
    assert text_of_markup(markup) == text


@pytest.mark.parametrize(
    "piece", ["<!--", "<a ", "<a b='", "</", "<", "<![CDATA[", "&#", "<script>", "<p>", "-->"]
)
def test_a_megabyte_of_broken_markup_takes_no_longer_than_one_of_text(piece: str) -> None:
    started = time.process_time()

    text_of_markup(piece * ((1 << 20) // len(piece)))

    assert time.process_time() - started < 5


def cda(body: str) -> bytes:
    return f'<ClinicalDocument xmlns="urn:hl7-org:v3">{body}</ClinicalDocument>'.encode()


def test_the_sections_of_a_cda_document_keep_their_headings() -> None:
    body = (
        "<component><section><title>Findings</title><text>A <content>mass</content>.<br/>Else clear."
        "<list><item>one</item><item>two</item></list></text></section></component>"
        "<section><text>No title.</text></section><section><title>Empty</title><text/></section>"
    )

    assert text_of_document(cda(body), "text/xml") == (
        "Findings:\nA mass.\nElse clear.\n\none\n\ntwo\n\nNo title."
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<a/>", "no CDA document"),
        (b"<a>", "not well-formed"),
        (b"", "not well-formed"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "not well-formed"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "DOCTYPE"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'.encode("utf-16"), "DOCTYPE"),
        (cda("<a>" * 101 + "</a>" * 101), "far more elements"),
        (cda("<a/>" * 50_001), "far more elements"),
    ],
)
def test_what_is_no_proper_cda_document_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(InvalidReportError, match=reason):
        text_of_document(content, "text/xml")


def test_the_text_of_a_pdf_of_another_maker_is_read_page_by_page() -> None:
    buffer = io.BytesIO()
    with plt.rc_context({"pdf.fonttype": 42}):
        figure = plt.figure()
        figure.text(0.1, 0.5, "There is a mass of 5 cm.")
        figure.savefig(buffer, format="pdf")
        plt.close(figure)
    writer = PdfWriter(clone_from=PdfReader(buffer))
    writer.append(io.BytesIO(pdf_of("Second page.")))
    both = io.BytesIO()
    writer.write(both)

    lines = text_of_document(both.getvalue(), "application/pdf").split("\n")

    assert [line for line in lines if line.strip()] == ["There is a mass of 5 cm.", "Second page."]


def locked() -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf_of("Secret."))))
    writer.encrypt("password", algorithm="RC4-128")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(pdf_of(), "holds no text", id="scanned"),
        pytest.param(pdf_of("x")[:300], "cannot be read", id="cut"),
        pytest.param(b"", "cannot be read", id="empty"),
        pytest.param(locked(), "cannot be read", id="locked"),
        pytest.param(pdf_of("x" * ((1 << 20) + 1)), "cannot be read", id="long"),
    ],
)
def test_a_pdf_that_gives_no_text_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(InvalidReportError, match=reason):
        text_of_document(content, "application/pdf")


def test_a_form_that_nobody_can_read_is_refused() -> None:
    with pytest.raises(InvalidReportError, match="application/rtf"):
        text_of_document(b"{\\rtf1}", "application/rtf")
