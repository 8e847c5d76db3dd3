"""The text of a CDA document (HL7 Clinical Document Architecture, release 2)."""

from collections.abc import Iterator
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from overread.errors import InvalidReportError
from service.narrative.markup import text_of_markup

_NAMESPACE = "{urn:hl7-org:v3}"
DEPTH_MAX = 100  # elements within elements
ELEMENTS_MAX = 50_000
_STANDS_FOR = {"item": "li", "list": "ul", "paragraph": "p"}  # CDA section 4.3.5 and HTML


def text_of_cda(content: bytes) -> str:
    """Return headings and text of the sections of the body, in order.

    Raises:
        InvalidReportError: it is no well-formed CDA document, defines entities, or has no structured body.
    """
    sections = _root(content).iter(f"{_NAMESPACE}section")
    return "\n\n".join(part for section in sections if (part := _section(section)))


def _root(content: bytes) -> Element:
    try:
        root = ET.fromstring(content, ET.XMLParser(target=_BoundedBuilder()))  # noqa: S314  # bounded below
    except (ET.ParseError, LookupError, ValueError):
        raise InvalidReportError("the CDA document is not well-formed XML") from None
    if root.tag != f"{_NAMESPACE}ClinicalDocument":
        raise InvalidReportError("the XML is no CDA document: its root is not ClinicalDocument")
    return root


class _BoundedBuilder(ET.TreeBuilder):
    """Builds a tree of a size that a report may have; a sender defines no entities."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._elements = 0

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:  # noqa: ARG002  # as called
        """Refuse a document type, in which entities could be defined."""
        raise InvalidReportError("the CDA document has a DOCTYPE, which is not read")

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        """Begin an element."""
        self._depth += 1
        self._elements += 1
        if self._depth > DEPTH_MAX or self._elements > ELEMENTS_MAX:
            raise InvalidReportError("the CDA document has far more elements than any report")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        """End an element."""
        self._depth -= 1
        return super().end(tag)


def _section(section: Element) -> str:
    title = _plain(section.find(f"{_NAMESPACE}title"))
    text = _plain(section.find(f"{_NAMESPACE}text"))
    return f"{title}:\n{text}" if title and text else text


def _plain(element: Element | None) -> str:
    """Return the text of a title or a text; its elements are nearly those of HTML (CDA section 4.3.5)."""
    return "" if element is None else text_of_markup("".join(_content(element)))


def _content(element: Element) -> Iterator[str]:
    """Give what is in an element as HTML."""
    yield _escaped(element.text)
    for child in element:
        name = child.tag.removeprefix(_NAMESPACE)
        name = _STANDS_FOR.get(name, name)
        yield f"<{name}>"
        yield from _content(child)
        yield f"</{name}>"
        yield _escaped(child.tail)


def _escaped(text: str | None) -> str:
    return (text or "").replace("&", "&amp;").replace("<", "&lt;")
