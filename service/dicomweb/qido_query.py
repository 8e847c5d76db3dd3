"""The query of a QIDO-RS request (PS3.18 sections 8.3.4 and 10.6.1): from parameters to conditions."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from starlette.exceptions import HTTPException

from service.store.archive import Attribute, Between, Condition, Level, Like, OneOf

PAGE_MAX = 1000  # results in an answer; the next page is asked for by `offset`
OFFSET_MAX = 1 << 31
_KEYS_MAX = 64
_VALUE_MAX = 1 << 14  # characters; a list of 250 UIDs
_NOT_KEYS = frozenset({"accept", "charset", "includefield", "limit", "offset", "fuzzymatching"})
_HEX = re.compile(r"[0-9A-Fa-f]{8}")
_RANGED = {
    "DA": re.compile(r"[0-9]{8}"),
    "TM": re.compile(r"[0-9]{2,6}(\.[0-9]{1,6})?"),
    "DT": re.compile(r"[0-9]{4,14}(\.[0-9]{1,6})?"),
}
_UNMATCHED = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "UN"})
_LISTED = frozenset({"UI", "CS"})  # neither a UID nor a code may hold a comma
_LITERAL = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UI", "UL", "US", "UV"})  # without wildcards
_OF_STUDY = frozenset(
    {
        Attribute.STUDY_INSTANCE_UID,
        Attribute.PATIENT_ID,
        Attribute.ACCESSION_NUMBER,
        Attribute.STUDY_DATE,
        Attribute.MODALITIES_IN_STUDY,
        Attribute.SOP_CLASSES_IN_STUDY,
    }
)
_OF_SERIES = _OF_STUDY | {Attribute.SERIES_INSTANCE_UID, Attribute.MODALITY}
_KNOWN = {
    Level.STUDY: _OF_STUDY,
    Level.SERIES: _OF_SERIES,
    Level.INSTANCE: _OF_SERIES | {Attribute.SOP_INSTANCE_UID, Attribute.SOP_CLASS_UID},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderCondition:
    """A condition on an attribute that stands in the headers alone."""

    path: tuple[int, ...]  # the element, after the sequences that it is in
    condition: Condition

    def holds(self, header: dict[str, Any]) -> bool:
        """Whether a data set in the DICOM JSON Model fits."""
        datasets = [header]
        for tag in self.path[:-1]:
            datasets = _values(datasets, tag)
        return any(self._fits(value) for value in _values(datasets, self.path[-1]) if value is not None)

    def _fits(self, value: Any) -> bool:
        if isinstance(value, dict):  # a name: any of its forms, whatever its case (PS3.4 C.2.2.2.1)
            return any(_text_fits(form.upper().rstrip("^"), self.condition) for form in value.values())
        if isinstance(value, int | float):
            return isinstance(self.condition, OneOf) and value in map(_number, self.condition.values)
        if isinstance(self.condition, Between):
            return _lies_between(str(value), self.condition)
        return _text_fits(str(value), self.condition)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Conditions of a search request."""

    level: Level
    conditions: tuple[tuple[Attribute, Condition], ...]
    header_conditions: tuple[HeaderCondition, ...]
    fields: frozenset[int]  # further elements to return
    all_fields: bool
    limit: int
    offset: int
    fuzzy: bool  # asked for, and not offered


def parse_query(
    level: Level, parameters: Sequence[tuple[str, str]], within: Sequence[tuple[Attribute, str]] = ()
) -> Query:
    """Return the query of the parameters of a request for a level, within what its address names.

    Raises:
        HTTPException: 400, because a parameter is unknown or malformed; the text does not repeat its value.
    """
    if len(parameters) > _KEYS_MAX or any(len(value) > _VALUE_MAX for _, value in parameters):
        raise HTTPException(400, f"a query has {_KEYS_MAX} parameters of {_VALUE_MAX} characters at most")
    words = dict(parameters)
    included = [field for name, value in parameters if name == "includefield" for field in _split(value)]
    keys = [(_path(name), value) for name, value in parameters if name not in _NOT_KEYS]
    paths = [path for path, _ in keys] + [path for path in map(_steps, included) if path]
    matched, header_conditions = _conditions(level, keys)
    return Query(
        level=level,
        conditions=(*((attribute, OneOf(values=(uid,))) for attribute, uid in within), *matched),
        header_conditions=tuple(header_conditions),
        fields=frozenset(path[0] for path in paths),
        all_fields="all" in included,
        limit=min(_count(words.get("limit", str(PAGE_MAX))), PAGE_MAX),
        offset=_count(words.get("offset", "0")),
        fuzzy=words.get("fuzzymatching", "").lower() == "true",
    )


