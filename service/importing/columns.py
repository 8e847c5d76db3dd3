"""Columns of a table and their meaning."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from overread.errors import ConfigurationError, InvalidFileError

# Names under which a column is found without being told; case, blanks, dots and underscores do not matter.
_KNOWN: Mapping[str, tuple[str, ...]] = {
    "accession": ("accession", "accessionnumber", "accessionno", "accno"),
    "study": ("study", "studyinstanceuid", "studyuid"),
    "patient": ("patient", "patientid", "mrn"),
    "status": ("status", "reportstatus"),
    "issued": ("issued", "issuedat", "reportissued", "reporttime", "reportdatetime"),
    "text": ("text", "report", "reporttext"),
}
FIELDS = tuple(_KNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Places of the columns in a row; -1: nowhere."""

    accession: int = -1
    study: int = -1
    patient: int = -1
    status: int = -1
    issued: int = -1
    texts: tuple[int, ...] = ()  # several parts of one report, in this order
    headings: tuple[str, ...] = ()  # of the parts, where there are several
    count: int = 0  # columns in all


def parse_columns(given: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the names of columns by field, from words such as accession=AccessionNo.

    Raises:
        ConfigurationError: a word is malformed or its field unknown.
    """
    found: dict[str, tuple[str, ...]] = {}
    for word in given:
        field, separator, name = word.partition("=")
        if field not in FIELDS or not separator or not name:
            raise ConfigurationError(
                f"--column {word!r}: give FIELD=NAME, where FIELD is one of {', '.join(FIELDS)}"
            )
        if field in found and field != "text":
            raise ConfigurationError(f"--column {word!r}: {field} has a column already")
        found[field] = (*found.get(field, ()), name)
    return found


def match_columns(header: Sequence[str], given: Mapping[str, tuple[str, ...]], place: str) -> Columns:
    """Return where each thing stands in rows under this header.

    Args:
        header: the names of the columns.
        given: names that a person chose, by field.
        place: file and line, for messages.

    Raises:
        InvalidFileError: a chosen column is not there, or there is none for the text, or for what ties a
            report to its study.
    """
    names = [name.strip() for name in header]
    positions = {field: _positions(names, field, given, place) for field in FIELDS}
    if not positions["text"]:
        raise InvalidFileError(_missing("the report text", "text", names, place))
    if not (positions["accession"] or positions["study"]):
        raise InvalidFileError(_missing("the accession number or study UID", "accession", names, place))
    texts = positions["text"]
    return Columns(
        accession=_single(positions["accession"]),
        study=_single(positions["study"]),
        patient=_single(positions["patient"]),
        status=_single(positions["status"]),
        issued=_single(positions["issued"]),
        texts=texts,
        headings=tuple(names[position] for position in texts) if len(texts) > 1 else (),
        count=len(names),
    )


def _positions(
    names: Sequence[str], field: str, given: Mapping[str, tuple[str, ...]], place: str
) -> tuple[int, ...]:
    if field in given:
        for name in given[field]:
            if name not in names:
                raise InvalidFileError(f"{place}: there is no column {name!r}; there are {_listed(names)}")
        return tuple(names.index(name) for name in given[field])
    plain = [_plain(name) for name in names]
    return next(((plain.index(known),) for known in _KNOWN[field] if known in plain), ())


def _plain(name: str) -> str:
    """Return a name as the usual ones are written: without case, blanks and signs."""
    return re.sub(r"[\W_]", "", name).lower()


def _single(positions: tuple[int, ...]) -> int:
    return positions[0] if positions else -1


def _missing(what: str, field: str, names: Sequence[str], place: str) -> str:
    hint = f"name it with --column {field}=NAME, or the separator with --delimiter"
    return f"{place}: no column is known to hold {what}: {hint}; there are {_listed(names)}"


def _listed(names: Sequence[str]) -> str:
    """Return the usual ones of the names for a message; others may be cells of a table without a header."""
    usual = [name for name in names if any(_plain(name) in known for known in _KNOWN.values())]
    if not usual:
        return f"{len(names)} columns, none of a usual name: is line 1 the header?"
    shown = ", ".join(repr(name[:40]) for name in usual[:20])
    others = len(names) - len(usual[:20])
    return f"{shown} and {others} more, which the file itself shows" if others else shown
