"""The text of a PDF, read in a process of its own: a hostile one costs that process, not the listener."""

import subprocess
import sys
import threading

from overread.errors import InvalidReportError, OutOfResourcesError

SECONDS_MAX = 10
_AT_ONCE = threading.BoundedSemaphore(2)  # each may take a gigabyte


def text_of_pdf(content: bytes) -> str:
    """Return the text of a PDF in the order in which it stands there.

    Raises:
        InvalidReportError: it cannot be read, is locked by a password, or holds no text: a scanned page.
        OutOfResourcesError: no process can be started now.
    """
    try:
        with _AT_ONCE:
            done = subprocess.run(
                [sys.executable, "-m", "service.narrative.pdfprocess"],
                input=content,
                capture_output=True,
                timeout=SECONDS_MAX,
                check=False,
            )
    except subprocess.TimeoutExpired:
        raise InvalidReportError(
            f"the PDF cannot be read within {SECONDS_MAX} s; send the report as text"
        ) from None
    except OSError as error:
        raise OutOfResourcesError("no process can be started to read a PDF; try again later") from error
    if done.returncode != 0:
        # What the library says may quote the content.
        raise InvalidReportError("the PDF cannot be read: damaged, locked by a password, or far too large")
    text = done.stdout.decode("utf-8")
    if not any(character.isalnum() for character in text):
        raise InvalidReportError("the PDF holds no text: it may be a scanned page; send the report as text")
    return text
