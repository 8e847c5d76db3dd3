"""The text of a FHIR DiagnosticReport."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator
from email.message import Message
from typing import cast

from overread.errors import InvalidReportError
from service.fhir.bundled import Bundled, Collection
from service.fhir.resources import (
    Attachment,
    Binary,
    DiagnosticReport,
    DocumentReference,
    Observation,
)
from service.narrative.form import READABLE, text_of_document, type_words
from service.narrative.markup import text_of_markup

_IMPRESSION = re.compile(r"^\s*(impression|conclusion|opinion)s?\b", re.IGNORECASE | re.MULTILINE)
_WITHDRAWN = frozenset({"cancelled", "entered-in-error"})  # Observation.status
_BLANKS = re.compile(r"\s+")


def text_of_report(entry: Bundled, report: DiagnosticReport, collection: Collection) -> str:
    """Return the whole report: as it is presented, else its results and conclusion, else its narrative.

    What a report presents counts, even if it cannot be read: the conclusion would be a part of it only, and
    what it leaves out would seem not to have been reported. The text is empty where there is none.

    Raises:
        InvalidReportError: a form is presented, but none can be read, or its document did not come with it.
        OutOfResourcesError: it cannot be read now.
    """
    if report.presented_form:
        return _presented(entry, report.presented_form, collection)
    results = "\n".join(_results(entry, report, collection))
    if report.conclusion and report.conclusion.strip():
        return "\n".join((results, _headed(report.conclusion)) if results else (_headed(report.conclusion),))
    return results or text_of_markup(report.text.div)


def _presented(entry: Bundled, forms: Iterable[Attachment], collection: Collection) -> str:
    """Return the text of the form that loses least; all are of the same content (R4, R5)."""
    documents = [_Document.of(form, entry, collection) for form in forms]
    readable = sorted(
        (document for document in documents if document.media_type in READABLE and document.data),
        key=lambda document: (not document.is_english, READABLE.index(document.media_type)),
    )
    if readable:
        return readable[0].text()
    if all(not document.data for document in documents):
        raise InvalidReportError(
            "the document of its presentedForm did not come with it; send it in the bundle"
        )
    kinds = ", ".join(sorted({type_words(document.media_type) for document in documents}))
    raise InvalidReportError(f"its presentedForm cannot be read ({kinds}); send it as text, HTML or PDF")


class _Document:
    """A form of the report, its bytes still as base64."""

    def __init__(self, content_type: str, data: str, form: Attachment) -> None:
        header = Message()
        header["Content-Type"] = _BLANKS.sub(" ", content_type)
        self.media_type = content_type.partition(";")[0].strip().lower()
        self.data = data
        self.is_english = not form.language or form.language.lower().startswith("en")
        self._charset = cast(str, header.get_param("charset", "utf-8"))
        self._hash = form.hash

    @classmethod
    def of(cls, form: Attachment, entry: Bundled, collection: Collection) -> "_Document":
        """Return a form with its data, which may stand in a Binary or DocumentReference of the bundle."""
        content_type, data = form.content_type or "", form.data or ""
        found = collection.find(form.url, entry) if not data else None
        if found is not None and isinstance(found.resource, DocumentReference):
            attachments = [content.attachment for content in found.resource.content]
            if attachments:
                first = attachments[0]
                content_type, data = first.content_type or content_type, first.data or ""
                found = collection.find(first.url, found) if not data else None
        if found is not None and isinstance(found.resource, Binary):
            content_type, data = found.resource.content_type or content_type, found.resource.data or ""
        return cls(content_type, data, form)

    def text(self) -> str:
        """Return the text of the document."""
        try:
            content = base64.b64decode(_BLANKS.sub("", self.data), validate=True)
        except (binascii.Error, ValueError):
            raise InvalidReportError("the data of its presentedForm are not base64; send it again") from None
        if self._hash is not None:
            digest = hashlib.sha1(content, usedforsecurity=False).digest()  # as Attachment.hash asks for
            if _BLANKS.sub("", self._hash) != base64.b64encode(digest).decode():
                raise InvalidReportError(
                    "the data of its presentedForm have another hash than it says; send it again"
                )
        return text_of_document(content, self.media_type, charset=self._charset)


def _results(entry: Bundled, report: DiagnosticReport, collection: Collection) -> Iterator[str]:
    """Give the text of each Observation: where an OBX of type TX, FT or ST goes (HL7 v2-to-FHIR, OBX[TX])."""
    for reference in report.result:
        found = collection.find(reference.reference, entry)
        observation = found.resource if found is not None else None
        if not isinstance(observation, Observation) or observation.status in _WITHDRAWN:
            continue
        if text := (observation.value_string or "").strip():
            yield text


def _headed(conclusion: str) -> str:
    """Return the conclusion under its heading."""
    return conclusion if _IMPRESSION.search(conclusion) else f"IMPRESSION:\n{conclusion}"
