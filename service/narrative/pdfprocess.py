"""Reads a PDF on standard input and writes its text: `python -m service.narrative.pdfprocess`.

Time and memory are bounded by the kernel, because no library can bound what a hostile file makes it do.
"""

import io
import logging
import resource
import sys

from pypdf import PdfReader

_PROCESSOR_SECONDS = 8
_MEMORY_BYTES = 1 << 30
_PAGES_MAX = 200
_CHARACTERS_MAX = 1 << 20


def main() -> None:
    """Write the text of each page, with a blank line between them."""
    resource.setrlimit(resource.RLIMIT_CPU, (_PROCESSOR_SECONDS, _PROCESSOR_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    logging.disable()  # the library's remarks may quote the content
    reader = PdfReader(io.BytesIO(sys.stdin.buffer.read()))
    if len(reader.pages) > _PAGES_MAX:
        sys.exit(1)
    written = 0
    for page in reader.pages:
        text = page.extract_text().strip()
        written += len(text)
        if written > _CHARACTERS_MAX:
            sys.exit(1)
        sys.stdout.buffer.write(f"{text}\n\n".encode("utf-8", "replace"))


if __name__ == "__main__":
    main()
