"""All parsers that take what others send or write."""

from collections.abc import Iterator
from contextlib import ExitStack

from tests.fuzzing import dicom_parsers, file_parsers, message_parsers
from tests.fuzzing.harness import Harness

NAMES = (
    *("elements", "header", "documents", "encapsulated-pdf", "frames", "codestream", "qido", "wado"),
    *("hl7-framing", "hl7", "fhir", "multipart", "content-type", "cda", "html", "report-reader"),
    *("cohort", "table-csv", "table-jsonl", "policy", "manifest", "settings"),
)


def harnesses(stack: ExitStack) -> Iterator[Harness]:
    """Yield every harness; what they need ends with the stack."""
    for module in (dicom_parsers, message_parsers, file_parsers):
        yield from module.parsers(stack)
