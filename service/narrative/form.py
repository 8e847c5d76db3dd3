"""The text of a document by its media type: the forms that reports are sent in."""

from overread.errors import InvalidReportError
from service.narrative.cda import text_of_cda
from service.narrative.markup import text_of_markup
from service.narrative.pdf import text_of_pdf

_PLAIN = ("text/plain", "text/markdown")
_MARKUP = ("text/html", "application/xhtml+xml")
_CDA = ("text/xml", "application/xml", "application/hl7-cda+xml", "application/cda+xml")
_PDF = ("application/pdf",)
_SENT_BY_MISTAKE = frozenset(
    {
        "application/rtf",
        "text/rtf",
        "application/msword",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/dicom",
        "application/octet-stream",
        "application/json",
        "application/postscript",
        "image/jpeg",
        "image/png",
        "image/tiff",
    }
)
READABLE = (*_PLAIN, *_MARKUP, *_CDA, *_PDF)
"""Media types that can be read, those that lose least first."""


def text_of_document(content: bytes, media_type: str, *, charset: str = "utf-8") -> str:
    """Return the text of a document.

    Args:
        content: its bytes.
        media_type: in lower case, without parameters.
        charset: of text and HTML; a name that Python knows.

    Raises:
        InvalidReportError: it is of another type than READABLE, or not what its type says.
        OutOfResourcesError: it cannot be read now.
    """
    if media_type in _PLAIN:
        return _decoded(content, charset)
    if media_type in _MARKUP:
        return text_of_markup(_decoded(content, charset))
    if media_type in _CDA:
        return text_of_cda(content)
    if media_type in _PDF:
        return text_of_pdf(content)
    raise InvalidReportError(
        f"a report of type {type_words(media_type)} cannot be read; send it as text or as PDF"
    )


def type_words(media_type: str) -> str:
    """Return a media type as a message names it: one that nobody knows is not repeated.

    Senders mix up fields, and then a patient's name stands there.
    """
    return media_type if media_type in _SENT_BY_MISTAKE else "unknown" if media_type else "none"


def _decoded(content: bytes, charset: str) -> str:
    try:
        return content.decode(charset)
    except (LookupError, UnicodeError):
        raise InvalidReportError(
            "the report cannot be decoded in the charset that it names; name the one it is in"
        ) from None