def _conditions(
    level: Level, keys: Sequence[tuple[tuple[int, ...], str]]
) -> tuple[list[tuple[Attribute, Condition]], list[HeaderCondition]]:
    """Return the conditions that the tables can answer, and those for which headers have to be read."""
    known: list[tuple[Attribute, Condition]] = []
    others: list[HeaderCondition] = []
    for path, value in keys:
        condition, attribute = _condition(path, value), _attribute(level, path)
        if condition is None:
            continue
        if attribute is None:
            others.append(HeaderCondition(path=path, condition=condition))
        else:
            known.append((attribute, condition))
    return known, others


def _split(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _count(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or len(text) > 10 or int(text) > OFFSET_MAX:
        raise HTTPException(400, "limit and offset are whole numbers that are not negative")
    return int(text)


def _steps(name: str) -> tuple[int, ...]:
    """Return the elements that a name such as "00400275.00400007" passes through; empty where it is none."""
    steps = [int(step, 16) if _HEX.fullmatch(step) else tag_for_keyword(step) for step in name.split(".")]
    path = tuple(step for step in steps if step is not None and keyword_for_tag(step))
    return path if len(path) == len(steps) else ()


def _path(name: str) -> tuple[int, ...]:
    path = _steps(name)
    if not path:
        raise HTTPException(400, "a parameter is no attribute: give a DICOM keyword or 8 hexadecimal digits")
    return path


def _attribute(level: Level, path: tuple[int, ...]) -> Attribute | None:
    """Return the attribute that the tables know; None where the headers have to be read."""
    try:
        attribute = Attribute(keyword_for_tag(path[-1]) if len(path) == 1 else "")
    except ValueError:
        return None
    if attribute not in _KNOWN[level]:
        raise HTTPException(400, f"{attribute.value} does not describe a {level.value.lower()}")
    return attribute


def _condition(path: tuple[int, ...], value: str) -> Condition | None:
    """Return what has to hold; None where every value fits (PS3.4 C.2.2.2.3)."""
    representation = dictionary_VR(path[-1])
    text = value.strip()
    if not text.strip("*"):
        return None
    if representation in _UNMATCHED or " or " in representation:
        raise HTTPException(400, f"{keyword_for_tag(path[-1])} cannot be searched for")
    if representation in _RANGED:
        return _range(_RANGED[representation], text)
    if representation == "PN":
        text = text.upper().rstrip("^")
    if representation not in _LITERAL and ("*" in text or "?" in text):
        return Like(pattern=re.sub(r"\*+", "*", text))
    values = re.split(r"[,\\]", text) if representation in _LISTED else [text]
    return OneOf(values=tuple(part.strip() for part in values if part.strip()))


def _range(form: re.Pattern[str], text: str) -> Condition:
    """Return the range of dates or times (PS3.4 C.2.2.2.5); one value alone is a range of itself."""
    first, dash, last = (part.strip() for part in text.partition("-"))
    if not (first or last) or not all(form.fullmatch(end) for end in (first, last) if end):
        raise HTTPException(400, "a date or time is not of the form of PS3.5 table 6.2-1, nor a range")
    return Between(first=first or None, last=(last or None) if dash else first)


def _values(datasets: Sequence[dict[str, Any]], tag: int) -> list[Any]:
    key = f"{tag:08X}"
    return [value for dataset in datasets for value in dataset.get(key, {}).get("Value", [])]


def _text_fits(text: str, condition: Condition) -> bool:
    if isinstance(condition, OneOf):
        return text in condition.values
    return isinstance(condition, Like) and fnmatchcase(text, condition.glob)


def _lies_between(text: str, condition: Between) -> bool:
    """Whether a date or time lies there; what an end leaves out, it leaves open."""
    after = condition.first is None or text.ljust(len(condition.first), "0") >= condition.first
    return after and (condition.last is None or text[: len(condition.last)] <= condition.last)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
