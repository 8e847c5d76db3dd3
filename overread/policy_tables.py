"""The policy's assumptions beside those on miss and overcall: more kinds, triggers, what is known, waiting.

Each is a table of the policy file, which states its reasoning; none is a fit.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, TypeVar

from overread.audit_sample import SecondReadRule, second_read_rule
from overread.errors import ConfigurationError
from overread.finding import Actionable, load_vocabulary

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationOdds:
    """Odds factors for a finding that the detector sees in another zone."""

    prior_odds: float  # that a stated zone is wrong
    place_ratio: float  # how far the place of the detector's evidence can be trusted over the report's
    share_max: float  # of the evidence in the stated zones; with more there is no conflict
    benefit: float  # share of the priority of a miss with the same odds


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeOdds:
    """Odds factors for a finding that the detector measures differently."""

    prior_odds: float  # that a stated size is wrong
    measure_ratio: float  # how far the detector's measure can be trusted over the report's
    times_min: float  # one size over the other; below there is no conflict
    benefit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ContradictionOdds:
    """Odds factors for a report that contradicts itself."""

    odds: float  # that a second reader confirms it
    benefit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpOdds:
    """Odds factors for a finding without a recommendation."""

    odds: float  # that a second reader would have recommended something
    hedged_ratio: float  # where the report only considers the finding
    size_mm_min: float  # a smaller finding that is measured needs none
    benefit: float
    findings: tuple[str, ...]  # that guidelines want followed


@dataclass(frozen=True, slots=True, kw_only=True)
class CommunicationOdds:
    """Odds factors for an actionable finding without documented communication."""

    odds: float  # that nobody was told
    benefit: float
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerRatios:
    """Odds ratios of what makes a missed finding more likely; 1 says nothing."""

    hedged: float  # the report hedges on something that the finding could be
    vague: float  # the report as a whole hedges, or asks for correlation
    question: float  # a normal report, while the indication asks for such a finding
    cancer: float  # known cancer, and the finding may belong to it
    operation: float  # an operation or a device, and the finding may follow it
    rare: float  # the report states something that is seldom seen
    complex: float  # the report has many findings to state
    hedges_min: int  # hedged findings that make a report vague
    complex_findings_min: int  # different stated findings that make a report complex


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRule:
    """Conditions under which an earlier report makes a finding known."""

    days_max: float  # before this study


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Longest waits for a second look, by urgency."""

    hours: Mapping[Actionable, float]  # a case that waited longer comes first
    open_share: float  # of those hours, after which a case is shown to every subspecialty


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLine:
    """Share of the list that is shown first."""

    share: float  # of the triaged cases that stand above the line, in (0, 1]
    cases_min: int  # that stand above it in any case


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTables:
    """All of them."""

    location: LocationOdds
    size: SizeOdds
    findings_impression: ContradictionOdds
    missing_follow_up: FollowUpOdds
    missing_communication: CommunicationOdds
    triggers: TriggerRatios
    known_before: KnownRule
    waiting: Waiting
    line: ListLine
    second_read: SecondReadRule


def take_policy_tables(table: dict[str, Any]) -> PolicyTables:
    """Return the tables of a policy, and take their tables out of it.

    Raises:
        ConfigurationError: a number is not positive, or a finding is not in the vocabulary.
        KeyError: a table is missing.
        TypeError: a field is missing or unknown.
    """
    return PolicyTables(
        location=_checked("location", LocationOdds, table),
        size=_checked("size", SizeOdds, table),
        findings_impression=_checked("findings_impression", ContradictionOdds, table),
        missing_follow_up=_checked("missing_follow_up", FollowUpOdds, table),
        missing_communication=_checked("missing_communication", CommunicationOdds, table),
        triggers=_checked("triggers", TriggerRatios, table),
        known_before=_checked("known_before", KnownRule, table),
        waiting=_waiting(table.pop("waiting")),
        line=_checked("line", ListLine, table),
        second_read=second_read_rule(table.pop("second_read", None)),
    )


def _waiting(table: dict[str, Any]) -> Waiting:
    share = table.pop("open_share")
    if set(table) != {category.value for category in Actionable}:
        raise ConfigurationError("the policy must give [waiting] for minutes, hours, days and none, only")
    for name, value in {**table, "open_share": share}.items():
        check_number(f"waiting.{name}", value)
    hours = MappingProxyType({category: float(table[category.value]) for category in Actionable})
    return Waiting(hours=hours, open_share=float(share))


def _checked(name: str, kind: type[T], table: dict[str, Any]) -> T:
    values = {key: tuple(item) if isinstance(item, list) else item for key, item in table.pop(name).items()}
    part = kind(**values)
    for field in fields(part):  # type: ignore[arg-type]  # every kind here is a dataclass
        value = getattr(part, field.name)
        if field.name == "findings":
            check_findings(f"{name}.findings", value)
        else:
            check_number(f"{name}.{field.name}", value)
    return part


def check_findings(name: str, findings: object) -> None:
    """Return if a setting is a list of findings that the vocabulary knows.

    Raises:
        ConfigurationError: it is not; the message names the setting.
    """
    known = load_vocabulary()
    unknown = [item for item in findings if item not in known] if isinstance(findings, tuple) else [findings]
    if unknown:
        raise ConfigurationError(f"the policy's {name} names {unknown}, which the vocabulary lacks")


def check_number(name: str, value: object) -> None:
    """Return if a setting is a positive number.

    Raises:
        ConfigurationError: it is not; the message names the setting.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ConfigurationError(f"the policy's {name} must be a positive number, not {value!r}")
