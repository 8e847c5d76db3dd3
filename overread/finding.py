"""The finding vocabulary: kinds of things that a report can state and a detector can see."""

import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

from overread.errors import ConfigurationError, InputError

ANY_ABNORMALITY = "any_abnormality"
"""Id of the finding that every other finding is a kind of, but for devices that are in place."""


class Actionable(StrEnum):
    """Time in which a finding should be communicated (Larson et al., J Am Coll Radiol 2014;11:552-558)."""

    MINUTES = "minutes"
    HOURS = "hours"
    DAYS = "days"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One entry of the vocabulary."""

    id: str  # stable across releases; lower case with underscores
    name: str  # what people read
    group: str  # anatomical group, such as "pleura"
    weight: int  # clinical weight, 1 (incidental) to 5 (harm within hours)
    actionable: Actionable
    subspecialty: str  # whose second look it is
    sided: bool  # whether right and left can be told apart
    broader: tuple[str, ...] = ()  # this finding is a kind of these
    mimics: tuple[str, ...] = ()  # symmetric: a report of one of these may describe the same shadow
    codes: tuple[str, ...] = ()  # "scheme:value" as in DICOM PS3.16
    terms: tuple[str, ...] = ()  # wordings in reports, lower case

    @property
    def is_placed(self) -> bool:
        """Whether it is a device or a trace of an operation, in its place: no abnormality by itself."""
        return self.group == "device" and self.actionable is Actionable.NONE


class Vocabulary(Mapping[str, Finding]):
    """All findings by id, with the relations between them. Immutable."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        self._by_id = {finding.id: finding for finding in findings}
        if len(self._by_id) != len(findings):
            raise ConfigurationError("the finding vocabulary defines an id twice")
        for finding in findings:
            unknown = [other for other in (*finding.broader, *finding.mimics) if other not in self._by_id]
            if unknown:
                raise ConfigurationError(
                    f"finding {finding.id} refers to {unknown}, which the vocabulary lacks"
                )
        self._kinds = {finding: self._narrower(finding) for finding in self._by_id}
        self._mimics = {finding: self._mimicking(finding) for finding in self._by_id}
        self._families = {finding: self._topmost(finding) for finding in self._by_id}
        self._related = {finding: self._relating(finding) for finding in self._by_id}

    def __getitem__(self, finding: str) -> Finding:
        return self._by_id[finding]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def subspecialties(self) -> tuple[str, ...]:
        """Return whose second looks there are, in alphabetical order."""
        return tuple(sorted({finding.subspecialty for finding in self._by_id.values()}))

    def kinds_of(self, finding: str) -> frozenset[str]:
        """Return the finding and what is a kind of it, at any depth; for any abnormality all but devices."""
        return self._kinds[finding]

    def mimics_of(self, finding: str) -> frozenset[str]:
        """Return the findings that a reader may have named for the same shadow, read both ways."""
        return self._mimics[finding]

    def related_to(self, finding: str) -> frozenset[str]:
        """Return findings that may be another word for the same shadow, without the finding and its kinds.

        They are of its family, or mimic it in the same anatomical group: for a consolidation an opacity,
        for an effusion a blunted costophrenic angle.
        """
        return self._related[finding]

    def family_of(self, finding: str) -> str:
        """Return the broadest finding that this one is a kind of; two of a family may be one shadow."""
        return self._families[finding]

    def _topmost(self, finding: str) -> str:
        seen = {finding}
        while broader := self._by_id[finding].broader:
            finding = broader[0]
            if finding in seen:
                raise ConfigurationError(f"finding {finding} is a kind of itself")
            seen.add(finding)
        return finding

    def _narrower(self, finding: str) -> frozenset[str]:
        if finding == ANY_ABNORMALITY:  # a line or a clip that somebody placed is none
            return frozenset(other.id for other in self._by_id.values() if not other.is_placed)
        kinds = {finding}
        while (
            more := {other.id for other in self._by_id.values() if kinds.intersection(other.broader)} - kinds
        ):
            kinds |= more
        return frozenset(kinds)

    def _mimicking(self, finding: str) -> frozenset[str]:
        backward = {other.id for other in self._by_id.values() if finding in other.mimics}
        return frozenset(backward.union(self._by_id[finding].mimics))

    def _relating(self, finding: str) -> frozenset[str]:
        group = self._by_id[finding].group
        mimics = frozenset(other for other in self._mimics[finding] if self._by_id[other].group == group)
        return (self._kinds[self._families[finding]] | mimics) - self._kinds[finding]


def parse_vocabulary(text: str) -> Vocabulary:
    """Return the vocabulary that a TOML text defines.

    Raises:
        ConfigurationError: the text is not TOML, lacks a field, or refers to an unknown finding.
    """
    try:
        tables = tomllib.loads(text)["finding"]
        return Vocabulary(tuple(_finding(table) for table in tables))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"the finding vocabulary is malformed: {error}") from error


@cache
def load_vocabulary() -> Vocabulary:
    """Return the vocabulary that comes with overread."""
    return parse_vocabulary((files("overread") / "data" / "findings.toml").read_text(encoding="utf-8"))


def subspecialties_named(names: Collection[str]) -> tuple[str, ...]:
    """Return the subspecialties of these names, each once, in alphabetical order.

    Raises:
        InputError: one is none; the message lists them.
    """
    known = load_vocabulary().subspecialties
    for name in names:
        if name not in known:
            raise InputError(f"{name!r} is no subspecialty; there are {', '.join(known)}")
    return tuple(sorted(set(names)))


def _finding(table: dict[str, object]) -> Finding:
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    values["actionable"] = Actionable(str(values["actionable"]))
    return Finding(**values)  # type: ignore[arg-type]  # a missing or unknown field raises TypeError
