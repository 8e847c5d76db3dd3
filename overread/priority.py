"""Who is looked at first: the policy that turns evidence into an order."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from overread.assumption import Assumptions, take_assumptions
from overread.errors import ConfigurationError
from overread.finding import Actionable, Finding

MAXIMUM_WEIGHT = 5
MAXIMUM_PRIORITY = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRatios:
    """Odds ratios of what a report says about a finding that the detector sees; all in (0, 1]."""

    denied: float
    not_mentioned: float
    hedged: float
    same_shadow: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OvercallRatios:
    """How a stated finding that the detector does not see is weighed."""

    prior_odds: float  # that a stated finding is not confirmed
    maximum_ratio: float  # detector odds ratio above which nothing is made of it


@dataclass(frozen=True, slots=True, kw_only=True)
class LateralityRatios:
    """How a finding seen on the other side is weighed."""

    prior_odds: float  # that a stated side is wrong
    side_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Settings of the order, versioned: every stored priority names the policy that made it."""

    version: str
    minimum_odds: float  # below this a discrepancy is not listed
    report: ReportRatios
    overcall: OvercallRatios
    laterality: LateralityRatios
    urgency: Mapping[Actionable, float]  # share of the clinical weight that counts, in (0, 1]
    assumptions: Assumptions  # further kinds, triggers, what is known, waiting


def priority(odds: float, finding: Finding, policy: Policy) -> float:
    """Return the expected benefit of a look, in [0, 100]: share of the odds x clinical weight x urgency."""
    share = odds / (1 + odds)
    return MAXIMUM_PRIORITY * share * finding.weight / MAXIMUM_WEIGHT * policy.urgency[finding.actionable]


def parse_policy(text: str) -> Policy:
    """Return the policy that a TOML text defines.

    Raises:
        ConfigurationError: not TOML, a field is missing, unknown, or not a positive number.
    """
    try:
        table = tomllib.loads(text)
        urgency = table.pop("urgency")
        if set(urgency) != {category.value for category in Actionable}:
            raise ConfigurationError("the policy must give [urgency] for minutes, hours, days and none, only")
        policy = Policy(
            version=str(table.pop("version")),
            minimum_odds=table.pop("minimum_odds"),
            report=ReportRatios(**table.pop("report")),
            overcall=OvercallRatios(**table.pop("overcall")),
            laterality=LateralityRatios(**table.pop("laterality")),
            urgency=MappingProxyType({category: urgency[category.value] for category in Actionable}),
            assumptions=take_assumptions(table),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ConfigurationError(f"the policy is malformed: {error}") from error
    if table:
        raise ConfigurationError(f"the policy has unknown settings: {', '.join(table)}")
    _check_numbers(policy)
    return policy


@cache
def default_policy() -> Policy:
    """Return the policy that comes with overread."""
    return parse_policy((files("overread") / "data" / "policy.toml").read_text(encoding="utf-8"))


def _check_numbers(policy: Policy) -> None:
    numbers: dict[str, object] = {"minimum_odds": policy.minimum_odds}
    for part in (policy.report, policy.overcall, policy.laterality):
        numbers |= {field.name: getattr(part, field.name) for field in fields(part)}
    numbers |= {f"urgency.{category}": value for category, value in policy.urgency.items()}
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise ConfigurationError(f"the policy's {name} must be a positive number, not {value!r}")
