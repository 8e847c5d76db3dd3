"""The text of a PDF, read in a child process: a hostile one costs that process, not the listener."""

import io
import logging
from functools import cache

from pypdf import PdfReader

from overread.errors import InvalidReportError, LostProcessError, OverLimitError
from service.confined.kernel_limit import take_at_most
from service.confined.limits import Limits
from service.confined.pool import ConfinedPool
from service.error_boundary import ErrorBoundary

_MEMORY_BYTES = 1 << 30
LIMITS = Limits(wall_seconds=10.0, cpu_seconds=8.0, memory_bytes=_MEMORY_BYTES, answer_bytes=1 << 24)
_AT_ONCE = 2  # each may take a gigabyte
_PAGES_MAX = 200
_CHARACTERS_MAX = 1 << 20
_UNREADABLE = "the PDF cannot be read: damaged, locked by a password, or far too large"


def text_of_pdf(content: bytes) -> str:
    """Return the text of a PDF in the order in which it stands there.

    Raises:
        InvalidReportError: it cannot be read, is locked by a password, or holds no text: a scanned page.
        OutOfResourcesError: no process is free or can be started now.
    """
    try:
        text = _readers().call(LIMITS, PdfTexts.read, content)
    except OverLimitError as error:
        raise InvalidReportError(f"{error}; send the report as text") from None
    except LostProcessError:
        raise InvalidReportError(_UNREADABLE) from None
    if not any(character.isalnum() for character in text):
        raise InvalidReportError("the PDF holds no text: it may be a scanned page; send the report as text")
    return text


@cache  # one per process; its children end with it
def _readers() -> ConfinedPool["PdfTexts"]:
    return ConfinedPool(PdfTexts, what="the reading of a PDF", size=_AT_ONCE)


class PdfTexts:
    """What lives in a child process: it reads PDFs."""

    def __init__(self) -> None:
        take_at_most(_MEMORY_BYTES)
        logging.disable()  # the library's remarks may quote the content

    def read(self, content: bytes) -> str:
        """Return the text of each page, with a blank line after it.

        Raises:
            InvalidReportError: it cannot be read. What the library says may quote the content.
        """
        with ErrorBoundary():
            return _text_of(content)
        raise InvalidReportError(_UNREADABLE)


def _text_of(content: bytes) -> str:
    reader = PdfReader(io.BytesIO(content))
    if len(reader.pages) > _PAGES_MAX:
        raise InvalidReportError(_UNREADABLE)
    pages, characters = [], 0
    for page in reader.pages:
        text = page.extract_text().strip()
        characters += len(text)
        if characters > _CHARACTERS_MAX:
            raise InvalidReportError(_UNREADABLE)
        pages.append(f"{text}\n\n")
    return "".join(pages).encode("utf-8", "replace").decode("utf-8")
