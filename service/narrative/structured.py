"""The text of a narrative DICOM SR document, such as Basic Diagnostic Imaging Report (PS3.16 TID 2000)."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from models.dicom import BROKEN_INPUT, numbers, text
from models.vendor_results.tree import code_of
from overread.errors import InvalidReportError

DEPTH_MAX = 40
ITEMS_MAX = 5_000
# PS3.16 CID 7001 and CID 7002, by code: LOINC and the DCM codes that earlier editions had.
_HEADINGS = {
    ("LN", "55752-0"): "CLINICAL INFORMATION",
    ("LN", "11329-0"): "HISTORY",
    ("DCM", "121060"): "HISTORY",
    ("LN", "18785-6"): "INDICATION",
    ("DCM", "121109"): "INDICATION",
    ("LN", "55115-0"): "REASON FOR STUDY",
    ("DCM", "121062"): "REASON FOR STUDY",
    ("LN", "55108-5"): "SYMPTOMS",
    ("DCM", "121110"): "SYMPTOMS",
    ("LN", "55111-9"): "TECHNIQUE",
    ("DCM", "121064"): "TECHNIQUE",
    ("DCM", "121065"): "TECHNIQUE",
    ("LN", "55114-3"): "PRIOR STUDIES",
    ("DCM", "121066"): "PRIOR STUDIES",
    ("DCM", "121067"): "PRIOR STUDIES",
    ("LN", "18834-2"): "COMPARISON",
    ("DCM", "121068"): "COMPARISON",
    ("DCM", "121069"): "COMPARISON",
    ("LN", "59776-5"): "FINDINGS",
    ("DCM", "121070"): "FINDINGS",
    ("DCM", "121071"): "FINDINGS",
    ("LN", "19005-8"): "IMPRESSION",
    ("DCM", "121072"): "IMPRESSION",
    ("DCM", "121073"): "IMPRESSION",
    ("LN", "55110-1"): "CONCLUSIONS",
    ("DCM", "121076"): "CONCLUSIONS",
    ("DCM", "121077"): "CONCLUSIONS",
    ("LN", "55112-7"): "SUMMARY",
    ("DCM", "121111"): "SUMMARY",
    ("LN", "18783-1"): "RECOMMENDATION",
    ("DCM", "121074"): "RECOMMENDATION",
    ("DCM", "121075"): "RECOMMENDATION",
    ("LN", "55107-7"): "ADDENDUM",
    ("DCM", "121078"): "ADDENDUM",
}
_KNOWN = frozenset(_HEADINGS.values())
# Relationships (PS3.3 table C.17.3-8) to what is said about the document, and not in it.
_ABOUT = frozenset({"HAS OBS CONTEXT", "HAS CONCEPT MOD", "HAS ACQ CONTEXT"})


@dataclass(frozen=True, slots=True)
class _Line:
    heading: str
    text: str


def text_of_structured(document: Dataset) -> str:
    """Return the text of a document: each section under its heading, in order.

    Texts stand as they are; codes and numbers as "concept: value". Names, references and graphics are left
    out, and what is said of observer, language and circumstances.

    Raises:
        InvalidReportError: its content is broken, too large or nested too deep, or holds no text.
    """
    try:
        lines = list(_Reader().lines(document, heading="", depth=0))
    except InvalidReportError:
        raise
    except BROKEN_INPUT as error:
        raise InvalidReportError(f"the content of the document is broken: {type(error).__name__}") from None
    parts = []
    for heading, section in groupby(lines, key=lambda line: line.heading):
        body = "\n".join(line.text for line in section)
        parts.append(f"{heading}:\n{body}" if heading else body)
    if not parts:
        raise InvalidReportError("the document holds no text")
    return "\n\n".join(parts)


class _Reader:
    """Goes over the content items of one document."""

    def __init__(self) -> None:
        self._left = ITEMS_MAX

    def lines(self, item: Dataset, *, heading: str, depth: int) -> Iterator[_Line]:
        """Give what an item says and what is below it, in order."""
        self._left -= 1
        if self._left < 0 or depth > DEPTH_MAX:
            raise InvalidReportError(
                f"the document has more than {ITEMS_MAX} items or {DEPTH_MAX} levels of them"
            )
        kind = text(item, "ValueType")
        concept = code_of(item, "ConceptNameCodeSequence")
        known = _HEADINGS.get((concept.scheme_designator, concept.value)) if concept else None
        if kind == "CONTAINER" and depth > 0:
            heading = known or (concept.meaning.upper() if concept else "") or heading
        elif known and heading not in _KNOWN:  # what a section of a known kind holds is of that kind
            heading = known
        if said := _said(item, kind, "" if known or concept is None else concept.meaning):
            yield _Line(heading, said)
        for child in item.get("ContentSequence") or ():
            if text(child, "RelationshipType") not in _ABOUT:
                yield from self.lines(child, heading=heading, depth=depth + 1)


def _said(item: Dataset, kind: str, label: str) -> str:
    """Return what an item itself says, after its label; empty where that is nothing for a reader."""
    match kind:
        case "TEXT":
            value = "\n".join(str(item.get("TextValue") or "").splitlines()).strip()
        case "CODE":
            value = _meaning(code_of(item, "ConceptCodeSequence"))
        case "NUM":
            value = _measured(item)
        case _:
            value = ""
    return f"{label}: {value}" if label and value else value


def _measured(item: Dataset) -> str:
    for entry in item.get("MeasuredValueSequence") or ():
        if values := numbers(entry, "NumericValue"):
            unit = code_of(entry, "MeasurementUnitsCodeSequence")
            shown = "" if unit is None or unit.value in {"1", "{}"} else f" {unit.value}"
            return f"{values[0]:g}{shown}"
    return ""


def _meaning(code: Code | None) -> str:
    return "" if code is None else code.meaning
