"""What is installed beside overread: versions, licences, and the hash of what each package brought."""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from importlib.metadata import Distribution, distributions

OURSELVES = "overread"
UNKNOWN_WORDS = "UNKNOWN"
_LONGEST_WORDS = 120  # of a field that names a licence; longer ones hold its text
_NO_WORDS = frozenset({"", "unknown", "license", "licence", "dual license"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")


class LicenceKind(IntEnum):
    """What a licence asks of those who pass the program on; the higher, the more."""

    PERMISSIVE = 1  # to be named
    WEAK_COPYLEFT = 2  # that changes of the package itself are passed on in source: LGPL, MPL
    UNKNOWN = 3  # a person has to read it
    COPYLEFT = 4  # that what it is part of is passed on in source: GPL, AGPL; not to be a part of overread


_KINDS: tuple[tuple[LicenceKind, re.Pattern[str]], ...] = (
    (LicenceKind.WEAK_COPYLEFT, re.compile(r"lgpl|lesser general public|mpl|mozilla public|epl-|cddl")),
    (LicenceKind.COPYLEFT, re.compile(r"gpl|general public licen|affero|sspl|eupl|osl-")),
    (
        LicenceKind.PERMISSIVE,
        re.compile(
            r"\b(mit|mit-0|mit-cmu|0?bsd|apache|isc|psf-2\.0|zlib|cc0-1\.0|bsl-1\.0)\b"
            r"|python software foundation|unlicense|hpnd"
        ),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One installed package."""

    name: str
    version: str
    licence: str  # as its metadata says: an SPDX expression, or words
    kind: LicenceKind
    is_runtime: bool  # whether overread needs it to run; else it is here for an extra, or for others
    record_sha256: str | None  # of RECORD, the list of its files with the hash of each; None without one


def installed_components(extras: Collection[str] = ()) -> tuple[Component, ...]:
    """Return the packages of this environment in the order of their names, overread itself left out.

    Args:
        extras: of overread, whose packages count as needed to run too.
    """
    found: dict[str, Distribution] = {}
    for distribution in distributions():
        found.setdefault(normal_name(distribution.metadata["Name"] or ""), distribution)
    needed = required_names(found, extras)
    return tuple(
        _component(distribution, is_runtime=name in needed)
        for name, distribution in sorted(found.items())
        if name not in {"", OURSELVES}
    )


def required_names(found: Mapping[str, Distribution], extras: Collection[str] = ()) -> frozenset[str]:
    """Return the normal names of all that overread requires, itself or through others, where installed."""
    known: set[str] = set()
    waiting = [OURSELVES]
    while waiting:
        name = waiting.pop()
        if name in known or name not in found:
            continue
        known.add(name)
        requirements = found[name].requires or ()
        waiting += _required(requirements, extras if name == OURSELVES else ())
    return frozenset(known - {OURSELVES})


def kind_of(licence: str) -> LicenceKind:
    """Return what the licence asks: of alternatives the least, of several at once the most."""
    words = re.sub(r"[()]", " ", licence.lower())
    if "(" in licence and re.search(r"\sor\s", words):
        return max(map(_kind_of_one, re.split(r"\s(?:or|and)\s", words)))  # which binds whom is left open
    alternatives = re.split(r"\sor\s", words)
    return min(max(map(_kind_of_one, re.split(r"\sand\s|;", each))) for each in alternatives)


def licence_of(expression: str | None, words: str | None, classifiers: Iterable[str]) -> str:
    """Return the licence that metadata state, the most exact of its fields first (PEP 639)."""
    if expression and expression.strip():
        return expression.strip()
    stated = (words or "").strip()
    if stated.lower() not in _NO_WORDS and len(stated) <= _LONGEST_WORDS and "\n" not in stated:
        return stated
    named = [each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License :: ")]
    return "; ".join(named) or UNKNOWN_WORDS


def normal_name(name: str) -> str:
    """Return the one spelling of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _kind_of_one(words: str) -> LicenceKind:
    return next((kind for kind, pattern in _KINDS if pattern.search(words)), LicenceKind.UNKNOWN)


def _required(requirements: Iterable[str], extras: Collection[str]) -> Iterator[str]:
    for requirement in requirements:
        name, marker = _NAME.match(requirement), requirement.partition(";")[2]
        extra = _EXTRA.search(marker)
        if name is not None and (extra is None or extra[1] in extras):
            yield normal_name(name[0])


def _component(distribution: Distribution, *, is_runtime: bool) -> Component:
    metadata = distribution.metadata
    licence = licence_of(
        next(iter(metadata.get_all("License-Expression") or ()), None),
        next(iter(metadata.get_all("License") or ()), None),
        metadata.get_all("Classifier") or (),
    )
    record = distribution.read_text("RECORD")
    return Component(
        name=str(metadata["Name"]),
        version=distribution.version,
        licence=licence,
        kind=kind_of(licence),
        is_runtime=is_runtime,
        record_sha256=None if record is None else hashlib.sha256(record.encode()).hexdigest(),
    )
